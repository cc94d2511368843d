// Requests that were taken already: a provider that has missed the answer sends them again, and so does an attacker who
// has recorded one.
//
// Known are the digests of their names, 16 bytes each, for the window and 100,000 of them at most; then the oldest are
// forgotten, and counted. In the checkpoint they outlive the process. A name is written after its event is stored: between
// the two a crash costs a duplicate, never an event.

import { hash } from 'node:crypto'
import type { Clock } from '@sluice/clock'
import type { Checkpoint } from '@sluice/source'

const NAMES_MAX = 100_000
const DIGEST_BYTES = 16
/** The time, ms since 1970 as a double, and the digest. */
const RECORD_BYTES = 8 + DIGEST_BYTES

/** Opens them, as the process before left them. */
export async function openReplays(checkpoint: Checkpoint, clock: Clock, windowMs: number): Promise<Replays> {
  const replays = new Replays(checkpoint, clock, windowMs)
  if (windowMs > 0) await replays.load()
  return replays
}

export class Replays {
  /** Names that were forgotten before their window was over, for want of room. */
  forgotten = 0
  /** Why the last name could not be kept for the next process. */
  unkept: string | undefined
  readonly #checkpoint: Checkpoint
  readonly #clock: Clock
  readonly #windowMs: number
  /** When each was taken, the oldest first. */
  readonly #taken = new Map<string, number>()
  /** Those that are being stored. */
  readonly #underWay = new Map<string, Promise<void>>()
  #recordsOnDisk = 0

  constructor(checkpoint: Checkpoint, clock: Clock, windowMs: number) {
    this.#checkpoint = checkpoint
    this.#clock = clock
    this.#windowMs = windowMs
  }

  get size(): number {
    return this.#taken.size
  }

  async load(): Promise<void> {
    const bytes = (await this.#checkpoint.load()) ?? Buffer.alloc(0)
    const nowMs = this.#clock.now()
    for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
      const timeMs = bytes.readDoubleBE(at)
      const digest = bytes.toString('latin1', at + 8, at + RECORD_BYTES)
      if (timeMs > nowMs - this.#windowMs && timeMs <= nowMs + CLOCK_SKEW_MS) this.#taken.set(digest, timeMs)
    }
    this.#recordsOnDisk = Math.ceil(bytes.length / RECORD_BYTES)
    if (this.#recordsOnDisk > this.#taken.size) await this.#rewrite() // a cut record too: the next would stand askew
  }

  /**
   * Runs `store` unless this name was taken within the window. Where the same is being stored right now, waits for that:
   * if it fails, this one tries. Resolves with whether it was stored now; rejects as `store` does.
   */
  async once(name: string, store: () => Promise<void>): Promise<boolean> {
    if (this.#windowMs === 0) {
      await store()
      return true
    }
    const digest = hash('sha256', name, 'buffer').toString('latin1', 0, DIGEST_BYTES)
    for (;;) {
      this.#forgetOld()
      if (this.#taken.has(digest)) return false
      const other = this.#underWay.get(digest)
      if (other === undefined) break
      await other
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#underWay.set(digest, promise)
    try {
      await store()
      await this.#take(digest)
      return true
    } finally {
      this.#underWay.delete(digest)
      resolve()
    }
  }

  /** It never fails: in this process the name is known all the same. */
  async #take(digest: string): Promise<void> {
    const nowMs = this.#clock.now()
    this.#taken.set(digest, nowMs)
    if (this.#taken.size > NAMES_MAX) {
      this.#taken.delete(this.#taken.keys().next().value!)
      this.forgotten++
    }
    this.#recordsOnDisk++
    const isBloated = this.#recordsOnDisk > 2 * this.#taken.size + 1000
    try {
      await (isBloated ? this.#rewrite() : this.#checkpoint.append(recordOf(digest, nowMs)))
      this.unkept = undefined
    } catch (error) {
      this.unkept = (error as Error).message
    }
  }

  #rewrite(): Promise<void> {
    this.#recordsOnDisk = this.#taken.size
    return this.#checkpoint.save(Buffer.concat(Array.from(this.#taken, ([digest, timeMs]) => recordOf(digest, timeMs))))
  }

  #forgetOld(): void {
    const oldestMs = this.#clock.now() - this.#windowMs
    for (const [digest, timeMs] of this.#taken) {
      if (timeMs > oldestMs) break
      this.#taken.delete(digest)
    }
  }
}

/** A wall clock may have been set back since. */
const CLOCK_SKEW_MS = 3_600_000

function recordOf(digest: string, timeMs: number): Buffer {
  const record = Buffer.alloc(RECORD_BYTES)
  record.writeDoubleBE(timeMs, 0)
  record.write(digest, 8, 'latin1')
  return record
}
