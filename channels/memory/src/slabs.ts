// Waiting events as bytes in large buffers: 100,000 of them cost little more than their own bytes, and the
// garbage collector sees a few hundred objects instead of millions (G8). Hot path under a backlog
// (bench: channels/memory/bench/memory.ts).

import { decodeRecord, recordBytes, writeRecord, type Event } from '@sluice/event'

/** Where an event's bytes lie. A record carries these fields itself, so that placing it allocates nothing. */
export interface Placed {
  slab: Slab | undefined
  offset: number
  length: number
}

export interface Slab {
  readonly buffer: Buffer
  readonly records: Placed[]
  used: number
  live: number
}

/** Size of one slab. */
export const SLAB_BYTES: number = 1024 * 1024
/** A larger event gets a slab of its own, which it fills, and is read without being copied. */
export const SHARED_BYTES_MAX: number = SLAB_BYTES / 4

/**
 * An append-only heap of encoded events. When less than half of a full slab is alive the rest of it is moved on: the
 * heap takes at most twice its live bytes and one slab more. A slab's memory is never written twice, so an event
 * that was read keeps its bytes.
 */
export class Slabs {
  #current: Slab | undefined
  /** Bytes of events that are placed and not freed. */
  liveBytes = 0
  /** Bytes of all slabs, dead space included. */
  heldBytes = 0

  place(record: Placed, event: Event): void {
    const slab = this.#room(recordBytes(event))
    const end = writeRecord(event, slab.buffer, slab.used)
    this.#put(record, slab, end - slab.used)
  }

  /**
   * The event, with bytes of its own unless it fills its slab: else a small event that is out for long would keep a
   * whole slab alive that was moved on long ago.
   */
  read(record: Placed): Event {
    const { offset, length } = record
    const bytes = (record.slab as Slab).buffer.subarray(offset, offset + length)
    return decodeRecord(length > SHARED_BYTES_MAX ? bytes : Buffer.from(bytes))
  }

  free(record: Placed): void {
    const slab = record.slab as Slab
    record.slab = undefined
    slab.live -= record.length
    this.liveBytes -= record.length
    if (slab !== this.#current) this.#tidy(slab)
  }

  /** A slab with room for `length` bytes more. */
  #room(length: number): Slab {
    if (length > SHARED_BYTES_MAX) return this.#newSlab(length)
    const full = this.#current
    if (full !== undefined && full.buffer.length - full.used >= length) return full
    this.#current = this.#newSlab(SLAB_BYTES)
    // What is moved on from a slab that is less than half alive leaves room in the new one.
    if (full !== undefined) this.#tidy(full)
    return this.#current
  }

  #newSlab(size: number): Slab {
    this.heldBytes += size
    return { buffer: Buffer.allocUnsafeSlow(size), records: [], used: 0, live: 0 }
  }

  #put(record: Placed, slab: Slab, length: number): void {
    record.slab = slab
    record.offset = slab.used
    record.length = length
    slab.records.push(record)
    slab.used += length
    slab.live += length
    this.liveBytes += length
  }

  /** Of a full slab that is less than half alive, copies what is alive to the current slab and lets it go. */
  #tidy(slab: Slab): void {
    if (slab.live >= slab.buffer.length / 2) return
    this.heldBytes -= slab.buffer.length
    for (const record of slab.records) {
      if (record.slab !== slab) continue
      const { offset, length } = record
      const target = this.#room(length)
      slab.buffer.copy(target.buffer, target.used, offset, offset + length)
      this.liveBytes -= length
      this.#put(record, target, length)
    }
  }
}
