// Hot path (packages/clock/bench/wheel.ts). Very many due times behind one timer of the Clock: parked events,
// attempt timeouts, leases. Whoever waits keeps its payload in arrays of its own, indexed by the handle.

import type { Clock, Timer } from './clock.ts'

/** What a {@link TimerWheel} is made of. */
export interface TimerWheelOptions {
  /** Tells the time, and wakes the wheel. */
  readonly clock: Clock
  /** How finely due times are told apart, in milliseconds: 1 or more. Default 5. */
  readonly tickMs?: number
  /**
   * Called once for each entry that is due; its handle is free again by then. It may add and cancel whatever it
   * likes. If it throws, the error reaches the clock's timer and the rest of the due entries follow at once after it.
   */
  readonly expire: (handle: number) => void
  /** How many entries may be pending at once; {@link TimerWheel.add} throws above it. Default 16,777,216 (256 MiB). */
  readonly maxEntries?: number
}

// A level has 64 slots. A slot of level 0 is one tick, a slot of level 1 is 64 ticks, and so on:
//
//   level 1   | 64..127 | 128..191 |  ...            (slots of 64 ticks)
//   level 0   | 0 | 1 | 2 | ... | 63 |               (slots of 1 tick: the block that `elapsed` is in)
//
// An entry goes to the lowest level on which its tick and `elapsed` are in the same block. Thus what is on a
// level is due before anything on the levels above, the first occupied slot is found by a bitmap, and a slot
// above level 0 is dealt out to the levels below ("cascades") when its block begins: an entry moves 6 times
// at most, and nothing wakes up for an empty slot. 42 bits of ticks are 139 years even where a tick is 1 ms.
const LEVELS = 7
const SLOTS_PER_LEVEL = 64
const SLOTS = LEVELS * SLOTS_PER_LEVEL
/** Ticks in a slot of each level, and the exact reciprocal; one more than there are levels, for blocks. */
const SLOT_TICKS = Float64Array.from({ length: LEVELS + 1 }, (_, level) => SLOTS_PER_LEVEL ** level)
const SLOT_TICKS_INVERSE = SLOT_TICKS.map((ticks) => 1 / ticks)

const DELAY_MS_MAX = 2 ** 40
const CAPACITY_MIN = 64
const FREE = -1

/**
 * A hashed hierarchical timing wheel. It sets one timer of its clock, for the first occupied slot, and none while
 * it is empty. An entry never expires before its due time, and expires within one tick after it, plus what the
 * clock's timer is late; after a pause of the process (fault 6) everything due expires in one go. Entries
 * expire in the order of their ticks, and within one tick in the order of adding.
 *
 * An entry costs 16 bytes, in typed arrays that double when they are full and never shrink; an empty wheel, 5 KiB.
 */
export class TimerWheel {
  readonly #clock: Clock
  readonly #tickMs: number
  readonly #expire: (handle: number) => void
  readonly #maxEntries: number

  // Every slot is a circular doubly linked list through its own node: nodes 0 to SLOTS - 1 are the slots, node
  // SLOTS + handle is an entry. So an entry is unlinked without knowing its slot. Free nodes are chained by #next.
  #next: Int32Array = new Int32Array(SLOTS + CAPACITY_MIN)
  #previous: Int32Array = new Int32Array(SLOTS + CAPACITY_MIN)
  #due: Float64Array = new Float64Array(CAPACITY_MIN)
  /** Two words a level: which of its slots hold anything. */
  readonly #occupied = new Int32Array(LEVELS * 2)

  #size = 0
  /** Handles below this have been given out before. */
  #used = 0
  #free = FREE
  /** The tick up to which everything has been expired. It lags behind the clock while nothing is due. */
  #elapsed = 0

  #timer: Timer | undefined = undefined
  #wakeTick = Infinity
  #running = false
  #closed = false
  readonly #wake = (): void => this.#run()

  /** Throws a RangeError where a setting is outside its bounds. */
  constructor({ clock, tickMs = 5, expire, maxEntries = 2 ** 24 }: TimerWheelOptions) {
    if (!(tickMs >= 1 && tickMs < Infinity)) throw new RangeError(`tickMs is ${tickMs}; it has to be 1 or more`)
    if (!(maxEntries >= 1 && maxEntries <= 2 ** 30)) {
      throw new RangeError(`maxEntries is ${maxEntries}; it has to be from 1 to 2^30`)
    }
    this.#clock = clock
    this.#tickMs = tickMs
    this.#expire = expire
    this.#maxEntries = maxEntries
    this.#linkSlotsToThemselves()
  }

