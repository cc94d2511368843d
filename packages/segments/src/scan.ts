// Reads a segment from its start to its end, checks every frame, and tells damage from an end.
//
// A batch is written by one write and one sync, and the next one only after that. So a frame that is broken while
// frames of LATER batches follow was durable once: it is damage. Where nothing good follows, or only the rest of the
// same batch, the power went before its sync: nobody was told that it is stored, and it is cut off. And whatever is
// missing up to a number that is known to have been durable is damage too: so it is in every segment but the last.

import type { DiskFile } from './disk.ts'
import {
  announcedLength,
  FRAME_HEAD,
  KIND_ENTRY,
  KIND_HEAD,
  frameBytes,
  newFrame,
  readFrame,
  type Frame,
} from './frame.ts'

/** A stretch of a segment that can't be read. */
export interface Damage {
  /** Offsets in the file, the end not included. Equal where the file just ends, or goes on too late. */
  readonly from: number
  readonly to: number
  /** The entries that it held: sequence numbers, first and last. Where only the head is broken, the last is before the first. */
  readonly lost: readonly [number, number]
}

export interface ScanResult {
  /** Offset after the last good frame; 0: not even the head is. */
  readonly end: number
  /** Its sequence number; one less than the first one's where there is none. */
  readonly last: number
  /** Bytes after `end` that are not zero. Where nothing of them is damage: what was written and never became durable. */
  readonly torn: number
  readonly damages: readonly Damage[]
}

export interface ScanOptions {
  /** The sequence number that the segment begins with. */
  readonly first: number
  /** Of its frames; without it, that of the first good one. */
  readonly salt?: number
  /** Frames with this number or a higher one don't count: the next segment has them. Default: all count. */
  readonly before?: number
  /** Entries up to this number were durable once. Default: all before `before`. */
  readonly durable?: number
  /** Called for every good entry, in order; `buffer` is only valid until it returns. */
  readonly visit?: (frame: Frame, buffer: Buffer, offset: number) => void
}

/** Bytes read at once. */
const CHUNK_BYTES = 1024 * 1024
const ZEROS = Buffer.alloc(4096)

/** Scans the whole of `file`. Rejects only where the disk does. */
export async function scan(file: DiskFile, options: ScanOptions): Promise<ScanResult> {
  const { first, salt, before = Infinity, visit } = options
  const durable = options.durable ?? (before < Infinity ? before - 1 : 0)
  const window = new Window(file, await file.size(), salt)
  const frame = newFrame()
  const damages: Damage[] = []
  let at = (await window.frameAt(0, frame)) && frame.kind === KIND_HEAD ? window.offsetOf(frame.end) : 0
  let last = first - 1
  while (last + 1 < before) {
    // Nearly every frame lies in memory, and an await for each of them would cost more than reading it.
    const isRead = at > 0 && (window.frameHere(at, frame) || (await window.frameAt(at, frame)))
    if (isRead && frame.kind === KIND_ENTRY && frame.seq === last + 1) {
      visit?.(frame, window.buffer, at)
      last = frame.seq
      at = window.offsetOf(frame.end)
      continue
    }
    const found = await nextEntry(window, at, last, frame)
    if (found === undefined || frame.seq >= before) break
    if (last >= durable && !(await laterBatchFollows(window, found, last))) break
    await window.frameAt(found, frame)
    damages.push({ from: at, to: found, lost: [last + 1, frame.seq - 1] })
    last = frame.seq - 1
    at = found
  }
  const torn = await window.written(at)
  if (last < durable) damages.push({ from: at, to: at + torn, lost: [last + 1, durable] })
  return { end: at, last, torn, damages }
}

/** What is in a file whose head is broken: its first good entry, if there is one, and how many bytes were ever written. */
export async function lookThrough(file: DiskFile): Promise<{ seq: number; salt: number; written: number }> {
  const window = new Window(file, await file.size())
  const frame = newFrame()
  const written = await window.written(0)
  await nextEntry(window, 0, 0, frame)
  return { seq: frame.seq, salt: frame.salt, written }
}

