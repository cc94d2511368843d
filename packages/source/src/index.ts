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
export { bearerToken, digestOf, isOneOf, isOneOfDigests } from './bearer.ts'
export { Handshake, type HandshakeRules } from './handshake.ts'
export { memoryCheckpoint } from './checkpoint.ts'
export { SourceRequest } from './request.ts'
export { parseTemplate, type Lookup, type Template } from './template.ts'
