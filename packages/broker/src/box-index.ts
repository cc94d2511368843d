// Where each entry of a box lies on the disk, in the order of arrival: 24 bytes an entry, however large it is there.

/** Where an entry lies. */
export interface Place {
  /** The segment's number. */
  readonly segment: number
  /** Of its frame in the segment. */
  readonly offset: number
  /** Of its payload: 1 or more. */
  readonly bytes: number
}

export function isSame(one: Place | undefined, other: Place): boolean {
  return one !== undefined && one.segment === other.segment && one.offset === other.offset
}

/** Removed entries keep their rows until half of them are. */
const SQUEEZE_FROM = 1024

export class BoxIndex {
  // A row is an index into all of these. Rows are sorted by id, so by arrival.
  #ids = new Float64Array(64)
  #segments = new Uint32Array(64)
  #offsets = new Uint32Array(64)
  /** 0: removed. */
  #bytes = new Uint32Array(64)
  #triggers = new Uint32Array(64)
  #rows = 0
  #removedRows = 0
  readonly #names = new Names()

  /** Adds an entry. Its id has to be higher than all others, unless {@link settle} follows. */
  add(id: number, trigger: string, place: Place): void {
    if (this.#rows === this.#ids.length) this.#grow()
    const row = this.#rows++
    this.#ids[row] = id
    this.#triggers[row] = this.#names.use(trigger)
    this.#put(row, place)
  }

  /** After {@link add} in any order: of several with one id the one added last counts, and those in `removed` don't. */
  settle(removed: ReadonlySet<number>): void {
    const ids = this.#ids
    const order = Uint32Array.from({ length: this.#rows }, (_, row) => row)
    order.sort((one, other) => ids[one]! - ids[other]! || one - other)
    for (let i = 0; i < order.length; i++) {
      const row = order[i]!
      const isLast = i + 1 === order.length || ids[order[i + 1]!] !== ids[row]
      if (!isLast || removed.has(ids[row]!)) this.#removeRow(row)
    }
    this.#keep(order)
  }

  get(id: number): Place | undefined {
    const row = this.#rowOf(id)
    return row === undefined ? undefined : this.#placeOf(row)
  }

  /** The entry lies elsewhere from now on, and may have another size. */
  move(id: number, place: Place): void {
    this.#put(this.#rowOf(id)!, place)
  }

  remove(id: number): void {
    this.#removeRow(this.#rowOf(id)!)
    if (this.#removedRows >= SQUEEZE_FROM && this.#removedRows * 2 >= this.#rows) {
      this.#keep(Uint32Array.from({ length: this.#rows }, (_, row) => row))
    }
  }

  triggerOf(id: number): string {
    return this.#names.of(this.#triggers[this.#rowOf(id)!]!)
  }

  /** The first id above `after`, of that trigger if one is named. */
  next(after: number, trigger?: string): number | undefined {
    const slot = trigger === undefined ? undefined : this.#names.slotOf(trigger)
    if (trigger !== undefined && slot === undefined) return undefined
    for (let row = this.#firstAbove(after); row < this.#rows; row++) {
      if (this.#bytes[row] !== 0 && (slot === undefined || this.#triggers[row] === slot)) return this.#ids[row]
    }
    return undefined
  }

  /** The ids of what lies in a segment, in order. */
  inSegment(segment: number): number[] {
    const found: number[] = []
    for (let row = 0; row < this.#rows; row++) {
      if (this.#segments[row] === segment && this.#bytes[row] !== 0) found.push(this.#ids[row]!)
    }
    return found
  }

  #rowOf(id: number): number | undefined {
    const row = this.#firstAbove(id) - 1
    return row >= 0 && this.#ids[row] === id && this.#bytes[row] !== 0 ? row : undefined
  }

  #firstAbove(id: number): number {
    let low = 0
    let high = this.#rows
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#ids[middle]! <= id) low = middle + 1
      else high = middle
    }
    return low
  }

  #placeOf(row: number): Place {
    return { segment: this.#segments[row]!, offset: this.#offsets[row]!, bytes: this.#bytes[row]! }
  }

  #put(row: number, { segment, offset, bytes }: Place): void {
    this.#segments[row] = segment
    this.#offsets[row] = offset
    this.#bytes[row] = bytes
  }

  #removeRow(row: number): void {
    this.#bytes[row] = 0
    this.#names.drop(this.#triggers[row]!)
    this.#removedRows++
  }

  /** Keeps the rows that are not removed, in that order. */
  #keep(order: Uint32Array): void {
    const rows = order.filter((row) => this.#bytes[row] !== 0)
    const room = Math.max(64, rows.length * 2)
    this.#ids = arranged(this.#ids, rows, new Float64Array(room))
    this.#segments = arranged(this.#segments, rows, new Uint32Array(room))
    this.#offsets = arranged(this.#offsets, rows, new Uint32Array(room))
    this.#triggers = arranged(this.#triggers, rows, new Uint32Array(room))
    this.#bytes = arranged(this.#bytes, rows, new Uint32Array(room))
    this.#rows = rows.length
    this.#removedRows = 0
  }

  #grow(): void {
    const room = this.#rows * 2
    this.#ids = grown(this.#ids, new Float64Array(room))
    this.#segments = grown(this.#segments, new Uint32Array(room))
    this.#offsets = grown(this.#offsets, new Uint32Array(room))
    this.#bytes = grown(this.#bytes, new Uint32Array(room))
    this.#triggers = grown(this.#triggers, new Uint32Array(room))
  }
}

function arranged<T extends Float64Array | Uint32Array>(from: T, rows: Uint32Array, to: T): T {
  for (let i = 0; i < rows.length; i++) to[i] = from[rows[i]!]!
  return to
}

function grown<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from)
  return to
}

/** Numbers for the triggers' names, for as long as they are in use. */
class Names {
  readonly #slots = new Map<string, number>()
  readonly #names: string[] = []
  readonly #uses: number[] = []
  readonly #free: number[] = []

  slotOf(name: string): number | undefined {
    return this.#slots.get(name)
  }

  of(slot: number): string {
    return this.#names[slot]!
  }

  use(name: string): number {
    const known = this.#slots.get(name)
    if (known !== undefined) {
      this.#uses[known]!++
      return known
    }
    const slot = this.#free.pop() ?? this.#names.length
    this.#slots.set(name, slot)
    this.#names[slot] = name
    this.#uses[slot] = 1
    return slot
  }

  drop(slot: number): void {
    if (--this.#uses[slot]! > 0) return
    this.#slots.delete(this.#names[slot]!)
    this.#free.push(slot)
  }
}
