// The load process: generator and sink in one. They share a clock, so latency needs no synchronised ones, and a token
// returns by a function call, so the load costs as little as it can on the core that the program under test leaves it.
// The benchmark starts it and gives it orders over the process channel, one at a time.

import { catchUp, type CatchUpOrder, type CatchUpResult } from './catch-up.ts'
import { closedLoop, type ClosedLoopOrder, type ClosedLoopResult } from './closed-loop.ts'
import { flood, type FloodOrder, type FloodResult } from './flood.ts'
import { openLoop, type OpenLoopOrder, type OpenLoopResult } from './open-loop.ts'
import { openSink, type SinkMode } from './sink.ts'

/** Sets what a sink answers from now on. */
export interface SinkOrder {
  readonly do: 'sink'
  readonly which: 'sink' | 'dead'
  readonly mode: SinkMode
}

export type LoadOrder = ClosedLoopOrder | OpenLoopOrder | CatchUpOrder | FloodOrder | SinkOrder
export type LoadResult = ClosedLoopResult | OpenLoopResult | CatchUpResult | FloodResult | undefined

/**
 * The first message: where the sinks listen. `dead` reads what it gets and never answers, `poisoned` fails at one event in
 * five.
 */
export interface LoaderReady {
  readonly sink: string
  readonly dead: string
  readonly poisoned: string
}

/** Each later message answers one order. */
export type LoaderAnswer<Result> = { readonly result: Result } | { readonly error: string }

const sink = await openSink('answer')
const dead = await openSink('hang')
const poisoned = await openSink('poison')

process.on('message', (order: LoadOrder) => {
  obey(order).then(
    (result) => send({ result }),
    (error: unknown) => send({ error: String(error) }),
  )
})
process.on('uncaughtException', (error) => {
  send({ error: String(error) })
  process.exitCode = 1
  process.disconnect()
})
process.on('disconnect', () => process.exit())
send({ sink: sink.url, dead: dead.url, poisoned: poisoned.url })

async function obey(order: LoadOrder): Promise<LoadResult> {
  if (order.do === 'closed') return await closedLoop(order, sink)
  if (order.do === 'open') return await openLoop(order, order.isPoisoned === true ? poisoned : sink)
  if (order.do === 'catch-up') return await catchUp(order, sink)
  if (order.do === 'flood') return await flood(order, sink)
  const ordered = order.which === 'sink' ? sink : dead
  ordered.mode = order.mode
  return undefined
}

function send(message: LoaderReady | LoaderAnswer<LoadResult>): void {
  process.send?.(message)
}
