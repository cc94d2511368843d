// The dead-letter box on the local disk: what it took is there after any end of the process, what was removed is not.
//
//     append ── one write, one sync for all that came meanwhile ── its id      (@sluice/segments; ./box-entry.ts)
//
// In memory is where each entry lies (./box-index.ts); the entry itself is read when somebody asks. Space that removed
// entries took comes back in the background (./box-space.ts).

import type { BoxUsage, DeadLetter, DeadLetterBox, NewDeadLetter } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { SluiceError } from '@sluice/event'
import type { Committed, Problem, Segment, SegmentStore } from '@sluice/segments'
import { decodeEntry, encodeEntry, encodeRemoval, nameEntry, timeOf } from './box-entry.ts'
import { isSame, type BoxIndex, type Place } from './box-index.ts'
import { boxClosed, BoxReader } from './box-reader.ts'
import type { Shares } from './box-shares.ts'
import { BoxSpace, type Write } from './box-space.ts'

/** What an open has found. */
export interface DiskBoxParts {
  readonly clock: Clock
  readonly store: SegmentStore<Write>
  readonly index: BoxIndex
  readonly shares: Shares
  readonly bytesMax: number
  readonly deadBytesMax: number
  readonly problem: (problem: Problem) => void
  /** Lets another process have it. */
  readonly unlock: () => Promise<void>
}

const MIB = 1024 * 1024
/** Who appends while so many bytes are on their way to the disk waits before its event is copied. */
const PENDING_BYTES_MAX = 16 * MIB
/** A page of {@link DeadLetterBox.list} has no more than so many bytes, or one entry. */
const LIST_BYTES_MAX = 16 * MIB
/** Bytes that are written again at once. */
const MOVE_BYTES = MIB
/** Entries that one frame removes. */
const REMOVED_AT_ONCE = 10_000

export class DiskBox implements DeadLetterBox {
  readonly space: BoxSpace
  readonly #parts: DiskBoxParts
  readonly #store: SegmentStore<Write>
  readonly #index: BoxIndex
  readonly #reader: BoxReader
  readonly #shares: Shares
  /** Entries whose removal is on its way to the disk. */
  readonly #leaving = new Map<number, Promise<unknown>>()
  /** Entries whose replacement is, and how many. */
  readonly #replacing = new Map<number, number>()
  #closing: Promise<void> | undefined

