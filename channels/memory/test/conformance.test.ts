// The contract, by both of the sets of capabilities that the in-memory channel can have, and once in real time.

import { memoryChannel } from '@sluice/channel-memory'
import { channelConformance, type ConformanceStore, type StoreOptions } from '@sluice/channel/conformance'
import { manualClock } from '@sluice/clock'

channelConformance({ name: 'memory', clock: manualClock, create: (options) => store(options, 0) })

channelConformance({
  name: 'memory with history',
  clock: manualClock,
  create: (options) => store(options, 64 * 1024 * 1024),
})

channelConformance({ name: 'memory in real time', quietMs: 10, create: (options) => store(options, 64 * 1024 * 1024) })

/** What it holds ends with its process, so each opening begins anew. */
function store({ clock, bytesMax, eventBytesMax, parkedMax }: StoreOptions, historyBytes: number): ConformanceStore {
  return {
    open: () =>
      memoryChannel({
        clock,
        historyBytes,
        ...(bytesMax !== undefined && { bytesMax }),
        ...(eventBytesMax !== undefined && { eventBytesMax }),
        ...(parkedMax !== undefined && { parkedMax }),
      }),
  }
}
