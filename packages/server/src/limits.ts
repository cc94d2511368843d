// Every limit of the HTTP listeners, with its number and its reason.

/** Limits of a listener. All have a default; `sluice up` sets two of them, embedders may set any. */
export interface ServerLimits {
  /** Largest event body, binary or structured; a larger one is answered 413. `--max-event-bytes`, default 1 MiB. */
  eventBytesMax: number
  /** Largest body of a batch; each event in it still keeps to `eventBytesMax`. Default 8 × `eventBytesMax`. */
  batchBytesMax: number
  /** Bodies being read at once, in bytes, over all connections; beyond, 503 with Retry-After. Default 128 MiB. */
  readingBytesMax: number
  /**
   * Header bytes of one request; more is answered 431. Default 256 KiB: attributes of 60 KiB must pass, and
   * percent-encoding can triple them (CE-14).
   */
  headerBytesMax: number
  /** Header lines of one request; more is answered 431, never cut off in silence. Default 512. */
  headersMax: number
  /** Until the headers are there. Default 10 s (threat 11). */
  headersTimeoutMs: number
  /** Until the whole request is there. Default 30 s (threat 11). */
  requestTimeoutMs: number
  /** An idle kept-alive connection. Default 72 s, above what load balancers and clients keep. */
  keepAliveTimeoutMs: number
  /** A connection on which nothing moves, because what it is answered is not read. Default 60 s (threat 11). */
  inactivityTimeoutMs: number
  /** Connections at once; further ones are closed. `--max-connections`, default 10,000. */
  connectionsMax: number
  /** Of these, of one address (of IPv6, 64 bits of it). Default half, so that no sender keeps all others out. */
  connectionsPerAddressMax: number
  /**
   * Bytes that the pieces of a body have to have in the mean, once there are 1,000 of them; smaller ones are answered 400:
   * each costs as much as one of 64 KiB. Default 16 (threat 11).
   */
  pieceBytesMin: number
}

const MIB = 1024 * 1024

export function serverLimits(set: Partial<ServerLimits> = {}): ServerLimits {
  const eventBytesMax = set.eventBytesMax ?? MIB
  const connectionsMax = set.connectionsMax ?? 10_000
  return {
    eventBytesMax,
    batchBytesMax: set.batchBytesMax ?? 8 * eventBytesMax,
    readingBytesMax: set.readingBytesMax ?? 128 * MIB,
    headerBytesMax: set.headerBytesMax ?? 256 * 1024,
    headersMax: set.headersMax ?? 512,
    headersTimeoutMs: set.headersTimeoutMs ?? 10_000,
    requestTimeoutMs: set.requestTimeoutMs ?? 30_000,
    keepAliveTimeoutMs: set.keepAliveTimeoutMs ?? 72_000,
    inactivityTimeoutMs: set.inactivityTimeoutMs ?? 60_000,
    connectionsMax,
    connectionsPerAddressMax: set.connectionsPerAddressMax ?? Math.max(1, Math.ceil(connectionsMax / 2)),
    pieceBytesMin: set.pieceBytesMin ?? 16,
  }
}
