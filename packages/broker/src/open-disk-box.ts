// Opens a dead-letter box on the disk: reads all its segments, of which there are no more than its bounds allow.

import type { DeadLetterBox } from '@sluice/channel'
import { systemClock, type Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import { diskFailed, openStore, systemDisk, type Disk, type Problem, type SegmentStore } from '@sluice/segments'
import { recoverPayload } from './box-entry.ts'
import { BoxIndex } from './box-index.ts'
import { Shares } from './box-shares.ts'
import type { Write } from './box-space.ts'
import { DiskBox } from './disk-box.ts'

export interface DiskBoxOptions {
  /** The folder of this box, such as `dead-letters` in the broker's own; it is made. One process at a time. */
  folder: string
  /** Default: the machine's. */
  disk?: Disk
  /** Default: the machine's. */
  clock?: Clock
  /** Most bytes of the whole box. Default 1 GiB (DESIGN "The dead-letter box"). */
  bytesMax?: number
  /** Most bytes of one trigger's entries. Default 256 MiB. */
  triggerBytesMax?: number
  /** Bytes of removed entries that are left on the disk; beyond, as many as there are entries. Default 4 MiB. */
  deadBytesMax?: number
  /** Size of a segment: the first one's; each is twice as large as the one before, up to the maximum. Default 256 KiB and 16 MiB. */
  segmentBytes?: { first: number; max: number }
  /** An entry turned out to be damaged after {@link diskBox} had read it. Told again each time it is met. */
  problem?: (problem: Problem) => void
}

/** What {@link diskBox} has found. */
export interface BoxRecovery {
  readonly segments: number
  /** Entries in the box. */
  readonly entries: number
  /** Bytes at the end that never became durable, and were cut off. */
  readonly tornBytes: number
  /** What was durable once and can't be read: entries, or removals of entries, which are in the box again then. */
  readonly problems: readonly Problem[]
}

const MIB = 1024 * 1024
const GIB = 1024 * MIB

/**
 * Opens the box in `folder`, or makes one. It reads all there is: at most twice `bytesMax`, and a little.
 *
 * @throws SluiceError `SLUICE_DATA_LOCKED`: another process has it. `SLUICE_DATA_FORMAT`, `SLUICE_DISK`: as `openStore`
 *   of @sluice/segments
 */
export async function diskBox(options: DiskBoxOptions): Promise<{ box: DeadLetterBox; recovery: BoxRecovery }> {
  const { folder, disk = systemDisk } = options
  const unlock = await lock(disk, folder)
  try {
    return await openLocked(options, disk, unlock)
  } catch (error) {
    await unlock()
    throw error
  }
}

async function lock(disk: Disk, folder: string): Promise<() => Promise<void>> {
  try {
    await disk.makeFolder(folder)
    return await disk.lock(`${folder}/LOCK`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw diskFailed(folder, error)
    throw new SluiceError(
      'SLUICE_DATA_LOCKED',
      `${folder} is in use by another process. A dead-letter box serves one process: stop the other one, or give this ` +
        'one another data directory (--data).',
      { cause: error },
    )
  }
}

async function openLocked(
  options: DiskBoxOptions,
  disk: Disk,
  unlock: () => Promise<void>,
): Promise<{ box: DeadLetterBox; recovery: BoxRecovery }> {
  const { folder, clock = systemClock, bytesMax = GIB, triggerBytesMax = 256 * MIB, deadBytesMax = 4 * MIB } = options
  const { segmentBytes = { first: MIB / 4, max: 16 * MIB }, problem = () => {} } = options
  let box: DiskBox | undefined
  const { store, recovery } = await openStore<Write>({
    disk,
    clock,
    folder,
    name: 'dead-letters',
    segmentBytes,
    slabBytes: MIB / 16,
    recentBytes: MIB / 8,
    cacheBytes: MIB / 4,
    committed: (batch) => box!.committed(batch),
    failed: (writes, error) => box!.failed(writes, error),
    changed: () => box!.space.tidy(),
  })
  const index = new BoxIndex()
  const shares = new Shares(bytesMax, triggerBytesMax)
  box = new DiskBox({ clock, store, index, shares, bytesMax, deadBytesMax, problem, unlock })
  const problems = await recover(store, index, box.space)
  for (let id = index.next(0); id !== undefined; id = index.next(id)) {
    const place = index.get(id)!
    shares.add(index.triggerOf(id), place.bytes)
    box.space.lives(place)
  }
  box.space.tidy()
  const { segments, tornBytes } = recovery
  const { events: entries } = shares.usage()
  return { box, recovery: { segments, entries, tornBytes, problems: [...recovery.problems, ...problems] } }
}

/** Reads every frame. What is damaged in the last segment the store has told already. */
async function recover(store: SegmentStore<Write>, index: BoxIndex, space: DiskBox['space']): Promise<Problem[]> {
  const problems: Problem[] = []
  const removed = new Set<number>()
  for (const segment of store.segments) {
    const { damages } = await store.scan(segment, ({ seq, start, length }, buffer, offset) => {
      const found = recoverPayload(buffer, start, start + length, seq)
      space.wrote(segment.number, length)
      if ('removed' in found) for (const id of found.removed) removed.add(id)
      else index.add(found.id, found.trigger, { segment: segment.number, offset, bytes: length })
    })
    if (segment === store.segments.at(-1)) break
    for (const { from, to, lost } of damages) {
      problems.push({ path: segment.path, what: `damaged from byte ${from} to ${to}`, lost })
    }
  }
  index.settle(removed)
  return problems
}
