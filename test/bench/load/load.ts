// The benchmark's side of the load process: starts it, gives it orders, and waits for their results.

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Children } from '../programs/children.ts'
import type { CatchUpOrder, CatchUpResult } from './catch-up.ts'
import type { ClosedLoopOrder, ClosedLoopResult } from './closed-loop.ts'
import type { FloodOrder, FloodResult } from './flood.ts'
import type { LoaderAnswer, LoaderReady, LoadOrder, SinkOrder } from './loader.ts'
import type { OpenLoopOrder, OpenLoopResult } from './open-loop.ts'

/** A running load process. One order at a time. */
export interface Load {
  readonly pid: number
  /** Base address of the sink; its subscribers are `/0`, `/1`, ... */
  readonly sink: string
  /** Base address of the sink that never answers. */
  readonly dead: string
  /** Base address of the sink that fails at one event in five. */
  readonly poisoned: string
  closedLoop(order: Omit<ClosedLoopOrder, 'do'>): Promise<ClosedLoopResult>
  openLoop(order: Omit<OpenLoopOrder, 'do'>): Promise<OpenLoopResult>
  catchUp(order: Omit<CatchUpOrder, 'do'>): Promise<CatchUpResult>
  flood(order: Omit<FloodOrder, 'do'>): Promise<FloodResult>
  setSink(order: Omit<SinkOrder, 'do'>): Promise<void>
  end(): Promise<void>
}

const LOADER = fileURLToPath(new URL('./loader.ts', import.meta.url))

export async function startLoad(children: Children): Promise<Load> {
  const child = children.start([LOADER], { channel: true })
  child.stderr.pipe(process.stderr)
  const ready = await nextMessage<LoaderReady>(child)
  const give = async <Result>(order: LoadOrder): Promise<Result> => {
    child.send(order)
    const answer = await nextMessage<LoaderAnswer<Result>>(child)
    if ('error' in answer) throw new Error(`the load failed: ${answer.error}`)
    return answer.result
  }
  return {
    pid: child.pid!,
    sink: ready.sink,
    dead: ready.dead,
    poisoned: ready.poisoned,
    closedLoop: (order) => give({ do: 'closed', ...order }),
    openLoop: (order) => give({ do: 'open', ...order }),
    catchUp: (order) => give({ do: 'catch-up', ...order }),
    flood: (order) => give({ do: 'flood', ...order }),
    setSink: (order) => give({ do: 'sink', ...order }),
    end: () => children.end(child),
  }
}

/** The next message of the process; rejects when it ends instead. */
async function nextMessage<Message>(child: ChildProcess): Promise<Message> {
  const settled = new AbortController()
  const { signal } = settled
  const exit = once(child, 'exit', { signal }).then(() => {
    throw new Error('the load process ended by itself')
  })
  exit.catch(() => {})
  try {
    const [message] = await Promise.race([once(child, 'message', { signal }), exit])
    return message
  } finally {
    settled.abort()
  }
}
