// What one subscription has settled of one partition. Settled events form a set, and not only a mark: the set goes with the
// mark into the commit's metadata, so that a restart hands little out again. Hot path of whoever reads. No I/O.

import { deflateRawSync, inflateRawSync } from 'node:zlib'

/** The longest text that a commit's metadata has; the server allows 4096 bytes by default. */
export const METADATA_MAX = 4000
/** Offsets behind the mark that the metadata tells of, at most. */
const SPAN_MAX = 65_536
const HEAD = 'sluice1'

/** `T`: an event on its way. */
export class Progress<T> {
  /** The offset that is taken next. */
  next = 0
  /** Taken and not settled, in the order of offsets. */
  readonly #taken = new Map<number, T>()
  /** Taken before it went back, at `next` or behind it, and still on its way. */
  readonly #ahead = new Map<number, T>()
  /** Settled, at `next` or behind it. */
  #settled = new Set<number>()

  /** The first offset that is not settled. */
  get mark(): number {
    for (const offset of this.#taken.keys()) return offset
    return this.next
  }

  /** Events on their way, of those before `next`. */
  get taken(): number {
    return this.#taken.size
  }

  /** The oldest of those. */
  get oldest(): T | undefined {
    for (const item of this.#taken.values()) return item
    return undefined
  }

  /** Everything on its way. */
  *items(): Generator<T> {
    yield* this.#taken.values()
    yield* this.#ahead.values()
  }

  /** The record at `offset` was read; whether it is new. Then {@link add} follows. */
  receive(offset: number): boolean {
    if (offset < this.next) return false
    if (this.#settled.size > 0) for (let passed = this.next; passed < offset; passed++) this.#settled.delete(passed)
    this.next = offset + 1
    const isSettled = this.#settled.delete(offset)
    const known = this.#ahead.get(offset)
    if (known === undefined) return !isSettled
    this.#ahead.delete(offset)
    if (!isSettled) this.#taken.set(offset, known)
    return false
  }

  add(offset: number, item: T): void {
    this.#taken.set(offset, item)
  }

  settle(offset: number): void {
    if (!this.#taken.delete(offset) && this.#ahead.delete(offset)) this.#settled.add(offset)
  }

  /** It is no longer on its way, and not settled. */
  drop(offset: number): void {
    if (!this.#taken.delete(offset)) this.#ahead.delete(offset)
  }

  /** How many offsets of `next` to `end` are not settled: of what is not there any more. */
  missing(end: number): number {
    let count = Math.max(0, end - this.next)
    for (const offset of this.#settled) if (offset < end) count--
    return count
  }

  /** The server has nothing before `low` any more: that is not waited for. */
  pass(low: number): void {
    for (const offset of this.#ahead.keys()) if (offset < low) this.#ahead.delete(offset)
    for (const offset of this.#settled) if (offset < low) this.#settled.delete(offset)
    this.next = Math.max(this.next, low)
  }

  /** Goes on from `next`, with these settled behind it. What is on its way stays so, and is not new where it is read again. */
  goTo(next: number, settled: Iterable<number> = []): void {
    for (const [offset, item] of this.#taken) this.#ahead.set(offset, item)
    this.#taken.clear()
    for (const offset of this.#ahead.keys()) if (offset < next) this.#ahead.delete(offset)
    this.next = next
    this.#settled = new Set(settled)
  }

  /** Of a commit at {@link mark}: whose it is, and what is settled behind the mark. At most `lengthMax` characters. */
  metadata(id: string, lengthMax: number = METADATA_MAX): string {
    const { mark } = this
    let end = this.next
    for (const offset of this.#settled) end = Math.max(end, offset + 1)
    const head = `${HEAD} ${encodeURIComponent(id)}`
    for (let span = Math.min(end - mark, SPAN_MAX); span > 0; span = Math.floor(span / 2)) {
      const text = `${head} ${deflateRawSync(this.#bits(mark, span), { level: 1 }).toString('base64')}`
      if (text.length <= lengthMax) return text
    }
    return head
  }

  /** A bit for each offset from `mark` on: 1 = settled. */
  #bits(mark: number, span: number): Buffer {
    const bits = Buffer.alloc(Math.ceil(span / 8))
    const passed = Math.min(this.next - mark, span)
    bits.fill(0xff, 0, passed >> 3)
    if ((passed & 7) > 0) bits[passed >> 3] = (1 << (passed & 7)) - 1
    for (const offset of this.#taken.keys()) {
      const at = offset - mark
      if (at >= span) break
      bits[at >> 3]! &= ~(1 << (at & 7))
    }
    for (const offset of this.#settled) {
      const at = offset - mark
      if (at < span) bits[at >> 3]! |= 1 << (at & 7)
    }
    return bits
  }
}

/** What {@link Progress.metadata} has written behind `mark`; `undefined`: it is somebody else's. */
export function readMetadata(text: string, mark: number): { id: string; settled: number[] } | undefined {
  const [head, id, bits] = text.split(' ')
  if (head !== HEAD || id === undefined) return undefined
  try {
    return { id: decodeURIComponent(id), settled: bits === undefined ? [] : settledOf(bits, mark) }
  } catch {
    return undefined
  }
}

function settledOf(text: string, mark: number): number[] {
  const bits = inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: SPAN_MAX / 8 })
  const settled: number[] = []
  for (let at = 0; at < bits.length * 8; at++) if ((bits[at >> 3]! & (1 << (at & 7))) !== 0) settled.push(mark + at)
  return settled
}
