// The dead-letter box in memory: for brokers whose channel is in memory too. Bounded; it refuses rather than drops.

import { recordBytes } from '@sluice/event'
import type { DeadLetter, DeadLetterBox, NewDeadLetter } from '@sluice/channel'
import type { Clock } from '@sluice/clock'

export interface MemoryBoxOptions {
  clock: Clock
  /** Most bytes of the whole box. Default 64 MiB: what is in memory competes with the channel. */
  bytesMax?: number
  /** Most bytes of one trigger's entries. Default a quarter of `bytesMax` (DESIGN: 256 MiB of 1 GiB). */
  triggerBytesMax?: number
}

const MIB = 1024 * 1024
const ENTRY_OVERHEAD = 512

/** A dead-letter box that ends with the process. Ids are `1`, `2`, ... in the order of arrival. */
export function memoryBox(options: MemoryBoxOptions): DeadLetterBox {
  const { clock, bytesMax = 64 * MIB, triggerBytesMax = bytesMax / 4 } = options
  const entries = new Map<string, DeadLetter>()
  const bytesByTrigger = new Map<string, number>()
  let bytes = 0
  let lastId = 0

  return {
    async append(entry: NewDeadLetter) {
      const size = entryBytes(entry)
      const ofTrigger = bytesByTrigger.get(entry.triggerId) ?? 0
      // An entry larger than the bound is taken alone: else its trigger would stand still for ever.
      const isFull = (bytes > 0 && bytes + size > bytesMax) || (ofTrigger > 0 && ofTrigger + size > triggerBytesMax)
      if (isFull) return { stored: false, reason: 'full' }
      const id = String(++lastId)
      entries.set(id, { ...entry, id, time: clock.now() })
      bytesByTrigger.set(entry.triggerId, ofTrigger + size)
      bytes += size
      return { stored: true, id }
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
      if (entry === undefined) return false
      entries.delete(id)
      const size = entryBytes(entry)
      const left = (bytesByTrigger.get(entry.triggerId) ?? 0) - size
      if (left > 0) bytesByTrigger.set(entry.triggerId, left)
      else bytesByTrigger.delete(entry.triggerId)
      bytes -= size
      return true
    },

    usage: () => ({ events: entries.size, bytes, bytesMax }),
  }
}

function entryBytes(entry: NewDeadLetter): number {
  return recordBytes(entry.event) + (entry.response?.length ?? 0) + entry.error.length * 2 + ENTRY_OVERHEAD
}
