// Finds the segments of a store by their heads, and sorts out what a process that is gone has left beside them.

import type { Disk, DiskFile } from './disk.ts'
import { FRAME_HEAD, KIND_HEAD, newFrame, readFrame } from './frame.ts'
import { quarantine } from './quarantine.ts'
import { lookThrough, scan } from './scan.ts'
import { fileName, numberOf, readHead, type Segment } from './segment.ts'

/** Something that was durable once and can't be read. */
export interface Problem {
  /** The file it is in, or would be. */
  readonly path: string
  /** In words: `damaged from byte 4096 to 8192`, `missing`. */
  readonly what: string
  /** The entries that it held: sequence numbers, first and last; the last is before the first where nothing is lost. */
  readonly lost: readonly [number, number]
}

export interface Found {
  /** Oldest first. */
  readonly segments: Segment[]
  /** The highest number that a file has. */
  readonly lastNumber: number
  readonly problems: Problem[]
  readonly gaps: Gap[]
  /** Files without one good frame. */
  readonly unreadable: readonly Unreadable[]
}

/** Where segments are missing. */
interface Gap {
  /** Their numbers lie between these. */
  readonly after: number
  readonly before: number
  /** One of the problems. */
  readonly problem: Problem
}

interface Unreadable {
  readonly path: string
  readonly named: number
  /** There is more in it than zeros. */
  readonly isWritten: boolean
}

export interface FindOptions {
  disk: Disk
  folder: string
  name: string
  /** Wall-clock ms. */
  now: number
}

/** A file that is a segment. */
interface File {
  readonly named: number
  readonly segment: Segment
}

/** Of a head, so much is read at first. */
const HEAD_BYTES = 4096

/** @throws SluiceError `SLUICE_DATA_FORMAT`: another version's data, or another store's; nothing was changed. */
export async function findSegments(options: FindOptions): Promise<Found> {
  const { disk, folder, name } = options
  const files: File[] = []
  const unreadable: Unreadable[] = []
  let lastNumber = 0
  for (const file of await disk.list(folder)) {
    const named = numberOf(file)
    if (named === undefined) continue
    lastNumber = Math.max(lastNumber, named)
    const found = await lookInto(disk, `${folder}/${file}`, named, name)
    if ('segment' in found) files.push(found)
    else unreadable.push(found)
  }
  const problems: Problem[] = []
  const segments = await inOrder(options, files, problems)
  const gaps: Gap[] = []
  for (const [i, segment] of segments.entries()) {
    const before = segments[i - 1]
    if (before === undefined || before.number + 1 === segment.number) continue
    const missing = await missingBetween(disk, before, segment)
    if (missing === undefined) continue
    problems.push(missing)
    gaps.push({ after: before.number, before: segment.number, problem: missing })
  }
  return { segments, lastNumber, problems, gaps, unreadable }
}

async function lookInto(disk: Disk, path: string, named: number, store: string): Promise<File | Unreadable> {
  const file = await disk.open(path, 'read')
  try {
    const size = await file.size()
    const segment = await readFirst(file, path, size, store)
    if (segment !== undefined) return { named, segment }
    // Its head is broken: where good entries follow, they count.
    const { seq: first, salt, written } = await lookThrough(file)
    if (first === 0) return { path, named, isWritten: written > 0 }
    return { named, segment: { number: named, path, first, created: 0, salt, bytes: size, size } }
  } finally {
    await file.close()
  }
}

/** The segment that a file is, by its head; `undefined` where that is broken. */
async function readFirst(file: DiskFile, path: string, size: number, store: string): Promise<Segment | undefined> {
  const bytes = Buffer.alloc(Math.min(HEAD_BYTES, size))
  const read = await file.read(bytes, 0)
  const frame = newFrame()
  if (!readFrame(bytes.subarray(0, read), 0, frame) || frame.kind !== KIND_HEAD) return undefined
  const { segment, created } = readHead(bytes.subarray(FRAME_HEAD, FRAME_HEAD + frame.length), store, path)
  return { number: segment, path, first: frame.seq, created, salt: frame.salt, bytes: size, size }
}