  /** How many entries are pending. */
  get size(): number {
    return this.#size
  }

  /**
   * How many entries the arrays hold: every handle is below it. It starts at 64 and doubles inside {@link add};
   * whoever keeps arrays indexed by handle lets them grow with it.
   */
  get capacity(): number {
    return this.#due.length
  }

  /**
   * Adds an entry due `delayMs` milliseconds from now (a negative delay is 0) and returns its handle: the last one
   * freed, or else the smallest never used. Handles are reused once their entry has expired or been cancelled.
   *
   * Throws a RangeError for a delay that is no number or above 2^40 ms (34 years), or when the wheel already
   * holds `maxEntries`; an Error once it is closed.
   */
  add(delayMs: number): number {
    if (!(delayMs <= DELAY_MS_MAX)) throw new RangeError(`the delay is ${delayMs}; it has to be 2^40 ms at most`)
    if (this.#closed) throw new Error('the timer wheel is closed')
    const handle = this.#takeHandle()
    const now = this.#clock.monotonic()
    const due = delayMs > 0 ? now + delayMs : now
    this.#due[handle] = due
    if (this.#size++ === 0 && !this.#running) this.#elapsed = this.#lastTick(now)
    // While expiring, the tick that is being expired is over for newcomers: else one that is
    // added again and again without a delay would keep the wheel from ever returning.
    const startTick = this.#place(handle + SLOTS, Math.max(this.#tickOf(due), this.#elapsed + (this.#running ? 1 : 0)))
    if (startTick < this.#wakeTick && !this.#running) this.#setTimer(startTick, now)
    return handle
  }

  /** Takes a pending entry back and frees its handle; false when that handle has no pending entry. */
  cancel(handle: number): boolean {
    if (!this.#isPending(handle)) return false
    this.#unlink(handle + SLOTS)
    this.#freeHandle(handle)
    // A timer set for an entry that is gone wakes the wheel once for nothing; setting another one now costs more.
    if (this.#size === 0) this.#clearTimer()
    return true
  }

  /** When the entry is due, in milliseconds of the clock's monotonic time; NaN when the handle has no pending entry. */
  dueAt(handle: number): number {
    return this.#isPending(handle) ? this.#due[handle]! : Number.NaN
  }

  /** Forgets every entry, without expiring any, and the timer. Nothing can be added afterwards. */
  close(): void {
    this.#closed = true
    this.#clearTimer()
    this.#size = 0
    this.#used = 0
    this.#next = new Int32Array(SLOTS)
    this.#previous = new Int32Array(SLOTS)
    this.#due = new Float64Array(0)
    this.#occupied.fill(0)
    this.#linkSlotsToThemselves()
  }

  /** Expires whatever is due by now, slot by slot, and sets the timer for what comes next. */
  #run(): void {
    this.#timer = undefined
    this.#wakeTick = Infinity
    this.#running = true
    try {
      const nowTick = this.#lastTick(this.#clock.monotonic())
      for (;;) {
        const slot = this.#firstOccupied()
        if (slot === SLOTS) break
        const startTick = this.#startOf(slot)
        if (startTick > nowTick) break
        this.#elapsed = startTick
        if (slot < SLOTS_PER_LEVEL) this.#expireSlot(slot)
        else this.#cascade(slot)
      }
      this.#elapsed = nowTick
    } finally {
      this.#running = false
      if (this.#size > 0) this.#setTimer(this.#startOf(this.#firstOccupied()), this.#clock.monotonic())
    }
  }

  /** One by one from the front, as `expire` may cancel the neighbours of the entry that it is called for. */
  #expireSlot(slot: number): void {
    for (let node = this.#next[slot]!; node !== slot; node = this.#next[slot]!) {
      this.#unlink(node)
      this.#freeHandle(node - SLOTS)
      this.#expire(node - SLOTS)
    }
  }

  /** Deals the entries of a slot that has begun out to the levels below. */
  #cascade(slot: number): void {
    let node = this.#next[slot]!
    this.#next[slot] = slot
    this.#previous[slot] = slot
    this.#occupied[slot >>> 5]! &= ~(1 << (slot & 31))
    while (node !== slot) {
      const following = this.#next[node]!
      this.#place(node, Math.max(this.#tickOf(this.#due[node - SLOTS]!), this.#elapsed))
      node = following
    }
  }

  /** Appends a node to the slot for `tick`, which is not before `elapsed`; returns the tick at which that slot begins. */
  #place(node: number, tick: number): number {
    let level = 0
    while (blockOf(tick, level) !== blockOf(this.#elapsed, level)) level++
    const position = Math.floor(tick * SLOT_TICKS_INVERSE[level]!)
    const slot = level * SLOTS_PER_LEVEL + (position & (SLOTS_PER_LEVEL - 1))
    const last = this.#previous[slot]!
    this.#next[last] = node
    this.#previous[node] = last
    this.#next[node] = slot
    this.#previous[slot] = node
    this.#occupied[slot >>> 5]! |= 1 << (slot & 31)
    return position * SLOT_TICKS[level]!
  }

  #unlink(node: number): void {
    const next = this.#next[node]!
    const previous = this.#previous[node]!
    this.#next[previous] = next
    this.#previous[next] = previous
    // Both neighbours are the same only where the slot alone is left.
    if (next === previous) this.#occupied[next >>> 5]! &= ~(1 << (next & 31))
  }

  /** The occupied slot that begins first, or `SLOTS`: see the drawing above for why it is the lowest one. */
  #firstOccupied(): number {
    for (let word = 0; word < LEVELS * 2; word++) {
      const bits = this.#occupied[word]!
      if (bits !== 0) return word * 32 + (31 - Math.clz32(bits & -bits))
    }
    return SLOTS
  }

  /** The tick at which an occupied slot begins. */
  #startOf(slot: number): number {
    const level = Math.floor(slot / SLOTS_PER_LEVEL)
    const position = blockOf(this.#elapsed, level) * SLOTS_PER_LEVEL + (slot & (SLOTS_PER_LEVEL - 1))
    return position * SLOT_TICKS[level]!
  }

  /** The first tick that is not before `due`. A quotient rounded down must never make it early. */
  #tickOf(due: number): number {
    const tick = Math.ceil(due / this.#tickMs)
    return tick * this.#tickMs < due ? tick + 1 : tick
  }

  /** The last tick that is not after `now`: exactly, for the wheel wakes at `tick * tickMs` and must find it passed. */
  #lastTick(now: number): number {
    const tick = Math.floor(now / this.#tickMs)
    if (tick * this.#tickMs > now) return tick - 1
    return (tick + 1) * this.#tickMs <= now ? tick + 1 : tick
  }

  #setTimer(tick: number, now: number): void {
    this.#timer?.cancel()
    this.#wakeTick = tick
    this.#timer = this.#clock.setTimer(Math.max(tick * this.#tickMs - now, 0), this.#wake)
  }

  #clearTimer(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#wakeTick = Infinity
  }

  #isPending(handle: number): boolean {
    return handle >= 0 && handle < this.#used && this.#previous[handle + SLOTS]! >= 0
  }

