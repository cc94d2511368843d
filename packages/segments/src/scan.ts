// Reads a segment from its start to its end, checks every frame, and tells damage from an end.
//
// A batch is written by one write and one sync, and the next one only after that. So a frame that is broken while
// frames of LATER batches follow was durable once: it is damage. Where nothing valid follows, or only the rest of the
// same batch, the power went before its sync: nobody was told that it is stored, and it is cut off.

import type { DiskFile } from './disk.ts'
import { announcedLength, FRAME_HEAD, KIND_ENTRY, frameBytes, newFrame, readFrame, type Frame } from './frame.ts'

/** A stretch of a segment that can't be read. */
export interface Damage {
  /** Offsets in the file, the end not included. */
  readonly from: number
  readonly to: number
  /** The entries that it held: sequence numbers, first and last. */
  readonly lost: readonly [number, number]
}

export interface ScanResult {
  /** Offset after the last good frame. */
  readonly end: number
  /** Its sequence number; one less than the first one's where there is none. */
  readonly last: number
  /** Bytes after `end` that are not zero: what was written and never became durable. */
  readonly torn: number
  readonly damages: readonly Damage[]
}

export interface ScanOptions {
  /** The sequence number that the segment begins with. */
  readonly first: number
  /** Frames with this number or a higher one don't count: the next segment has them. Default: all count. */
  readonly before?: number
  /** Called for every good entry, in order; `buffer` is only valid until it returns. */
  readonly visit?: (frame: Frame, buffer: Buffer, offset: number) => void
}

/** Bytes read at once. */
const CHUNK_BYTES = 1024 * 1024
const ZEROS = Buffer.alloc(4096)

/** Scans the whole of `file`. Rejects only where the disk does. */
export async function scan(file: DiskFile, { first, before = Infinity, visit }: ScanOptions): Promise<ScanResult> {
  const window = new Window(file, await file.size())
  const frame = newFrame()
  const damages: Damage[] = []
  let at = 0
  let last = first - 1
  for (;;) {
    if (await window.frameAt(at, frame)) {
      if (frame.seq >= before) break
      if (frame.kind === KIND_ENTRY) {
        visit?.(frame, window.buffer, window.offsetOf(frame.start - FRAME_HEAD))
        last = frame.seq
      }
      at = window.offsetOf(frame.end)
      continue
    }
    const found = await nextFrame(window, at, last, frame)
    if (found === undefined || frame.seq >= before) break
    // Whether it is of the batch that the broken one belongs to.
    if (frame.seq - frame.place <= last + 1) break
    damages.push({ from: at, to: found, lost: [last + 1, frame.seq - 1] })
    at = found
  }
  return { end: at, last, torn: await window.written(at), damages }
}

/** The next offset from `at` on where a good frame with a higher number than `last` stands. */
async function nextFrame(window: Window, at: number, last: number, frame: Frame): Promise<number | undefined> {
  for (let offset = at + 8; offset + FRAME_HEAD < window.size; offset += 8) {
    offset = await window.skipZeros(offset)
    if (offset + FRAME_HEAD >= window.size) return undefined
    if (!(await window.mayBeFrame(offset))) continue
    if ((await window.frameAt(offset, frame)) && frame.seq > last) return offset
  }
  return undefined
}

/** A part of the file in memory, which moves on. */
class Window {
  readonly size: number
  buffer: Buffer = Buffer.alloc(0)
  readonly #file: DiskFile
  #start = 0

  constructor(file: DiskFile, size: number) {
    this.#file = file
    this.size = size
  }

  offsetOf(at: number): number {
    return this.#start + at
  }

  async frameAt(offset: number, frame: Frame): Promise<boolean> {
    if (offset + FRAME_HEAD > this.size) return false
    if (!this.#has(offset, FRAME_HEAD)) await this.#move(offset, CHUNK_BYTES)
    const length = announcedLength(this.buffer, offset - this.#start)
    if (length === 0) return false
    const bytes = FRAME_HEAD + length
    if (offset + bytes > this.size) return false
    if (!this.#has(offset, bytes)) await this.#move(offset, Math.max(CHUNK_BYTES, frameBytes(length)))
    return this.#has(offset, bytes) && readFrame(this.buffer, offset - this.#start, frame)
  }

  /** Without reading more than the head. */
  async mayBeFrame(offset: number): Promise<boolean> {
    if (!this.#has(offset, FRAME_HEAD)) await this.#move(offset, CHUNK_BYTES)
    return announcedLength(this.buffer, offset - this.#start) > 0
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
    const target = Buffer.allocUnsafeSlow(Math.min(bytes, this.size - offset))
    const read = await this.#file.read(target, offset)
    this.buffer = target.subarray(0, read)
    this.#start = offset
  }
}
