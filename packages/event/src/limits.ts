// What one request may ask of the decoder.

/** Bounds on what is decoded. What lies beyond them is refused before anything is stored. */
export interface DecodeLimits {
  /** Largest single event in bytes: body in binary and structured mode, each element of a batch. 413. Default 1 MiB. */
  maxEventBytes: number
  /** Deepest nesting of objects and arrays in a JSON body, the event's own object counted. 400. Default 64. */
  maxDepth: number
  /** Most members of a structured event, so most attributes. 400. Default 1,024. */
  maxMembers: number
  /** Most events in one batch. 413. Default 10,000. */
  maxBatchEvents: number
}

/** The limits that hold where none are given. */
export const DEFAULT_LIMITS: Readonly<DecodeLimits> = {
  maxEventBytes: 1024 * 1024,
  maxDepth: 64,
  maxMembers: 1024,
  maxBatchEvents: 10_000,
}

/** The given limits, with the default for each that is not given. */
export function withDefaults(limits: Partial<DecodeLimits> | undefined): Readonly<DecodeLimits> {
  return limits === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...limits }
}
