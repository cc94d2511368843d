// Fills a log before Sluice is started on it, run as `node log-filler.ts ORDER`, ORDER being {@link FillOrder} as JSON:
// the channel that Sluice opens, the events that its ingress would store, and subscriptions with its triggers' names. It
// takes seconds where posting them would take minutes. Prints {@link Filled}, as JSON.

import { openLogChannel } from '@sluice/channel-log'
import { Event } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'
import { EVENT_TYPE, ID_DIGITS, payload } from '../load/payload.ts'
import { tell } from './measuring.ts'

export interface FillOrder {
  /** Of the channel. */
  readonly folder: string
  readonly events: number
  readonly dataBytes: number
  /** The subscriptions, all of which want every event. */
  readonly subscriptions: readonly string[]
  /** Whether they settle it at once; else it stays owed to all of them. */
  readonly settled: boolean
}

/** What this program prints. */
export interface Filled {
  readonly events: number
  readonly elapsedMs: number
}

const AT_ONCE = 500
const HOPS = 255
/** Far more than is ever filled in. */
const BYTES_MAX = 2 ** 40

await fill(JSON.parse(process.argv[2]!))

async function fill({ folder, events, dataBytes, subscriptions, settled }: FillOrder): Promise<void> {
  const sinceMs = performance.now()
  const { channel } = await openLogChannel({ folder, bytesMax: BYTES_MAX, retentionBytes: BYTES_MAX })
  const filter = compileAttributes({ type: EVENT_TYPE })
  await Promise.all(
    subscriptions.map((id) => channel.subscribe({ id, filter, paused: !settled }, (delivery) => delivery.settle())),
  )
  const { attributes, data } = payload(new URL('http://127.0.0.1'), { mode: 'binary', dataBytes })
  const arrival = new Date().toISOString()
  for (let first = 0; first < events; first += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, events - first) }, (_, i) => {
      const event = new Event(new Map(Object.entries(attributes)), data, HOPS)
      event.attributes.set('id', String(first + i).padStart(ID_DIGITS, '0'))
      event.attributes.set('knativearrivaltime', arrival)
      return event
    })
    const results = await channel.publish(batch, { lane: 'ingress' })
    for (const result of results) if (!result.stored) throw result.error
  }
  await channel.close({ deadlineMs: 10_000 })
  tell({ events, elapsedMs: performance.now() - sinceMs } satisfies Filled)
}
