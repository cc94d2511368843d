// Hot path of the load process: a program works off what it has stored before, and events may go on coming in meanwhile,
// at a fixed rate. What is delivered then is mostly old, so deliveries are counted, not matched with what is sent.

import { setTimeout as sleep } from 'node:timers/promises'
import { openConnections, type Connection } from './connection.ts'
import { between, readNow, type Interval } from './interval.ts'
import { payload, type PayloadSpec } from './payload.ts'
import type { Sink } from './sink.ts'

export interface CatchUpOrder {
  readonly do: 'catch-up'
  readonly address: string
  readonly pid: number
  /** Of the events that come in, and of those that were stored before. */
  readonly payload: PayloadSpec
  /** How many come in; 0 = none. */
  readonly eventsPerSecond: number
  /** The number of the first one that comes in: above those that were stored before. */
  readonly firstNumber: number
  /** An event that finds all of them busy waits for one. */
  readonly connections: number
  readonly subscribers: number
  readonly warmUpMs: number
  readonly measureMs: number
  /** Ends the measuring before its time. Default: nothing does. */
  readonly deliveriesMax?: number
}

/** Of the measured interval; `events` are those that were accepted. */
export interface CatchUpResult extends Interval {
  readonly deliveriesPerSecond: number
  /** To the subscriber that got the fewest, and to the one that got the most. */
  readonly deliveriesEach: readonly [number, number]
  readonly refused: Record<string, number>
  readonly damaged: number
}

/** How often events are sent that have become due: several at once, for what counts here is their rate. */
const TICK_MS = 1
/** Far longer than what it costs to look. */
const POLL_MS = 20
/** How long a program may take until it delivers anything. */
const FIRST_MS_MAX = 30_000

/** Lets `sink` take what `order.address` delivers, for a while. */
export async function catchUp(order: CatchUpOrder, sink: Sink): Promise<CatchUpResult> {
  const address = new URL(order.address)
  const event = payload(address, order.payload)
  const damagedBefore = sink.damaged
  const refused: Record<string, number> = {}
  const each = new Float64Array(order.subscribers)
  let deliveries = 0
  let accepted = 0
  let sent = 0
  let isOver = false

  sink.expected = event.data
  sink.onDelivery = (_, subscriber) => {
    deliveries++
    each[subscriber]!++
  }
  const free = order.eventsPerSecond > 0 ? await openConnections(address, event, order.connections) : []
  const connections = [...free]
  for (const connection of connections) connection.onAnswer = answered
  await sleepUnless(() => deliveries > 0, FIRST_MS_MAX)
  if (deliveries === 0) throw new Error('nothing was delivered of what was stored before')
  const startMs = performance.now()
  const pacer = setInterval(sendDue, TICK_MS)

  await sleep(order.warmUpMs)
  each.fill(0)
  const begin = readNow(order.pid, accepted, deliveries)
  await sleepUnless(() => deliveries - begin.deliveries >= (order.deliveriesMax ?? Infinity), order.measureMs)
  const end = readNow(order.pid, accepted, deliveries)
  const deliveriesEach = [Math.min(...each), Math.max(...each)] as const
  isOver = true
  clearInterval(pacer)
  sink.onDelivery = () => {}
  for (const connection of connections) connection.close()
  const interval = between(begin, end)
  return {
    ...interval,
    deliveriesPerSecond: (interval.deliveries * 1000) / interval.elapsedMs,
    deliveriesEach,
    refused,
    damaged: sink.damaged - damagedBefore,
  }

  function sendDue(): void {
    const due = ((performance.now() - startMs) * order.eventsPerSecond) / 1000
    while (sent < due && free.length > 0 && !isOver) free.pop()!.send(order.firstNumber + sent++)
  }

  function answered(connection: Connection, status: number): void {
    if (isOver) return
    if (status === 0) throw new Error('the program under test closed a connection with a request under way')
    if (status >= 200 && status < 300) accepted++
    else refused[status] = (refused[status] ?? 0) + 1
    free.push(connection)
    sendDue()
  }
}

/** Sleeps so long, or until `isOver`. */
async function sleepUnless(isOver: () => boolean, ms: number): Promise<void> {
  const endMs = performance.now() + ms
  for (let leftMs = ms; leftMs > 0 && !isOver(); leftMs = endMs - performance.now()) {
    await sleep(Math.min(leftMs, POLL_MS))
  }
}
