// What a store is opened with, and whom it tells what. The same for every store: events, progress, dead letters.

import type { Clock } from '@sluice/clock'
import type { SluiceError } from '@sluice/event'
import type { Committed } from './batch.ts'
import type { Disk } from './disk.ts'
import type { Problem } from './find.ts'

export interface StoreOptions<Entry> {
  disk: Disk
  clock: Clock
  folder: string
  /** Stands in each segment's head: `events`, `progress`, `dead-letters`. */
  name: string
  /** Size of a segment: the first one's, then each has twice as much as the one before, up to the maximum. */
  segmentBytes: { readonly first: number; readonly max: number }
  /** Bytes of the buffers that entries are collected in; a larger entry gets one of its own. */
  slabBytes: number
  /** Bytes of the last writes that are kept in memory. */
  recentBytes: number
  /** Bytes of what was read from the disk that are kept in memory. */
  cacheBytes: number
  /**
   * Syncs are made so often, in ms, instead of before entries are committed. Then entries that were committed since the last
   * one don't survive a power loss; the end of the process alone costs nothing. Default: before.
   */
  syncMs?: number
  /** These entries are durable. Called in the order of appending. */
  committed: (batch: Committed<Entry>) => void
  /** These could not be stored; nothing of them counts. */
  failed: (entries: readonly Entry[], error: SluiceError) => void
  /**
   * The disk has failed a write or its sync; what was to be stored is written once more, into a new file. With `syncMs`,
   * what was committed since the sync before is not: it is read while the process lives, and may be gone after a power loss.
   */
  retrying?: (failure: SluiceError) => void
  /** The disk fails, or works again (`undefined`). */
  changed?: (failure: SluiceError | undefined) => void
  /** One write and sync took so many ms. */
  synced?: (ms: number) => void
  /** What was durable turns out to be unreadable, beyond what the open has told. */
  damaged?: (problem: Problem) => void
}
