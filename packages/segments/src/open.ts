// Opens a store: finds its segments, reads the last one to its end, and cuts off what never became durable. Recovery
// costs the tail, not the whole; and doing it again comes to the same.

import type { SluiceError } from '@sluice/event'
import { inWords } from './damages.ts'
import type { DiskFile } from './disk.ts'
import { diskFailed } from './explain.ts'
import { clearUnreadable, dropLast, findSegments, type Found, type Problem } from './find.ts'
import { scan, type ScanOptions, type ScanResult } from './scan.ts'
import type { Segment } from './segment.ts'
import type { StoreOptions } from './store-options.ts'
import { SegmentStore } from './store.ts'

export interface OpenOptions<Entry> extends StoreOptions<Entry> {
  /** Entries up to this sequence number were durable, as somebody else has recorded. Default: nobody knows. */
  durable?: number
  /** Called for each entry of the last segment, in order; the buffer is only valid until it returns. */
  recovered?: (segment: Segment, ...frame: Parameters<NonNullable<ScanOptions['visit']>>) => void
}

/** What an open found amiss. */
export interface Recovery {
  readonly segments: number
  /** Bytes at the end of the last segment that never became durable, and were cut off. */
  readonly tornBytes: number
  /** In the last segment, and among the files: the inside of the others is not read. */
  readonly problems: readonly Problem[]
}

const CHUNK_BYTES = 1024 * 1024

/**
 * Opens the store in `folder`, which is made if it isn't there.
 *
 * @throws SluiceError `SLUICE_DATA_FORMAT`: another version's data, or another store's; nothing was changed.
 *   `SLUICE_DISK`: the disk can't be read or written.
 */
export async function openStore<Entry>(
  options: OpenOptions<Entry>,
): Promise<{ store: SegmentStore<Entry>; recovery: Recovery }> {
  const { disk, folder, name, clock, durable = 0 } = options
  const finding = { disk, folder, name, now: clock.now() }
  try {
    await disk.makeFolder(folder)
    const found = await findSegments(finding)
    const { last, tornBytes } = await recoverTail(options, found)
    await clearUnreadable(finding, found, last < durable)
    // What a process made or removed before it was killed may still be on its way to the disk.
    await disk.syncFolder(folder)
    const { segments, lastNumber, problems } = found
    const store = new SegmentStore<Entry>(options, {
      segments,
      next: Math.max(last, durable) + 1,
      lastNumber,
      problems,
    })
    return { store, recovery: { segments: segments.length, tornBytes, problems } }
  } catch (error) {
    if ((error as SluiceError).code?.startsWith('SLUICE_')) throw error
    throw diskFailed(folder, error)
  }
}

/** Reads the last segment, and makes its end durable. One of which nothing ever became durable is removed. */
async function recoverTail<Entry>(
  options: OpenOptions<Entry>,
  found: Found,
): Promise<{ last: number; tornBytes: number }> {
  const { segments, problems } = found
  let tornBytes = 0
  for (let tail = segments.at(-1); tail !== undefined; tail = segments.at(-1)) {
    const result = await recoverSegment(options, tail)
    if (result.end > 0 || result.damages.length > 0) {
      for (const damage of result.damages) problems.push({ path: tail.path, what: inWords(damage), lost: damage.lost })
      if (!isDamaged(result)) tornBytes += result.torn
      return { last: result.last, tornBytes }
    }
    tornBytes += result.torn
    dropLast(found)
    await options.disk.remove(tail.path)
  }
  const { durable = 0, folder } = options
  if (durable > 0) problems.push({ path: folder, what: 'no segment is there', lost: [1, durable] })
  return { last: 0, tornBytes }
}

async function recoverSegment<Entry>(
  { disk, recovered, durable = 0 }: OpenOptions<Entry>,
  tail: Segment,
): Promise<ScanResult> {
  const file = await disk.open(tail.path, 'write')
  try {
    const { first, salt } = tail
    let doubtful = durable < first ? 0 : Infinity
    const visit: ScanOptions['visit'] = (frame, buffer, offset) => {
      if (frame.seq > durable) doubtful = Math.min(doubtful, offset)
      recovered?.(tail, frame, buffer, offset)
    }
    const result = await scan(file, { first, salt, durable, visit })
    // What was durable once is not cut off, even where it can't be read; the next segment begins after it.
    if (!isDamaged(result) && (await file.size()) > result.end) await file.truncate(result.end)
    await writeAgain(file, doubtful, result.end)
    await file.sync()
    tail.bytes = result.end
    return result
  } finally {
    await file.close()
  }
}

/**
 * What a process wrote before it was killed may still be on its way to the disk. It may also have been given up there,
 * by a sync that failed, and be in memory only, where it is taken for written (fault 11): only what is written again is
 * certain to be durable after the next sync.
 */
async function writeAgain(file: DiskFile, from: number, to: number): Promise<void> {
  if (from >= to) return
  // The size may have been given up too, and what is written inside it doesn't state it again.
  const size = await file.size()
  await file.truncate(size + 1)
  await file.truncate(size)
  for (let at = from; at < to; at += CHUNK_BYTES) {
    const bytes = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, to - at))
    const read = await file.read(bytes, at)
    await file.write(bytes.subarray(0, read), at)
  }
}

/** Whether what follows the last good frame was durable once. */
function isDamaged({ last, damages }: ScanResult): boolean {
  return damages.length > 0 && damages.at(-1)!.lost[1] > last
}
