// Opens a store: finds its segments, reads the last one to its end, and cuts off what never became durable. Recovery
// costs the tail, not the whole.

import type { SluiceError } from '@sluice/event'
import { diskFailed } from './explain.ts'
import { FRAME_HEAD, KIND_HEAD, announcedLength, newFrame, readFrame } from './frame.ts'
import { scan, type Damage, type ScanOptions } from './scan.ts'
import { fileName, numberOf, readHead, type Segment, type SegmentHead } from './segment.ts'
import { SegmentStore, type StoreOptions } from './store.ts'
import type { DiskFile } from './disk.ts'

export interface OpenOptions<Entry> extends StoreOptions<Entry> {
  /** Called for each entry of the last segment, in order; the buffer is only valid until it returns. */
  recovered?: (segment: Segment, ...frame: Parameters<NonNullable<ScanOptions['visit']>>) => void
}

/** What an open found amiss. */
export interface Recovery {
  readonly segments: number
  /** Bytes at the end of the last segment that never became durable, and were cut off. */
  readonly tornBytes: number
  readonly problems: readonly Problem[]
}

/** Something that was durable once and can't be read. */
export interface Problem extends Pick<Damage, 'lost'> {
  /** The file it is in, or would be. */
  readonly path: string
  /** In words: `damaged from byte 4096 to 8192`, `missing`. */
  readonly what: string
}

/** Of a head, so much is read at first. */
const HEAD_BYTES = 4096

/**
 * Opens the store in `folder`, which is made if it isn't there.
 *
 * @throws SluiceError `SLUICE_DATA_FORMAT`: another version's data, or another store's; nothing was changed.
 *   `SLUICE_DISK`: the disk can't be read or written.
 */
export async function openStore<Entry>(
  options: OpenOptions<Entry>,
): Promise<{ store: SegmentStore<Entry>; recovery: Recovery }> {
  const { disk, folder } = options
  try {
    await disk.makeFolder(folder)
    const found = await findSegments(options)
    const recovery = await recoverTail(options, found)
    const last = found.segments.at(-1)
    const store = new SegmentStore<Entry>(options, {
      segments: found.segments,
      next: recovery.last + 1,
      lastNumber: Math.max(found.lastNumber, last?.number ?? 0),
    })
    const { length: segments } = found.segments
    return { store, recovery: { segments, tornBytes: recovery.tornBytes, problems: found.problems } }
  } catch (error) {
    if ((error as SluiceError).code?.startsWith('SLUICE_')) throw error
    throw diskFailed(folder, error)
  }
}

interface Found {
  readonly segments: Segment[]
  readonly lastNumber: number
  readonly problems: Problem[]
}

/** The segments by their heads, oldest first; a file that was swapped with another is told by its own number. */
async function findSegments<Entry>({ disk, folder, name }: OpenOptions<Entry>): Promise<Found> {
  const problems: Problem[] = []
  const found: Segment[] = []
  let lastNumber = 0
  for (const file of await disk.list(folder)) {
    const named = numberOf(file)
    if (named === undefined) continue
    lastNumber = Math.max(lastNumber, named)
    const segment = await readSegment(disk, `${folder}/${file}`, named, name)
    if (segment === undefined) {
      await disk.remove(`${folder}/${file}`) // nothing in it ever became durable
      continue
    }
    found.push(segment)
    if (segment.number !== named) problems.push(swapped(segment, named))
  }
  found.sort((one, other) => one.number - other.number)
  const segments = found.filter((segment, i) => i === 0 || segment.number !== found[i - 1]!.number)
  for (const [i, segment] of segments.entries()) {
    const before = segments[i - 1]
    if (before === undefined || before.number + 1 === segment.number) continue
    const missing = await missingBetween(disk, before, segment)
    if (missing !== undefined) problems.push(missing)
  }
  return { segments, lastNumber, problems }
}

/** `undefined`: no frame in it is good. */
async function readSegment(
  disk: StoreOptions<never>['disk'],
  path: string,
  number: number,
  store: string,
): Promise<Segment | undefined> {
  const file = await disk.open(path, 'read')
  try {
    const size = await file.size()
    const head = await readFirst(file, size, store, path)
    if (head !== undefined) {
      const { segment, created } = head
      return { number: segment, path, first: head.first, created, bytes: size, size }
    }
    // Its head is broken: where good entries follow, they count.
    let first: number | undefined
    await scan(file, { first: 0, visit: ({ seq }) => void (first ??= seq) })
    return first === undefined ? undefined : { number, path, first, created: 0, bytes: size, size }
  } finally {
    await file.close()
  }
}

async function readFirst(
  file: DiskFile,
  size: number,
  store: string,
  path: string,
): Promise<(SegmentHead & { first: number }) | undefined> {
  const bytes = Buffer.alloc(Math.min(HEAD_BYTES, size))
  const read = await file.read(bytes, 0)
  const frame = newFrame()
  if (read < FRAME_HEAD || announcedLength(bytes, 0) === 0 || !readFrame(bytes, 0, frame)) return undefined
  if (frame.kind !== KIND_HEAD) return undefined
  return { ...readHead(bytes.subarray(frame.start, frame.start + frame.length), store, path), first: frame.seq }
}

async function missingBetween(
  disk: StoreOptions<never>['disk'],
  before: Segment,
  after: Segment,
): Promise<Problem | undefined> {
  const file = await disk.open(before.path, 'read')
  try {
    const { last } = await scan(file, { first: before.first, before: after.first })
    if (last + 1 >= after.first) return undefined // numbers are left out where a file was begun and never used
    const path = before.path.replace(/[^/]+$/, fileName(before.number + 1))
    return { path, what: 'missing', lost: [last + 1, after.first - 1] }
  } finally {
    await file.close()
  }
}

function swapped({ number, path, first }: Segment, named: number): Problem {
  return { path, what: `named ${named}, but it is segment ${number}; read as that`, lost: [first, first - 1] }
}

/** Reads the last segment, and makes its end durable. */
async function recoverTail<Entry>(
  { disk, recovered }: OpenOptions<Entry>,
  { segments, problems }: Found,
): Promise<{ last: number; tornBytes: number }> {
  const tail = segments.at(-1)
  if (tail === undefined) return { last: 0, tornBytes: 0 }
  const file = await disk.open(tail.path, 'write')
  try {
    const result = await scan(file, {
      first: tail.first,
      visit: (frame, buffer, offset) => recovered?.(tail, frame, buffer, offset),
    })
    const size = await file.size()
    if (size > result.end) await file.truncate(result.end)
    // What a process wrote before it was killed may still be on its way to the disk.
    await file.sync()
    tail.bytes = result.end
    for (const { from, to, lost } of result.damages) {
      problems.push({ path: tail.path, what: `damaged from byte ${from} to ${to}`, lost })
    }
    return { last: result.last, tornBytes: result.torn }
  } finally {
    await file.close()
  }
}