  constructor(parts: DiskBoxParts) {
    const { store, index, shares, deadBytesMax, problem } = parts
    this.#parts = parts
    this.#store = store
    this.#index = index
    this.#reader = new BoxReader({ store, index, problem })
    this.#shares = shares
    this.space = new BoxSpace({ store, deadBytesMax, moveOut: (segment) => this.#moveOut(segment) })
  }

  // --- Entries come ---

  async append(entry: NewDeadLetter): Promise<{ stored: true; id: string } | { stored: false; reason: 'full' }> {
    while (this.#store.pendingBytes > PENDING_BYTES_MAX) await this.#store.flushed()
    if (this.#store.failure !== undefined) throw this.#store.failure
    const payload = encodeEntry(entry, this.#parts.clock.now(), 0)
    const { trigger } = entry
    if (!this.#hasRoom(trigger, payload.length)) return { stored: false, reason: 'full' }
    this.#shares.add(trigger, payload.length)
    const add = (seq: number, place: Place): number => {
      this.#index.add(seq, trigger, place)
      this.space.lives(place)
      return seq
    }
    try {
      return { stored: true, id: String(await this.#write(payload, add)) }
    } catch (error) {
      this.#shares.take(trigger, payload.length)
      throw error
    }
  }

  /** Where as much is dead as a box may hold, space comes back too slowly: it is full until some has. */
  #hasRoom(trigger: string, bytes: number): boolean {
    const { bytesMax, deadBytesMax } = this.#parts
    this.space.tidy()
    return this.space.dead <= bytesMax + deadBytesMax && this.#shares.hasRoom(trigger, bytes)
  }

  async replace(id: string, entry: NewDeadLetter): Promise<boolean> {
    const number = numberOf(id)
    const before = await this.#reader.load(number).catch(() => undefined)
    await this.#leaving.get(number)?.catch(() => {})
    if (this.#index.get(number) === undefined) return false
    const trigger = this.#index.triggerOf(number)
    const time = before === undefined ? this.#parts.clock.now() : timeOf(before)
    const payload = encodeEntry({ ...entry, trigger }, time, number)
    this.#replacing.set(number, (this.#replacing.get(number) ?? 0) + 1)
    try {
      await this.#write(payload, (_, place) => {
        this.#shares.take(trigger, this.#index.get(number)!.bytes)
        this.#shares.add(trigger, place.bytes)
        this.#move(number, place)
      })
    } finally {
      const others = this.#replacing.get(number)! - 1
      if (others > 0) this.#replacing.set(number, others)
      else this.#replacing.delete(number)
    }
    return true
  }

  /** Resolves with what `stored` returns, which is called once the frame is durable. */
  #write<T>(payload: Buffer, stored: (seq: number, place: Place) => T): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(boxClosed())
    return new Promise((resolve, failed) => {
      const { length: bytes } = payload
      this.#store.append(payload, { bytes, stored: (seq, place) => resolve(stored(seq, place)), failed })
    })
  }

  /** From the store: these frames are durable. */
  committed({ segment, entries, offsets, first }: Committed<Write>): void {
    for (let i = 0; i < entries.length; i++) {
      const { bytes, stored } = entries[i]!
      this.space.wrote(segment.number, bytes)
      stored(first + i, { segment: segment.number, offset: offsets[i]!, bytes })
    }
    this.space.tidy()
  }

  /** From the store: these could not be stored. */
  failed(writes: readonly Write[], error: SluiceError): void {
    for (const { failed } of writes) failed(error)
  }

  // --- Entries are looked at ---

  async list({ trigger, after, limit = 100 }: Parameters<DeadLetterBox['list']>[0] = {}): Promise<DeadLetter[]> {
    const found: DeadLetter[] = []
    let bytes = 0
    let id = after === undefined ? 0 : numberOf(after)
    while (found.length < limit && bytes < LIST_BYTES_MAX) {
      const next = this.#index.next(id, trigger)
      if (next === undefined) break
      id = next
      const entry = await this.#reader.loadIfGood(id)
      if (entry === undefined) continue
      found.push(decodeEntry(entry, id))
      bytes += entry.length
    }
    return found
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    const number = numberOf(id)
    const entry = await this.#reader.load(number)
    return entry && decodeEntry(entry, number)
  }

  usage(trigger?: string): BoxUsage {
    return this.#shares.usage(trigger)
  }

  // --- Entries go ---

  async remove(id: string): Promise<boolean> {
    const number = numberOf(id)
    const leaving = this.#leaving.get(number)
    if (leaving === undefined) return (await this.#remove([number])) === 1
    await leaving
    return false
  }

  async clear(trigger?: string): Promise<number> {
    const end = this.#store.next
    let removed = 0
    let id = 0
    for (;;) {
      const some: number[] = []
      while (some.length < REMOVED_AT_ONCE) {
        const next = this.#index.next(id, trigger)
        if (next === undefined || next >= end) break
        id = next
        some.push(id)
      }
      if (some.length === 0) return removed
      removed += await this.#remove(some)
    }
  }

  /** Resolves once it is durable, with how many of them were there. */
  #remove(ids: readonly number[]): Promise<number> {
    const there = ids.filter((id) => this.#index.get(id) !== undefined && !this.#leaving.has(id))
    if (there.length === 0) return Promise.resolve(0)
    const written = this.#write(encodeRemoval(there), () => {
      for (const id of there) this.#forget(id)
      return there.length
    })
    for (const id of there) this.#leaving.set(id, written)
    return written.finally(() => there.forEach((id) => this.#leaving.delete(id)))
  }

  #forget(id: number): void {
    const place = this.#index.get(id)!
    this.#shares.take(this.#index.triggerOf(id), place.bytes)
    this.space.dies(place)
    this.#index.remove(id)
  }

  // --- Entries move ---

  #move(id: number, place: Place): void {
    this.space.dies(this.#index.get(id)!)
    this.space.lives(place)
    this.#index.move(id, place)
  }

  /** Not those that are about to be removed or replaced: a frame of the old kind after that one would undo it. */
  async #moveOut(segment: Segment): Promise<boolean> {
    let hasMoved = false
    let writes: Promise<void>[] = []
    let bytes = 0
    for (const id of this.#index.inSegment(segment.number)) {
      const place = this.#index.get(id)
      if (place?.segment !== segment.number) continue
      const entry = await this.#reader.loadIfGood(id)
      if (this.#closing !== undefined) break
      if (!isSame(this.#index.get(id), place) || this.#leaving.has(id) || this.#replacing.has(id)) continue
      hasMoved = true
      if (entry === undefined) {
        this.#forget(id) // damaged: a restart would not find it either
        continue
      }
      nameEntry(entry, id)
      const write = this.#write(entry, (_, to) => this.#move(id, to))
      write.catch(() => {}) // told below; it may fail while the next entry is being read
      writes.push(write)
      bytes += entry.length
      if (bytes < MOVE_BYTES) continue
      await Promise.all(writes)
      writes = []
      bytes = 0
    }
    await Promise.all(writes)
    return hasMoved
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#reader.stop()
    await this.space.stop()
    await this.#store.close()
    await this.#parts.unlock()
  }
}

/** 0, which no entry has, for what is no id of this box. */
function numberOf(id: string): number {
  return /^\d{1,15}$/.test(id) ? Number(id) : 0
}