  #takeHandle(): number {
    if (this.#size >= this.#maxEntries) {
      throw new RangeError(`the timer wheel is full: it holds maxEntries (${this.#maxEntries}) entries`)
    }
    const handle = this.#free
    if (handle !== FREE) {
      this.#free = this.#next[handle + SLOTS]!
      return handle
    }
    if (this.#used === this.#due.length) this.#grow()
    return this.#used++
  }

  #freeHandle(handle: number): void {
    this.#size--
    this.#previous[handle + SLOTS] = FREE
    this.#next[handle + SLOTS] = this.#free
    this.#free = handle
  }

  #grow(): void {
    const capacity = this.#due.length * 2
    const next = new Int32Array(SLOTS + capacity)
    const previous = new Int32Array(SLOTS + capacity)
    const due = new Float64Array(capacity)
    next.set(this.#next)
    previous.set(this.#previous)
    due.set(this.#due)
    this.#next = next
    this.#previous = previous
    this.#due = due
  }

  #linkSlotsToThemselves(): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      this.#next[slot] = slot
      this.#previous[slot] = slot
    }
  }
}

/** The number of the block of `level`, one slot of the level above, that a tick is in. */
function blockOf(tick: number, level: number): number {
  return Math.floor(tick * SLOT_TICKS_INVERSE[level + 1]!)
}
