// A file on a simulated disk: what a process reads in it, and what a power cut may leave of it.
//
// It is made of cells: its size, and sectors of 512 bytes. A cell has the value that is durable, and since then every
// value that it was given. A process sees the last one; a power cut leaves any one of them, in each cell for itself.

const SECTOR_BYTES = 512

/** A number from 0 up to, not including, 1. Where a power cut asks: near 0 the oldest survives, near 1 the newest. */
export type Choose = () => number

/** An index below `count`. */
export function chooseIndex(choose: Choose, count: number): number {
  return Math.min(Math.floor(choose() * count), count - 1)
}

interface Version<T> {
  readonly value: T
  /** The number of the change that made it. */
  readonly change: number
  /** A sync of it failed: no later one makes it durable (fault 11). */
  readonly isDoubtful: boolean
}

class Cell<T> {
  #durable: T
  #unsynced: readonly Version<T>[]

  constructor(durable: T, unsynced: readonly Version<T>[] = []) {
    this.#durable = durable
    this.#unsynced = unsynced
  }

  get now(): T {
    const last = this.#unsynced.at(-1)
    return last === undefined ? this.#durable : last.value
  }

  get isClean(): boolean {
    return this.#unsynced.length === 0
  }

  set(value: T, change: number): void {
    this.#unsynced = [...this.#unsynced, { value, change, isDoubtful: false }]
  }

  /** A doubtful version stays so, unless a later one of the same cell takes its place. */
  sync(upTo: number): void {
    const last = this.#unsynced.findLastIndex(({ change, isDoubtful }) => change <= upTo && !isDoubtful)
    if (last < 0) return
    this.#durable = this.#unsynced[last]!.value
    this.#unsynced = this.#unsynced.slice(last + 1)
  }

  doubt(): void {
    this.#unsynced = this.#unsynced.map((version) => ({ ...version, isDoubtful: true }))
  }

