// G12, run as `node queue.ts WHAT URL TOKENS WARMUP_MS MEASURE_MS`: tokens that go round, each an event that is published,
// handed out and settled before the next one. Through the channel, or through the server's bare client library; prints what
// came of it, as JSON.

import { setTimeout as sleep } from 'node:timers/promises'
import { tell } from './measuring.ts'
import { QUEUES, type QueueName } from './queues.ts'

/** What this program prints. */
export interface QueueReading {
  /** Events that were stored, handed out and settled. */
  readonly perSecond: number
  /** CPU of this process, in microseconds for each of them. */
  readonly cpuUs: number
}

const [what, url, ...numbers] = process.argv.slice(2)
const [tokens, warmUpMs, measureMs] = numbers.map(Number)
let events = 0
// Each token is two halves: its event is stored, and its event came out and was settled. It goes on once both are done.
const halves = new Uint8Array(tokens!)
const queue = await QUEUES[what as QueueName](url!, (token) => half(token))
const first = Promise.withResolvers<void>()
for (let token = 0; token < tokens!; token++) publish(token)
await first.promise // a group of consumers takes its time to form
await sleep(warmUpMs)
const begin = { atMs: performance.now(), cpu: process.cpuUsage(), events }
await sleep(measureMs)
const { user, system } = process.cpuUsage(begin.cpu)
const count = events - begin.events
tell({
  perSecond: (count * 1000) / (performance.now() - begin.atMs),
  cpuUs: (user + system) / Math.max(1, count),
} satisfies QueueReading)

function publish(token: number): void {
  queue.publish(token).then(
    () => half(token),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    },
  )
}

function half(token: number): void {
  if (++halves[token]! < 2) return
  halves[token] = 0
  events++
  first.resolve()
  publish(token)
}
