// What a scrape of /metrics costs: `node packages/server/bench/metrics.ts [triggers]`. Every trigger has delivered.
//
// Printed are CPU time of the main thread, the longest time that the event loop stood still for it, and the size.

import { systemClock } from '@sluice/clock'
import { openController } from '@sluice/controller'
import { deliverer } from '@sluice/delivery'
import { newEvent } from '@sluice/event'
import { admit, type Declared } from '@sluice/resource'
import { metrics } from '@sluice/server'

const triggers = Number(process.argv[2] ?? 10_000)
const ROUNDS = 5
const GROUP = 'eventing.knative.dev'

const counted = metrics()
const deliveries = deliverer()
const controller = openController({
  clock: systemClock,
  deliverer: deliveries,
  observer: counted.observer,
  memoryBytes: 256 * 1024 * 1024,
})
const spec = { broker: 'default', subscriber: { uri: 'http://127.0.0.1:9/' } }
const paused = { 'sluice.dev/paused': 'true' }
const all = [declare('Broker', 'default', {})]
for (let n = 0; n < triggers; n++) all.push(declare('Trigger', `trigger-${n}`, spec, paused))
await controller.apply(all, { base: 'http://127.0.0.1:8080' })
const event = newEvent({ type: 't', source: '/bench' })
for (const broker of controller.brokers()) {
  for (const { name } of broker.triggers()) counted.observer.settled(name, event)
}

const cpuMs: number[] = []
const stillMs: number[] = []
let bytes = 0
for (let round = 0; round < ROUNDS; round++) {
  const before = process.threadCpuUsage()
  const watch = watchLoop()
  bytes = (await counted.render(controller, systemClock)).length
  stillMs.push(watch())
  const { user, system } = process.threadCpuUsage(before)
  cpuMs.push((user + system) / 1000)
}
process.stdout.write(
  `${triggers} triggers: ${median(cpuMs).toFixed(0)} ms CPU, the loop still for ${median(stillMs).toFixed(0)} ms at most, ` +
    `${(bytes / 1024 / 1024).toFixed(1)} MiB\n`,
)
await controller.close({ deadlineMs: 0 })
await deliveries.close({ deadlineMs: 0 })

/** Returns what ends it, and tells the longest time between two turns of the event loop. */
function watchLoop(): () => number {
  let longest = 0
  let last = performance.now()
  let over = false
  const turn = (): void => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
    if (!over) setImmediate(turn)
  }
  setImmediate(turn)
  return () => {
    over = true
    return Math.max(longest, performance.now() - last)
  }
}

function declare(kind: string, name: string, spec: object, annotations: object = {}): Declared {
  return { resource: admit({ apiVersion: `${GROUP}/v1`, kind, metadata: { name, annotations }, spec }).resource! }
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}