/** By their own numbers: a file that was swapped with another is told by its head. What counts no more is removed. */
async function inOrder(options: FindOptions, files: readonly File[], problems: Problem[]): Promise<Segment[]> {
  const { disk, folder, now } = options
  const byNumber = new Map<number, File>()
  for (const file of files) {
    const { segment, named } = file
    const { path } = segment
    const other = byNumber.get(segment.number)
    const isAstray = segment.number !== named
    if (isAstray)
      problems.push({ path, what: `it is segment ${segment.number}, and read as that`, lost: nothingFrom(segment) })
    if (other === undefined) byNumber.set(segment.number, file)
    else {
      // A copy; the one that has its own name counts.
      if (!isAstray) byNumber.set(segment.number, file)
      const copy = isAstray ? path : other.segment.path
      const kept = await quarantine(disk, folder, copy, now)
      problems.push({
        path: copy,
        what: `a copy of segment ${segment.number}, now ${kept}`,
        lost: nothingFrom(segment),
      })
    }
  }
  const found = [...byNumber.values()].map(({ segment }) => segment).toSorted((one, other) => one.number - other.number)
  const segments: Segment[] = []
  // A segment that begins no earlier than a later one was given up before anything in it was told to be stored.
  let before = Infinity
  for (const segment of found.toReversed()) {
    if (segment.first >= before) await disk.remove(segment.path)
    else segments.unshift(segment)
    before = Math.min(before, segment.first)
  }
  return segments.map((segment, i) =>
    segment.created > 0 ? segment : { ...segment, created: createdBefore(segments, i) },
  )
}

/** For a segment whose head is broken, the nearest time that is known. */
function createdBefore(segments: readonly Segment[], at: number): number {
  return (
    segments.slice(0, at).findLast(({ created }) => created > 0)?.created ??
    segments.slice(at).find(({ created }) => created > 0)?.created ??
    0
  )
}

async function missingBetween(disk: Disk, before: Segment, after: Segment): Promise<Problem | undefined> {
  const file = await disk.open(before.path, 'read')
  try {
    const { damages } = await scan(file, { first: before.first, salt: before.salt, before: after.first })
    const last = damages.at(-1)
    if (last === undefined || last.lost[1] !== after.first - 1) return undefined // its number was left out
    const path = before.path.replace(/[^/]+$/, fileName(before.number + 1))
    return { path, what: 'missing', lost: last.lost }
  } finally {
    await file.close()
  }
}

/** The last segment counts for nothing: nor does anything miss before it. */
export function dropLast({ segments, gaps, problems }: Found): void {
  const { number } = segments.pop()!
  const gap = gaps.at(-1)
  if (gap?.before !== number) return
  gaps.pop()
  problems.splice(problems.indexOf(gap.problem), 1)
}

/**
 * Clears away the files that can't be read: kept where they held what is missing, removed where nothing of them ever
 * became durable.
 *
 * @param isEndMissing entries are missing after the last segment's
 */
export async function clearUnreadable(
  { disk, folder, now }: FindOptions,
  { unreadable, segments, problems, gaps }: Found,
  isEndMissing: boolean,
): Promise<void> {
  // Where the first entry of all is there, what comes before it was given up.
  const firstNumber = segments[0] === undefined || segments[0].first === 1 ? 0 : segments[0].number
  const lastNumber = segments.at(-1)?.number ?? 0
  for (const { path, named, isWritten } of unreadable) {
    const gap = gaps.find(({ after, before }) => named > after && named < before)
    const isDamaged = gap !== undefined || named < firstNumber || (named > lastNumber && isEndMissing)
    if (!isDamaged || !isWritten) {
      await disk.remove(path)
      continue
    }
    const what = `nothing in it can be read; it is now ${await quarantine(disk, folder, path, now)}`
    if (gap !== undefined) problems[problems.indexOf(gap.problem)] = { path, what, lost: gap.problem.lost }
    else problems.push({ path, what, lost: [1, 0] })
  }
}

function nothingFrom({ first }: Segment): readonly [number, number] {
  return [first, first - 1]
}
