// What one attempt costs: CPU-µs of this process for each POST of a 1 KiB event to a sink in another process, beside
// a bare `Pool.dispatch` of the same bytes over as many connections. Run: node packages/delivery/bench/attempt.ts
// Target: 1.15 times the bare one at most (DESIGN, "The code"; PERFORMANCE.md A2).

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { encodeBinary, Event } from '@sluice/event'
import { Pool, type Dispatcher } from 'undici'
import { deliverer, target, type Outcome } from '../src/index.ts'

const IN_FLIGHT = 64
const CONNECTIONS = 128
const ROUNDS = 7
const ROUND_POSTS = 30_000
const TARGET = 1.15

/** Answers 200 to everything, so that each answer is looked at for a reply, and tells its port. */
function sink(tell: (port: number) => void): void {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      response.statusCode = 200
      response.end()
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    if (address !== null && typeof address === 'object') tell(address.port)
  })
  process.on('disconnect', () => process.exit())
}

async function compare(): Promise<void> {
  const child = fork(import.meta.filename)
  const [port]: unknown[] = await once(child, 'message')
  const url = `http://127.0.0.1:${String(port)}/events`
  const ours = attempts(url)
  const bare = dispatches(url)
  const ratios: number[] = []
  for (let round = -2; round < ROUNDS; round++) {
    const [bareUs, oursUs] = [await cpuUs(bare.post), await cpuUs(ours.post)]
    if (round < 0) continue // warm-up
    ratios.push(oursUs / bareUs)
    print(`bare ${bareUs.toFixed(1)} µs   attempt ${oursUs.toFixed(1)} µs   ratio ${(oursUs / bareUs).toFixed(3)}`)
  }
  ratios.sort((a, b) => a - b)
  const median = ratios[ratios.length >> 1]!
  print(`median ratio ${median.toFixed(3)}, target ${TARGET}: ${median <= TARGET ? 'met' : 'missed'}`)
  await Promise.all([ours.close(), bare.close()])
  child.disconnect()
}

type Post = (done: () => void) => void

/** CPU-µs of this process for each POST, with {@link IN_FLIGHT} of them under way. */
function cpuUs(post: Post): Promise<number> {
  return new Promise((resolve) => {
    const before = process.cpuUsage()
    let started = 0
    let ended = 0
    const next = (): void => {
      if (++ended === ROUND_POSTS) {
        const { user, system } = process.cpuUsage(before)
        resolve((user + system) / ROUND_POSTS)
      } else if (started < ROUND_POSTS) start()
    }
    const start = (): void => {
      started++
      post(next)
    }
    for (let n = 0; n < IN_FLIGHT; n++) start()
  })
}

function orderPlaced(): Event {
  const attributes = {
    specversion: '1.0',
    id: '5f1c9ab2-6a36-4b6e-9e1f-0f2f2f2f2f2f',
    source: '/shops/berlin/orders',
    type: 'com.example.order.placed',
    subject: 'order-4711',
    time: '2026-11-24T18:48:23.123Z',
    knativearrivaltime: '2026-11-24T18:48:23.456Z',
    datacontenttype: 'application/json',
  }
  return new Event(new Map(Object.entries(attributes)), Buffer.alloc(1024, 'x'))
}

/** As the broker sends: a new event each time would measure the codec, so it is the same one. */
function attempts(url: string): { post: Post; close: () => Promise<void> } {
  const sender = deliverer({ connectionsPerOrigin: CONNECTIONS })
  const to = target(url)
  const event = orderPlaced()
  const headers = ['prefer', 'reply', 'kn-namespace', 'default']
  return {
    post: (done) =>
      sender.send(
        { target: to, event, timeoutMs: 30_000, format: 'binary', headers, reply: true },
        (outcome: Outcome) => {
          if (outcome.verdict !== 'delivered') throw new Error(outcome.error)
          done()
        },
      ),
    close: () => sender.close({ deadlineMs: 1000 }),
  }
}

function dispatches(url: string): { post: Post; close: () => Promise<void> } {
  const { origin, pathname: path } = new URL(url)
  const pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  const event = orderPlaced()
  const headers = [...encodeBinary(event), 'prefer', 'reply', 'kn-namespace', 'default']
  const body = event.data ?? null
  return {
    post: (done) => pool.dispatch({ path, method: 'POST', headers, body }, new Bare(done)),
    close: () => pool.close(),
  }
}

class Bare implements Dispatcher.DispatchHandler {
  readonly done: () => void
  constructor(done: () => void) {
    this.done = done
  }
  onRequestStart(): void {}
  onResponseStart(): void {}
  onResponseData(): void {}
  onResponseEnd(): void {
    this.done()
  }
  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    throw error
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

if (process.send === undefined) await compare()
else sink(process.send.bind(process))
