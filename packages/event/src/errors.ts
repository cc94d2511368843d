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