/** The next offset from `at` on where a good entry with a higher number than `last` stands. */
async function nextEntry(window: Window, at: number, last: number, frame: Frame): Promise<number | undefined> {
  for (let offset = at; offset + FRAME_HEAD < window.size; offset += 8) {
    offset = await window.skipZeros(offset)
    if (offset + FRAME_HEAD >= window.size) return undefined
    if (!(await window.mayBeFrame(offset))) continue
    if ((await window.frameAt(offset, frame)) && frame.kind === KIND_ENTRY && frame.seq > last) return offset
  }
  return undefined
}

/** Whether from `at` on a good entry follows of a batch that began after the entry `last + 1`. */
async function laterBatchFollows(window: Window, at: number, last: number): Promise<boolean> {
  const frame = newFrame()
  let next = await nextEntry(window, at, last, frame)
  while (next !== undefined) {
    if (frame.seq - frame.place > last + 1) return true
    next = await nextEntry(window, window.offsetOf(frame.end), last, frame)
  }
  return false
}

/** A part of the file in memory, which moves on. */
class Window {
  readonly size: number
  buffer: Buffer = Buffer.alloc(0)
  readonly #file: DiskFile
  #salt: number | undefined
  #start = 0
  /** What is read goes here again and again: hundreds of MiB in new buffers would wait for the garbage collector. */
  #chunk: Buffer = Buffer.alloc(0)

  constructor(file: DiskFile, size: number, salt?: number) {
    this.#file = file
    this.size = size
    this.#salt = salt
  }

  offsetOf(at: number): number {
    return this.#start + at
  }

  /** Whether a good frame is there, and in memory. */
  frameHere(offset: number, frame: Frame): boolean {
    return offset >= this.#start && readFrame(this.buffer, offset - this.#start, frame, this.#salt)
  }

  async frameAt(offset: number, frame: Frame): Promise<boolean> {
    if (offset + FRAME_HEAD > this.size) return false
    const length = await this.#lengthAt(offset)
    if (length === 0) return false
    const bytes = FRAME_HEAD + length
    if (offset + bytes > this.size) return false
    if (!this.#has(offset, bytes)) await this.#move(offset, Math.max(CHUNK_BYTES, frameBytes(length)))
    if (!this.#has(offset, bytes) || !readFrame(this.buffer, offset - this.#start, frame, this.#salt)) return false
    this.#salt ??= frame.salt
    return true
  }

  /** Without reading more than the head. */
  async mayBeFrame(offset: number): Promise<boolean> {
    return (await this.#lengthAt(offset)) > 0
  }

  async #lengthAt(offset: number): Promise<number> {
    if (!this.#has(offset, FRAME_HEAD)) await this.#move(offset, CHUNK_BYTES)
    return this.#has(offset, FRAME_HEAD) ? announcedLength(this.buffer, offset - this.#start, this.#salt) : 0
  }

  /** From an offset that is a multiple of 8: the next such one in whose neighbourhood something was written. */
  async skipZeros(offset: number): Promise<number> {
    let next = offset
    while (next < this.size) {
      if (!this.#has(next, Math.min(ZEROS.length, this.size - next))) await this.#move(next, CHUNK_BYTES)
      const part = this.buffer.subarray(next - this.#start, next - this.#start + ZEROS.length)
      if (part.length === 0) return this.size
      if (!part.equals(ZEROS.subarray(0, part.length))) return next
      next += part.length
    }
    return next
  }

  /** How many bytes from `offset` on up to the last one that is not zero. */
  async written(offset: number): Promise<number> {
    let end = offset
    for (let next = await this.skipZeros(offset); next < this.size; next = await this.skipZeros(next)) {
      const part = this.buffer.subarray(next - this.#start, next - this.#start + ZEROS.length)
      end = next + part.findLastIndex((byte) => byte !== 0) + 1
      next += part.length
    }
    return end - offset
  }

  #has(offset: number, bytes: number): boolean {
    return offset >= this.#start && offset + bytes <= this.#start + this.buffer.length
  }

  async #move(offset: number, bytes: number): Promise<void> {
    const length = Math.min(bytes, this.size - offset)
    if (this.#chunk.length < length) this.#chunk = Buffer.allocUnsafeSlow(length)
    this.buffer = this.buffer.subarray(0, 0) // nobody takes what is being read for what was there
    const read = await this.#file.read(this.#chunk.subarray(0, length), offset)
    this.buffer = this.#chunk.subarray(0, read)
    this.#start = offset
  }
}
