// Reads single entries of a store, by segment and offset: from what was written last, from what was read last, or from
// the disk. Hot path (bench/append.ts).

import type { Blocks } from './blocks.ts'
import type { Damages } from './damages.ts'
import { recordDamaged } from './explain.ts'
import { FRAME_HEAD, announcedLength, newFrame, readFrame } from './frame.ts'
import type { Recent } from './recent.ts'
import type { Segment } from './segment.ts'

export class Entries {
  readonly #recent: Recent
  readonly #blocks: Blocks
  readonly #damages: Damages
  readonly #frame = newFrame()

  constructor(recent: Recent, blocks: Blocks, damages: Damages) {
    this.#recent = recent
    this.#blocks = blocks
    this.#damages = damages
  }

  read(segment: Segment, at: number, seq?: number): Buffer | undefined {
    const slab = this.#recent.find(segment, at, at + FRAME_HEAD)
    if (slab !== undefined) return this.#payload(slab.buffer, at - slab.base, segment, at, seq)
    const head = this.#blocks.get(segment, at, at + FRAME_HEAD)
    if (head === undefined) return undefined
    const bytes = this.#blocks.get(segment, at, at + FRAME_HEAD + announcedLength(head, 0))
    return bytes && this.#payload(bytes, 0, segment, at, seq)
  }

  async load(segment: Segment, at: number, seq?: number): Promise<Buffer> {
    const known = this.read(segment, at, seq)
    if (known !== undefined) return known
    const head = await this.#blocks.load(segment, at, at + FRAME_HEAD)
    const length = head.length < FRAME_HEAD ? 0 : announcedLength(head, 0, segment.salt)
    if (length === 0) throw this.#lost(segment, at, seq)
    const end = at + FRAME_HEAD + length
    // A length beyond the end of the file is a broken one, and no reason to make room for so much.
    if (end > Math.max(segment.bytes, segment.size)) throw this.#lost(segment, at, seq)
    return this.#payload(await this.#blocks.load(segment, at, end), 0, segment, at, seq)
  }

  #payload(bytes: Buffer, at: number, segment: Segment, offset: number, seq: number | undefined): Buffer {
    const frame = this.#frame
    const isGood = readFrame(bytes, at, frame, segment.salt) && (seq === undefined || frame.seq === seq)
    if (!isGood) throw this.#lost(segment, offset, seq)
    return Buffer.from(bytes.subarray(frame.start, frame.start + frame.length))
  }

  #lost(segment: Segment, at: number, seq: number | undefined): Error {
    this.#damages.met(segment, at, seq)
    return recordDamaged(segment.path, at)
  }
}
