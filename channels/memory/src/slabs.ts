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

interface Slab {
  readonly buffer: Buffer
  readonly records: Placed[]
  used: number
  live: number
}

/** Size of one slab; an event larger than it gets one of its own. */
export const SLAB_BYTES = 1024 * 1024

/**
 * An append-only heap of encoded events. A slab is never written twice, so bytes that were handed out stay as they
 * are. When less than half of a slab is alive the rest is moved on: the heap takes at most twice its live bytes.
 */
export class Slabs {
  #current: Slab | undefined
  /** Bytes of events that are placed and not freed. */
  liveBytes = 0
  /** Bytes of all slabs, dead space included. */
  heldBytes = 0

  place(record: Placed, event: Event): void {
    const length = recordBytes(event)
    const slab = this.#room(length)
    const end = writeRecord(event, slab.buffer, slab.used)
    this.#put(record, slab, end - slab.used)
  }

  /** The event, sharing the slab's bytes. */
  read(record: Placed): Event {
    const { buffer } = record.slab as Slab
    return decodeRecord(buffer.subarray(record.offset, record.offset + record.length))
  }

  free(record: Placed): void {
    const slab = record.slab as Slab
    record.slab = undefined
    slab.live -= record.length
    this.liveBytes -= record.length
    if (slab !== this.#current && slab.live < slab.buffer.length / 2) this.#moveOn(slab)
  }

  #room(length: number): Slab {
    const current = this.#current
    if (current !== undefined && current.buffer.length - current.used >= length) return current
    const size = Math.max(SLAB_BYTES, length)
    const slab: Slab = { buffer: Buffer.allocUnsafeSlow(size), records: [], used: 0, live: 0 }
    this.heldBytes += size
    this.#current = slab
    if (current !== undefined && current.live < current.buffer.length / 2) this.#moveOn(current)
    return slab
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

  /** Copies what is alive to the current slab and lets the old one go. */
  #moveOn(slab: Slab): void {
    this.heldBytes -= slab.buffer.length
    for (const record of slab.records) {
      if (record.slab !== slab) continue
      const { offset, length } = record
      const target = this.#room(length)
      slab.buffer.copy(target.buffer, target.used, offset, offset + length)
      this.liveBytes -= length
      this.#put(record, target, length)
    }
    slab.records.length = 0
    slab.live = slab.buffer.length // it is gone; what still points at it must not move it again
  }
}
