// Hot path of the load process: posts a number of events as fast as they are accepted, and waits for no delivery.

import { openConnections, type Connection } from './connection.ts'
import { payload, type PayloadSpec } from './payload.ts'
import type { Sink } from './sink.ts'

export interface FloodOrder {
  readonly do: 'flood'
  readonly address: string
  readonly payload: PayloadSpec
  readonly events: number
  readonly connections: number
}

export interface FloodResult {
  readonly accepted: number
  readonly refused: Record<string, number>
  readonly elapsedMs: number
  /** Data and attributes of one event (see `Payload.rawBytes`). */
  readonly rawBytesPerEvent: number
  /** Deliveries that reached the sink since it opened. */
  readonly deliveries: number
}

/** Posts `order.events` events. Ends early at the first refusal: what is full stays full. */
export async function flood(order: FloodOrder, sink: Sink): Promise<FloodResult> {
  const address = new URL(order.address)
  const event = payload(address, order.payload)
  sink.expected = event.data
  const connections = await openConnections(address, event, order.connections)
  const refused: Record<string, number> = {}
  const startMs = performance.now()
  let sent = 0
  let answered = 0
  let accepted = 0
  await new Promise<void>((resolve) => {
    const sendNext = (connection: Connection): void => {
      if (sent < order.events && Object.keys(refused).length === 0) connection.send(sent++)
      else if (answered === sent) resolve()
    }
    for (const connection of connections) {
      connection.onAnswer = (_, status) => {
        answered++
        if (status >= 200 && status < 300) accepted++
        else refused[status] = (refused[status] ?? 0) + 1
        sendNext(connection)
      }
    }
    for (const connection of connections) sendNext(connection)
  })
  for (const connection of connections) connection.close()
  const elapsedMs = performance.now() - startMs
  return { accepted, refused, elapsedMs, rawBytesPerEvent: event.rawBytes, deliveries: sink.deliveries }
}
