// The progress of all subscriptions, on the disk: a journal of what has changed, every 50 ms in which anything has. When
// it has grown to a multiple of what it says, it begins anew with all of it.

import type { Clock } from '@sluice/clock'
import { openStore, type Disk, type Recovery, type SegmentStore } from '@sluice/segments'
import { applyEntry, encodeProgress, encodeRemoval, type SavedProgress } from './progress-codec.ts'
import type { Saver } from './saved.ts'

interface Waiter {
  resolve: () => void
  reject: (error: unknown) => void
}

const SEGMENT_BYTES = { first: 128 * 1024, max: 4 * 1024 * 1024 }
/** Subscriptions in one entry when all is written anew, so that no single write holds the event loop for long. */
const SAVERS_AT_ONCE = 100

export interface ProgressOptions {
  disk: Disk
  clock: Clock
  folder: string
}

/** Opens the store and reads what it says. */
export async function openProgress(
  options: ProgressOptions,
): Promise<{ progress: Progress; saved: SavedProgress; recovery: Recovery }> {
  const saved: SavedProgress = { nextNumber: 1, committed: 0, states: new Map(), isBroken: false }
  const { store, recovery } = await openStore<Waiter>({
    ...options,
    name: 'progress',
    segmentBytes: SEGMENT_BYTES,
    slabBytes: 64 * 1024,
    recentBytes: 128 * 1024,
    cacheBytes: 0,
    committed: ({ entries }) => entries.forEach(({ resolve }) => resolve()),
    failed: (entries, error) => entries.forEach(({ reject }) => reject(error)),
  })
  saved.isBroken = store.segments.length === 0 // all of it is missing, or there has been none yet
  let next = store.segments[0]?.first ?? 1
  for (const segment of [...store.segments]) {
    await store.scan(segment, ({ seq, start, length }, buffer) => {
      if (seq > next) saved.isBroken = true
      next = seq + 1
      applyEntry(saved, buffer.subarray(start, start + length))
    })
  }
  return { progress: new Progress(store), saved, recovery }
}

export class Progress {
  readonly #store: SegmentStore<Waiter>
  /** Bytes since all of it was written, and how many that took. */
  #bytes = Infinity
  #allBytes = 0

  constructor(store: SegmentStore<Waiter>) {
    this.#store = store
  }

  /** Whether the journal is so much longer than what it says that it should begin anew. */
  get isLong(): boolean {
    return this.#bytes > Math.max(SEGMENT_BYTES.first, 4 * this.#allBytes)
  }

  /** Saves what has changed. Rejects when the disk fails: then the next save has all of it. */
  async save(nextNumber: number, committed: number, savers: readonly Saver[]): Promise<void> {
    const entry = encodeProgress(
      nextNumber,
      committed,
      savers.map((saver) => saver.takeUnsaved()),
    )
    this.#bytes += entry.length
    try {
      await this.#append(entry)
    } catch (error) {
      for (const saver of savers) saver.saveFailed()
      throw error
    }
  }

  async saveRemoval(number: number): Promise<void> {
    await this.#append(encodeRemoval(number))
  }

  /** Writes all of it into a new segment, and removes the ones before. */
  async beginAnew(nextNumber: number, committed: () => number, savers: readonly Saver[]): Promise<void> {
    this.#store.roll()
    const first = this.#store.next
    this.#bytes = 0
    for (let i = 0; i === 0 || i < savers.length; i += SAVERS_AT_ONCE) {
      const some = savers.slice(i, i + SAVERS_AT_ONCE)
      for (const saver of some) saver.saveAll()
      await this.save(nextNumber, committed(), some)
    }
    this.#allBytes = this.#bytes
    while (this.#store.segments[0]!.first < first) await this.#store.removeOldest()
  }

  #append(entry: Buffer): Promise<void> {
    return new Promise((resolve, reject) => this.#store.append(entry, { resolve, reject }))
  }

  async close(): Promise<void> {
    await this.#store.close()
  }
}