  cutPower(choose: Choose): void {
    const survivor = chooseIndex(choose, this.#unsynced.length + 1)
    if (survivor > 0) this.#durable = this.#unsynced[survivor - 1]!.value
    this.#unsynced = []
  }

  /** Changes every version alike. */
  rewrite(edit: (value: T) => T): void {
    this.#durable = edit(this.#durable)
    this.#unsynced = this.#unsynced.map((version) => ({ ...version, value: edit(version.value) }))
  }

  clone(): Cell<T> {
    return new Cell(this.#durable, this.#unsynced)
  }
}

/** 512 bytes that nobody changes; `undefined` is a hole, which reads as zeros and takes no space. */
type Sector = Buffer | undefined

/** The content of one file, under whatever names. */
export class SimulatedFile {
  #size = new Cell(0)
  #sectors = new Map<number, Cell<Sector>>()
  /** The sectors with versions that are not durable. */
  #unsynced = new Set<number>()
  #sectorsInUse = 0

  get size(): number {
    return this.#size.now
  }

  get bytesInUse(): number {
    return this.#sectorsInUse * SECTOR_BYTES
  }

  content(): Buffer {
    const content = Buffer.alloc(this.size)
    this.read(content, 0)
    return content
  }

  read(target: Buffer, at: number): number {
    const end = Math.min(at + target.length, this.size)
    if (end <= at) return 0
    target.fill(0, 0, end - at)
    for (const { index, from, to } of sectorsOf(at, end)) {
      this.#sectors.get(index)?.now?.copy(target, index * SECTOR_BYTES + from - at, from, to)
    }
    return end - at
  }

  write(bytes: Buffer, at: number, change: number): void {
    for (const { index, from, to } of sectorsOf(at, at + bytes.length)) {
      const start = index * SECTOR_BYTES + from - at
      this.#set(index, edited(this.#sectors.get(index)?.now, bytes.subarray(start, start + to - from), from), change)
    }
    if (bytes.length > 0 && at + bytes.length > this.size) this.#size.set(at + bytes.length, change)
  }

  /** How many of `length` bytes from `at` on can be written with `free` bytes of space. */
  fits(length: number, at: number, free: number): number {
    let left = free
    for (const { index, from } of sectorsOf(at, at + length)) {
      if (this.#sectors.get(index)?.now !== undefined) continue
      left -= SECTOR_BYTES
      if (left < 0) return index * SECTOR_BYTES + from - at
    }
    return length
  }

  truncate(size: number, change: number): void {
    if (size === this.size) return
    for (const [index, { now }] of this.#sectors) {
      const left = size - index * SECTOR_BYTES
      if (now !== undefined && left < SECTOR_BYTES) this.#set(index, cutOff(now, left), change)
    }
    this.#size.set(size, change)
  }

  /** Makes durable what was changed up to the change with this number. */
  sync(upTo: number): void {
    this.#size.sync(upTo)
    for (const index of this.#unsynced) {
      const cell = this.#sectors.get(index)!
      cell.sync(upTo)
      if (cell.isClean) this.#unsynced.delete(index)
    }
  }

  /** A sync failed: what is not durable may never be, although it can still be read. */
  doubt(): void {
    this.#size.doubt()
    for (const index of this.#unsynced) this.#sectors.get(index)!.doubt()
  }

  /** What is left is durable. Half of all files fare as one: all that was not synced is gone, or all of it is there. */
  cutPower(choose: Choose): void {
    const fate = choose()
    const each = fate < 0.25 ? () => 0 : fate >= 0.75 ? () => 1 : choose
    this.#size.cutPower(each)
    for (const index of this.#unsynced) this.#sectors.get(index)!.cutPower(each)
    this.#unsynced.clear()
    // A sector may have survived which a size that didn't would have covered.
    const { size } = this
    this.#sectorsInUse = 0
    for (const [index, cell] of this.#sectors) {
      const left = size - index * SECTOR_BYTES
      if (left < SECTOR_BYTES) cell.rewrite((sector) => sector && cutOff(sector, left))
      if (cell.now === undefined) this.#sectors.delete(index)
      else this.#sectorsInUse++
    }
  }

  /** Overwrites durably, with no trace of what was there. Only inside the file. */
  damage(bytes: Buffer, at: number): void {
    for (const { index, from, to } of sectorsOf(at, at + bytes.length)) {
      const start = index * SECTOR_BYTES + from - at
      const cell = this.#cell(index)
      if (cell.now === undefined) this.#sectorsInUse++
      cell.rewrite((sector) => edited(sector, bytes.subarray(start, start + to - from), from))
    }
  }

  clone(): SimulatedFile {
    const clone = new SimulatedFile()
    clone.#size = this.#size.clone()
    for (const [index, cell] of this.#sectors) clone.#sectors.set(index, cell.clone())
    clone.#unsynced = new Set(this.#unsynced)
    clone.#sectorsInUse = this.#sectorsInUse
    return clone
  }

  #set(index: number, sector: Sector, change: number): void {
    const cell = this.#cell(index)
    this.#sectorsInUse += Number(sector !== undefined) - Number(cell.now !== undefined)
    cell.set(sector, change)
    this.#unsynced.add(index)
  }

  #cell(index: number): Cell<Sector> {
    const known = this.#sectors.get(index)
    if (known !== undefined) return known
    const cell = new Cell<Sector>(undefined)
    this.#sectors.set(index, cell)
    return cell
  }
}

/** The sectors that the bytes from `start` to `end` touch, and the part of each, as offsets in it. */
function* sectorsOf(start: number, end: number): Iterable<{ index: number; from: number; to: number }> {
  for (let at = start; at < end;) {
    const index = Math.floor(at / SECTOR_BYTES)
    const next = Math.min(end, (index + 1) * SECTOR_BYTES)
    yield { index, from: at - index * SECTOR_BYTES, to: next - index * SECTOR_BYTES }
    at = next
  }
}

function edited(sector: Sector, bytes: Buffer, at: number): Buffer {
  if (bytes.length === SECTOR_BYTES) return Buffer.from(bytes)
  const copy = sector === undefined ? Buffer.alloc(SECTOR_BYTES) : Buffer.from(sector)
  bytes.copy(copy, at)
  return copy
}

/** With zeros after its first `length` bytes; a hole where that leaves none. */
function cutOff(sector: Buffer, length: number): Sector {
  return length <= 0 ? undefined : Buffer.from(sector).fill(0, length)
}
