// The bounds of a log, each with its default.

export interface LogLimits {
  /** Most bytes that are owed to subscriptions; ingress may fill 80 % of it. Default 10 GiB. */
  readonly bytesMax: number
  /** How long events stay that everybody has settled, in ms. Default 7 days. */
  readonly retentionMs: number
  /** How many bytes of them stay. Default 1 GiB. */
  readonly retentionBytes: number
  /** Largest event. Default 25 MiB. */
  readonly eventBytesMax: number
  /** Most parked events of one subscription. Default 100,000. */
  readonly parkedMax: number
  /** Most bytes on their way to a disk that is slow; beyond, `publish` refuses with 503. Default 64 MiB. */
  readonly pendingBytesMax: number
  /** Progress is saved so often, in ms, while there is any. Default 50. */
  readonly progressMs: number
  /**
   * Syncs are made so often, in ms, instead of before `publish` resolves: then what was stored since the last one does not
   * survive a power loss, nor a crash of the operating system; the end of the process alone costs nothing. Default: before.
   */
  readonly syncMs: number | undefined
}

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const DAY_MS = 24 * 3600 * 1000

export function limitsOf(given: Partial<LogLimits>): LogLimits {
  return {
    bytesMax: given.bytesMax ?? 10 * GIB,
    retentionMs: given.retentionMs ?? 7 * DAY_MS,
    retentionBytes: given.retentionBytes ?? GIB,
    eventBytesMax: given.eventBytesMax ?? 25 * MIB,
    parkedMax: given.parkedMax ?? 100_000,
    pendingBytesMax: given.pendingBytesMax ?? 64 * MIB,
    progressMs: given.progressMs ?? 50,
    syncMs: given.syncMs,
  }
}
