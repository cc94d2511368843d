// The progress of all subscriptions, on the disk: a journal of what has changed, every 50 ms in which anything has. When
// it has grown to a multiple of what it says, it begins anew with all of it.

import type { Clock } from '@sluice/clock'
import type { SluiceError } from '@sluice/event'
import { openStore, type Disk, type Problem, type Recovery, type SegmentStore } from '@sluice/segments'
import {
  SavedProgress,
  decodeProgress,
  encodeProgress,
  type ProgressEntry,
  type ProgressHead,
} from './progress-codec.ts'
import type { Saver } from './saved.ts'

interface Waiter {
  resolve: () => void
  reject: (error: unknown) => void
}

/** Subscriptions in one entry when all is written anew, so that no single write holds the event loop for long. */
const SAVERS_AT_ONCE = 100

export interface ProgressOptions {
  disk: Disk
  clock: Clock
  folder: string
  segmentBytes: { first: number; max: number }
  /** The disk fails, or works again (`undefined`). */
  changed: (failure: SluiceError | undefined) => void
  /** As the store's. */
  retrying?: (failure: SluiceError) => void
  damaged?: (problem: Problem) => void
}

/** Opens the store and reads what it says. */
export async function openProgress(
  options: ProgressOptions,
): Promise<{ progress: Progress; saved: SavedProgress; recovery: Recovery }> {
  const { first: slabBytes } = options.segmentBytes
  const { store, recovery } = await openStore<Waiter>({
    ...options,
    name: 'progress',
    slabBytes,
    recentBytes: 2 * slabBytes,
    cacheBytes: 0,
    committed: ({ entries }) => entries.forEach(({ resolve }) => resolve()),
    failed: (entries, error) => entries.forEach(({ reject }) => reject(error)),
  })
  const saved = new SavedProgress()
  let next: number | undefined
  for (const segment of [...store.segments]) {
    await store.scan(segment, ({ seq, start, length }, buffer) => {
      if (next !== undefined && seq > next) saved.gap()
      next = seq + 1
      saved.apply(decodeProgress(buffer.subarray(start, start + length)))
    })
  }
  return { progress: new Progress(store, options.segmentBytes.first), saved, recovery }
}

export class Progress {
  readonly #store: SegmentStore<Waiter>
  readonly #bytesMin: number
  /** Bytes since all of it was written, and how many that took. */
  #bytes = Infinity
  #allBytes = 0

  constructor(store: SegmentStore<Waiter>, bytesMin: number) {
    this.#store = store
    this.#bytesMin = bytesMin
  }

  /** Whether everything was stated anew by this process. Before that, no save may say of anybody that they stand as they did. */
  get hasBegun(): boolean {
    return this.#bytes < Infinity
  }

  /** Whether the journal is so much longer than what it says that it should begin anew. */
  get isLong(): boolean {
    return this.#bytes > Math.max(this.#bytesMin, 4 * this.#allBytes)
  }

  /** Saves what has changed, and who is removed, by number. Rejects when the disk fails: then the next save has all of it. */
  async save(head: ProgressHead, savers: readonly Saver[], removed: readonly number[]): Promise<void> {
    this.#bytes += await this.#save(head, savers, { removed, anew: undefined })
  }

  /** Writes all of it into a new segment, and removes the ones before. Whoever joins meanwhile is not part of it. */
  async beginAnew(head: () => ProgressHead, savers: readonly Saver[]): Promise<void> {
    if (this.#store.failure !== undefined) throw this.#store.failure
    this.#store.roll()
    const first = this.#store.next
    let bytes = 0
    for (let i = 0; i === 0 || i < savers.length; i += SAVERS_AT_ONCE) {
      const some = savers.slice(i, i + SAVERS_AT_ONCE)
      for (const saver of some) saver.saveAll()
      const isLast = i + SAVERS_AT_ONCE >= savers.length
      bytes += await this.#save(head(), some, { removed: [], anew: { isFirst: i === 0, isLast } })
    }
    this.#bytes = this.#allBytes = bytes
    while (this.#store.segments[0]!.first < first) await this.#store.removeOldest()
  }

  /** Resolves with the number of bytes. */
  async #save(
    head: ProgressHead,
    savers: readonly Saver[],
    more: Pick<ProgressEntry, 'removed' | 'anew'>,
  ): Promise<number> {
    const entry = encodeProgress({ ...head, ...more, parts: savers.map((saver) => saver.takeUnsaved()) })
    try {
      await this.#append(entry)
    } catch (error) {
      for (const saver of savers) saver.saveFailed()
      throw error
    }
    for (const saver of savers) saver.wasSaved()
    return entry.length
  }

  #append(entry: Buffer): Promise<void> {
    // While the disk fails the store tries a new file every second; each try of ours would make one too.
    if (this.#store.failure !== undefined) return Promise.reject(this.#store.failure)
    return new Promise((resolve, reject) => this.#store.append(entry, { resolve, reject }))
  }

  async close(): Promise<void> {
    await this.#store.close()
  }
}
