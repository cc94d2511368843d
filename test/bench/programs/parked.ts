// G13, run as `node --expose-gc parked.ts EVENTS`: what an event costs more in the in-memory channel while it waits
// for its retry than while it waits in its subscription's queue. Prints the bytes for each event, as JSON.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Channel, Delivery } from '@sluice/channel'
import { memoryChannel } from '@sluice/channel-memory'
import { Event } from '@sluice/event'
import { compileTrigger } from '@sluice/filter'

/** What this program prints: heap and array buffers for each event, after garbage collection. */
export interface ParkedReading {
  readonly parkedBytes: number
  readonly queuedBytes: number
}

const RETRY_MS = 600_000
const BATCH = 1000

const events = Number(process.argv[2])
const everything = compileTrigger({})
const attributes = { specversion: '1.0', id: '000000000001', source: '/shops/bench', type: 'com.example.order.placed' }

// Once for nothing, so that code and caches are not charged to the first reading.
await bytesOfEach((delivery) => delivery.release(RETRY_MS))
const reading: ParkedReading = {
  parkedBytes: await bytesOfEach((delivery) => delivery.release(RETRY_MS)),
  queuedBytes: await bytesOfEach(() => {}),
}
process.stdout.write(JSON.stringify(reading))
process.exit()

/** Memory of each event after all were published to a subscription that treats what it is handed like this. */
async function bytesOfEach(deliver: (delivery: Delivery) => void): Promise<number> {
  const before = await bytesInUse()
  const channel = memoryChannel({ bytesMax: 2 ** 40, parkedMax: events })
  await channel.subscribe({ id: 'bench', filter: everything }, deliver)
  await publish(channel)
  const after = await bytesInUse()
  await channel.close({ deadlineMs: 0 })
  return (after - before) / events
}

async function publish(channel: Channel): Promise<void> {
  for (let published = 0; published < events; published += BATCH) {
    const batch = Array.from({ length: BATCH }, () => new Event(new Map(Object.entries(attributes)), undefined))
    const results = await channel.publish(batch, { lane: 'ingress' })
    const refused = results.find((result) => !result.stored)
    if (refused !== undefined) throw refused.error
  }
}

/** Array buffers that nobody has any more are freed beside the main thread, some time after the collection. */
async function bytesInUse(): Promise<number> {
  for (let pass = 0; pass < 2; pass++) {
    globalThis.gc?.()
    await sleep(100)
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
