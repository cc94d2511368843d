// Hot path of the load process: the closed loop. A fixed number of tokens goes round; each is one connection and one
// event. A token may go again when the sink has its event from every subscriber AND its request is answered: an early
// 202 cannot let the load outrun the delivery, and a relay that answers late is held to the same rule.

import { setTimeout as sleep } from 'node:timers/promises'
import { openConnections, type Connection } from './connection.ts'
import { drain } from './drain.ts'
import { between, readNow, type Interval } from './interval.ts'
import { payload, type PayloadSpec } from './payload.ts'
import type { Sink } from './sink.ts'

export interface ClosedLoopOrder {
  readonly do: 'closed'
  /** Where events are posted. */
  readonly address: string
  /** The program whose CPU is read; 0 for none. */
  readonly pid: number
  readonly payload: PayloadSpec
  readonly tokens: number
  /** Deliveries that make up one event: subscribers 0 to n-1. */
  readonly subscribers: number
  readonly warmUpMs: number
  readonly measureMs: number
}

export interface ClosedLoopResult extends Interval, Mishaps {}

/** What should be zero in every run. */
export interface Mishaps {
  /** Answers that were not 2xx, by status; status 0: the connection broke. */
  readonly refused: Record<string, number>
  /** Events answered 2xx that the sink had not within `DRAIN_MS` after the run. */
  readonly lost: number
  readonly duplicates: number
  readonly damaged: number
}

/** How long a token whose event was refused waits before it sends the next one. */
const REFUSED_WAIT_MS = 5

/** Numbers go on from run to run: what knows an event by its id takes none of them for an earlier one. */
let numbersUsed = 0

interface Token {
  readonly connection: Connection
  /** The event under way: `n % tokens` is the token's own place, so that the sink's event finds its token. */
  eventNumber: number
  /** Subscribers that don't have it yet, and for each, by its number, whether it has. */
  missing: number
  readonly has: Uint8Array
}

/** Runs the loop against `order.address`, with `sink` as the subscriber. */
export async function closedLoop(order: ClosedLoopOrder, sink: Sink): Promise<ClosedLoopResult> {
  const address = new URL(order.address)
  const event = payload(address, order.payload)
  const damagedBefore = sink.damaged
  const refused: Record<string, number> = {}
  let events = 0
  let deliveries = 0
  let duplicates = 0
  let stopping = false

  const connections = await openConnections(address, event, order.tokens)
  const first = Math.ceil(numbersUsed / order.tokens) * order.tokens
  const tokens = connections.map((connection, place): Token => {
    const token = { connection, eventNumber: first + place, missing: 0, has: new Uint8Array(order.subscribers) }
    connection.onAnswer = (_, status) => {
      if (status >= 200 && status < 300) goAgain(token)
      else refuse(token, status)
    }
    return token
  })
  sink.expected = event.data
  sink.onDelivery = (eventNumber, subscriber) => {
    const token = tokens[eventNumber % order.tokens]!
    if (token.eventNumber !== eventNumber || token.missing === 0 || token.has[subscriber] !== 0) {
      duplicates++
      return
    }
    deliveries++
    token.has[subscriber] = 1
    if (--token.missing === 0) {
      events++
      goAgain(token)
    }
  }

  for (const token of tokens) goAgain(token)
  await sleep(order.warmUpMs)
  const begin = readNow(order.pid, events, deliveries)
  await sleep(order.measureMs)
  const end = readNow(order.pid, events, deliveries)
  stopping = true
  const lost = await drain(() => tokens.filter((token) => token.missing !== 0 || token.connection.busy).length)
  sink.onDelivery = () => {}
  for (const connection of connections) connection.close()
  numbersUsed = 1 + Math.max(...tokens.map(({ eventNumber }) => eventNumber))
  return { ...between(begin, end), refused, lost, duplicates, damaged: sink.damaged - damagedBefore }

  function goAgain(token: Token): void {
    if (token.connection.busy || token.missing !== 0 || stopping) return
    token.eventNumber += order.tokens
    token.missing = order.subscribers
    token.has.fill(0)
    token.connection.send(token.eventNumber)
  }

  function refuse(token: Token, status: number): void {
    refused[status] = (refused[status] ?? 0) + 1
    if (status === 0) throw new Error('the program under test closed a connection with a request under way')
    token.missing = 0
    setTimeout(() => goAgain(token), REFUSED_WAIT_MS)
  }
}
