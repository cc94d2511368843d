// How large what we read may be, and what a document that can't be read says.

/** What one file may hold. Anything larger is an attack or a mistake. */
export interface YamlLimits {
  /** UTF-8 bytes of a file. Default 8 MiB. */
  readonly fileBytesMax: number
  /** Documents in a file, empty ones included. Default 100,000. */
  readonly documentsMax: number
  /** Values in a document, those repeated by aliases included. Default 100,000. */
  readonly nodesMax: number
  /** Levels of nesting. Default 100. */
  readonly depthMax: number
  /** How often one document uses one anchor. Default 100. */
  readonly aliasesMax: number
}

/** The defaults of {@link YamlLimits}. */
export const YAML_LIMITS: YamlLimits = {
  fileBytesMax: 8 * 1024 * 1024,
  documentsMax: 100_000,
  nodesMax: 100_000,
  depthMax: 100,
  aliasesMax: 100,
}

/** What keeps a document from being read. */
export interface YamlFault {
  readonly code:
    | 'SLUICE_RESOURCE_YAML'
    | 'SLUICE_RESOURCE_JSON'
    | 'SLUICE_RESOURCE_DUPLICATE_KEY'
    | 'SLUICE_RESOURCE_TOO_LARGE'
  /** In UTF-16 units from the start of the text. */
  readonly offset: number
  readonly message: string
  readonly hint?: string
}

/** The fault of nesting too deep. */
export function tooDeep(offset: number, { depthMax }: YamlLimits): YamlFault {
  return tooLarge(offset, `The document nests more than ${depthMax} levels deep`)
}

/** The fault of going beyond a limit. */
export function tooLarge(offset: number, what: string): YamlFault {
  return { code: 'SLUICE_RESOURCE_TOO_LARGE', offset, message: `${what}.`, hint: 'Split it into smaller ones.' }
}
