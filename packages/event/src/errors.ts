// The one error class of Sluice. People match on `code`, never on the text.

/** Details of a {@link SluiceError}, beside its code and its message. */
export interface ErrorDetails {
  /** The HTTP status that says this to a client. Default 500. */
  status?: number
  /** Whether the same request may succeed later. Default false. */
  retryable?: boolean
  /** Milliseconds after which a retry makes sense; becomes `Retry-After`. */
  retryAfterMs?: number
  /** The context attribute, field or header that was wrong; in a batch with its index, `[1].type`. */
  subject?: string
  /** What lies behind this error. */
  cause?: unknown
}

/**
 * An error with a stable code, a message that says what was wrong with which input and what to do,
 * and what an HTTP answer needs. Each package lists its codes in its README.
 */
export class SluiceError extends Error {
  readonly code: string
  readonly status: number
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined
  readonly subject: string | undefined

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'SluiceError'
    this.code = code
    this.status = details.status ?? 500
    this.retryable = details.retryable ?? false
    this.retryAfterMs = details.retryAfterMs
    this.subject = details.subject
  }
}

/** Why an attribute is refused: 400, a code for each core attribute and `..._EXTENSION` for all others. */
export function invalidAttribute(name: string, problem: string): SluiceError {
  return new SluiceError(codeOf(name), problem, { status: 400, subject: name })
}

/** A header or member that can be no attribute, by its name: 400. */
export function invalidName(name: string, problem: string): SluiceError {
  return new SluiceError('SLUICE_EVENT_INVALID_EXTENSION', problem, { status: 400, subject: name })
}

/** Data that its event can't have: 400. `member` is `data` or `data_base64`. */
export function invalidData(member: string, problem: string): SluiceError {
  return new SluiceError('SLUICE_EVENT_INVALID_DATA', problem, { status: 400, subject: member })
}

/** A body that is no JSON text, or not the JSON that it has to be: 400. */
export function invalidJson(problem: string): SluiceError {
  return new SluiceError('SLUICE_EVENT_INVALID_JSON', problem, { status: 400, subject: 'body' })
}

/** A batch that is no JSON array: 400. */
export function invalidBatch(problem: string): SluiceError {
  return new SluiceError('SLUICE_EVENT_INVALID_BATCH', problem, { status: 400, subject: 'body' })
}

/** An event format or charset that is not spoken here: 415. */
export function unsupportedFormat(problem: string): SluiceError {
  return new SluiceError('SLUICE_EVENT_UNSUPPORTED_FORMAT', problem, { status: 415, subject: 'content-type' })
}

/** More bytes or events than are taken: 413. */
export function tooLarge(problem: string): SluiceError {
  return new SluiceError('SLUICE_EVENT_TOO_LARGE', problem, { status: 413 })
}

/** One event of more bytes than are taken: 413. */
export function eventTooLarge(bytes: number, bytesMax: number): SluiceError {
  return tooLarge(`The event has ${bytes} bytes; an event may have ${bytesMax}. Send less.`)
}

/** Bytes that are no stored event. */
export function recordDamaged(problem: string): SluiceError {
  return new SluiceError('SLUICE_RECORD_DAMAGED', `The stored event can't be read: ${problem}.`)
}

function codeOf(attribute: string): string {
  switch (attribute) {
    case 'specversion':
    case 'id':
    case 'source':
    case 'type':
    case 'subject':
    case 'time':
    case 'datacontenttype':
    case 'dataschema':
    case 'schemaurl':
    case 'datacontentencoding':
      return `SLUICE_EVENT_INVALID_${attribute.toUpperCase()}`
    default:
      return 'SLUICE_EVENT_INVALID_EXTENSION'
  }
}
