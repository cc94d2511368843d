// Hot path of the load process: the open loop. Events leave at a fixed rate whatever the program does, and latency
// counts from the moment an event SHOULD have left until the sink has it: a program that stalls is charged for every
// event that had to wait meanwhile (no coordinated omission). Generator and sink share one clock: they are one process.

import { Worker } from 'node:worker_threads'
import { setTimeout as sleep } from 'node:timers/promises'
import { quantile } from '../statistics.ts'
import type { Mishaps } from './closed-loop.ts'
import { openConnections, type Connection } from './connection.ts'
import { drain } from './drain.ts'
import { between, readNow, type Interval } from './interval.ts'
import { payload, type PayloadSpec } from './payload.ts'
import { POISON_OF, type Sink } from './sink.ts'

export interface OpenLoopOrder {
  readonly do: 'open'
  readonly address: string
  readonly pid: number
  readonly payload: PayloadSpec
  readonly eventsPerSecond: number
  /** An event that finds all of them busy waits, and its latency grows. */
  readonly connections: number
  readonly warmUpMs: number
  readonly measureMs: number
  /** Deliveries come to the sink that fails at one event in five: these are not waited for, and count nothing. */
  readonly isPoisoned?: boolean
}

export interface OpenLoopResult extends Interval, Mishaps {
  /** From the intended moment of sending to the sink, over the events of the measured interval. */
  readonly latencyMs: Quantiles
  /** How late the generator sent them: its own share of that latency. */
  readonly lateMs: Quantiles
}

export interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** The pacer wakes the loop at most this often; at higher rates several events leave at once. */
const TICK_MS_MIN = 0.2

/** Runs the loop against `order.address`, with subscriber 0 of `sink`. */
export async function openLoop(order: OpenLoopOrder, sink: Sink): Promise<OpenLoopResult> {
  const address = new URL(order.address)
  const event = payload(address, order.payload)
  const periodMs = 1000 / order.eventsPerSecond
  const warmUpEvents = Math.round(order.warmUpMs / periodMs)
  const total = warmUpEvents + Math.round(order.measureMs / periodMs)
  const damagedBefore = sink.damaged
  const refused: Record<string, number> = {}
  const arrivedAfterMs = new Float64Array(total).fill(-1)
  const lateMs = new Float64Array(total)
  let arrived = 0
  let duplicates = 0
  let refusals = 0
  let next = 0

  const free = await openConnections(address, event, order.connections)
  const connections = [...free]
  for (const connection of connections) connection.onAnswer = answered
  sink.expected = event.data
  const pacer = new Worker(new URL('./pacer.ts', import.meta.url), {
    workerData: { tickMs: Math.max(periodMs, TICK_MS_MIN) },
  })
  const startMs = performance.now() + 50
  sink.onDelivery = (eventNumber) => {
    if (arrivedAfterMs[eventNumber] !== -1) {
      duplicates++
      return
    }
    arrivedAfterMs[eventNumber] = performance.now() - (startMs + eventNumber * periodMs)
    arrived++
  }
  pacer.on('message', sendDue)

  await sleep(50 + order.warmUpMs)
  const begin = readNow(order.pid, arrived, arrived)
  await sleep(order.measureMs)
  const end = readNow(order.pid, arrived, arrived)
  const wanted = order.isPoisoned === true ? total - Math.ceil(total / POISON_OF) : total
  const lost = await drain(() => wanted - arrived - refusals)
  await pacer.terminate()
  sink.onDelivery = () => {}
  for (const connection of connections) connection.close()

  return {
    ...between(begin, end),
    latencyMs: quantiles(arrivedAfterMs.subarray(warmUpEvents).filter((ms) => ms >= 0)),
    lateMs: quantiles(lateMs.subarray(warmUpEvents, next)),
    refused,
    lost,
    duplicates,
    damaged: sink.damaged - damagedBefore,
  }

  function sendDue(): void {
    const now = performance.now()
    while (next < total && free.length > 0) {
      const late = now - (startMs + next * periodMs)
      if (late < 0) return
      lateMs[next] = late
      free.pop()!.send(next)
      next++
    }
  }

  function answered(connection: Connection, status: number): void {
    if (status === 0) throw new Error('the program under test closed a connection with a request under way')
    if (status < 200 || status >= 300) {
      refused[status] = (refused[status] ?? 0) + 1
      refusals++
    }
    free.push(connection)
    sendDue()
  }
}

function quantiles(values: Float64Array): Quantiles {
  const sorted = values.toSorted()
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: quantile(sorted, 1) }
}
