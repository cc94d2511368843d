// Opens a log: its events, its progress, and what a process that is gone has left of both.

import type { Channel } from '@sluice/channel'
import { SluiceError } from '@sluice/event'
import { systemClock, type Clock } from '@sluice/clock'
import {
  diskFailed,
  isDiskFull,
  openStore,
  systemDisk,
  type Disk,
  type Problem,
  type Recovery,
  type SegmentStore,
} from '@sluice/segments'
import { Health } from './health.ts'
import { addEntry, Indexes } from './indexes.ts'
import { limitsOf, type LogLimits } from './limits.ts'
import { LogChannel, type LogParts } from './log.ts'
import { openProgress } from './progress.ts'
import type { Appended } from './publication.ts'
import { bringUpToDate, toDeliver, type ToDeliver } from './up-to-date.ts'
import { wallClock } from './wall-clock.ts'

export interface LogChannelOptions extends Partial<LogLimits> {
  /** The folder of this channel: `segments` and `progress` are made in it. One process at a time (see the README). */
  folder: string
  /** Default: the machine's. */
  disk?: Disk
  /** Default: the machine's. */
  clock?: Clock
  /** Size of a segment: the first one's; each is twice as large as the one before, up to the maximum. Default 1 and 64 MiB. */
  segmentBytes?: { first: number; max: number }
  /** One write and sync took so many ms. */
  synced?: (ms: number) => void
  /** The disk has failed a write or its sync; what was to be stored is written once more, into a new file. */
  retrying?: (failure: SluiceError) => void
  /** What was durable turns out to be unreadable, beyond what {@link LogRecovery} tells. */
  damaged?: (problem: Problem, store: 'events' | 'progress') => void
}

export interface OpenedLog {
  readonly channel: Channel
  readonly recovery: LogRecovery
}

/** What {@link openLogChannel} found. */
export interface LogRecovery {
  readonly events: Recovery
  readonly progress: Recovery
  /** An event counts once for each subscription that has still to settle it. */
  readonly toDeliver: ToDeliver
  /** Progress was missing or damaged: subscriptions go on from where it was last known, those of which nothing is known at the earliest event. */
  readonly isRewound: boolean
}

const MIB = 1024 * 1024
/** Of what was written last, so many buffers stay in memory for those that fall behind a little. */
const RECENT_SLABS = 4
/** Of what was read, so much stays in memory for all that lag. */
const CACHE_BYTES = 8 * MIB

/**
 * Opens the log in `folder`, or makes one.
 *
 * @throws SluiceError `SLUICE_DATA_LOCKED`: another process has it. `SLUICE_DATA_FORMAT`, `SLUICE_DISK`: as `openStore`
 *   of @sluice/segments
 */
export async function openLogChannel(options: LogChannelOptions): Promise<OpenedLog> {
  const { folder, disk = systemDisk, clock = systemClock } = options
  const limits = limitsOf(options)
  const unlock = await lock(disk, folder)
  try {
    return await openLocked(options, { disk, clock, limits, unlock })
  } catch (error) {
    await unlock()
    throw (error as SluiceError).code?.startsWith('SLUICE_') ? error : diskFailed(folder, error)
  }
}

type Known = Pick<LogParts, 'clock' | 'limits' | 'unlock'> & { readonly disk: Disk }

async function openLocked(options: LogChannelOptions, { disk, clock, limits, unlock }: Known): Promise<OpenedLog> {
  const { folder, segmentBytes = { first: MIB, max: 64 * MIB }, synced, retrying, damaged } = options
  const now = wallClock(clock)
  const health = new Health()
  let channel: LogChannel | undefined
  const changed = (concern: 'progress' | 'events', failure: SluiceError | undefined): void => {
    health.set(concern, failure?.message)
    if (failure !== undefined && isDiskFull(failure)) channel?.diskFull()
  }
  const { progress, saved, recovery } = await openProgress({
    disk,
    clock,
    folder: `${folder}/progress`,
    segmentBytes: { first: segmentBytes.first / 8, max: segmentBytes.max / 16 },
    changed: (failure) => changed('progress', failure),
    ...(retrying !== undefined && { retrying }),
    damaged: (problem) => damaged?.(problem, 'progress'),
  })
  let store: SegmentStore<Appended> | undefined
  const indexes = new Indexes(() => store!)
  const slabBytes = Math.min(MIB, segmentBytes.first)
  const opened = await openStore<Appended>({
    disk,
    clock,
    folder: `${folder}/segments`,
    name: 'events',
    segmentBytes,
    slabBytes,
    recentBytes: RECENT_SLABS * slabBytes,
    cacheBytes: CACHE_BYTES,
    committed: (batch) => channel!.committed(batch),
    failed: (entries, error) => channel!.failed(entries, error),
    changed: (failure) => changed('events', failure),
    ...(limits.syncMs !== undefined && { syncMs: limits.syncMs }),
    ...(synced !== undefined && { synced }),
    ...(retrying !== undefined && { retrying }),
    damaged: (problem) => damaged?.(problem, 'events'),
    // What the progress knows to be stored was durable: where it is missing, it is lost, and its numbers are used up.
    durable: saved.committed,
    recovered: (segment, frame, buffer, offset) => addEntry(indexes.forWriting(segment), frame, buffer, offset),
  })
  store = opened.store
  const isRewound = saved.isBroken && store.segments.length > 0
  const { nextNumber } = saved
  const states = await bringUpToDate(store, indexes, saved, now())
  const parts = { clock, now, limits, store, indexes, progress, health, saved: states, nextNumber, isRewound, unlock }
  channel = new LogChannel(parts)
  await channel.begin()
  const found = { events: opened.recovery, progress: recovery, toDeliver: toDeliver(states, store.last), isRewound }
  return { channel, recovery: found }
}

async function lock(disk: Disk, folder: string): Promise<() => Promise<void>> {
  try {
    await disk.makeFolder(folder)
    return await disk.lock(`${folder}/LOCK`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw diskFailed(folder, error)
    throw new SluiceError(
      'SLUICE_DATA_LOCKED',
      `${folder} is in use by another process. A log serves one process: stop the other one, or give this one another ` +
        'data directory (--data).',
      { cause: error },
    )
  }
}
