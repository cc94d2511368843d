export type {
  Checkpoint,
  Fixture,
  SecretRef,
  Source,
  SourceContext,
  SourceDriver,
  SourceHttp,
  SourceKind,
  SourceResponse,
  SourceStatus,
} from './source.ts'
export { memoryCheckpoint } from './checkpoint.ts'
export { SourceRequest } from './request.ts'
export { parseTemplate, type Lookup, type Template } from './template.ts'
