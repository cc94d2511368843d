// The dead-letter box in memory: for brokers whose channel is in memory too. Bounded; it refuses rather than drops.

import { recordBytes } from '@sluice/event'
import type { DeadLetter, DeadLetterBox, NewDeadLetter } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { Shares } from './box-shares.ts'

export interface MemoryBoxOptions {
  clock: Clock
  /** Most bytes of the whole box. Default 64 MiB: what is in memory competes with the channel. */
  bytesMax?: number
  /** Most bytes of one trigger's entries. Default a quarter of `bytesMax` (DESIGN: 256 MiB of 1 GiB). */
  triggerBytesMax?: number
}

const MIB = 1024 * 1024
const ENTRY_OVERHEAD = 512

/** A dead-letter box that ends with the process; a close does nothing. Ids are `1`, `2`, ... in the order of arrival. */
export function memoryBox(options: MemoryBoxOptions): DeadLetterBox {
  const { clock, bytesMax = 64 * MIB, triggerBytesMax = bytesMax / 4 } = options
  const entries = new Map<string, DeadLetter>()
  const shares = new Shares(bytesMax, triggerBytesMax)
  let lastId = 0

  function remove(entry: DeadLetter): void {
    entries.delete(entry.id)
    shares.take(entry.trigger, entryBytes(entry))
  }

  return {
    async append(entry: NewDeadLetter) {
      const bytes = entryBytes(entry)
      if (!shares.hasRoom(entry.trigger, bytes)) return { stored: false, reason: 'full' }
      const id = String(++lastId)
      entries.set(id, { ...entry, id, time: clock.now() })
      shares.add(entry.trigger, bytes)
      return { stored: true, id }
    },

    async replace(id, entry) {
      const before = entries.get(id)
      if (before === undefined) return false
      entries.set(id, { ...entry, id, time: before.time })
      shares.take(before.trigger, entryBytes(before))
      shares.add(entry.trigger, entryBytes(entry))
      return true
    },

    async list({ trigger, after, limit = 100 } = {}) {
      const found: DeadLetter[] = []
      for (const entry of entries.values()) {
        if (found.length >= limit) break
        if (after !== undefined && Number(entry.id) <= Number(after)) continue
        if (trigger === undefined || entry.trigger === trigger) found.push(entry)
      }
      return found
    },

    get: async (id) => entries.get(id),

    async remove(id) {
      const entry = entries.get(id)
      if (entry !== undefined) remove(entry)
      return entry !== undefined
    },

    async clear(trigger) {
      const gone = [...entries.values()].filter((entry) => trigger === undefined || entry.trigger === trigger)
      gone.forEach(remove)
      return gone.length
    },

    usage: (trigger) => shares.usage(trigger),
    close: async () => {},
  }
}

function entryBytes(entry: NewDeadLetter): number {
  return recordBytes(entry.event) + (entry.response?.length ?? 0) + entry.error.length * 2 + ENTRY_OVERHEAD
}
