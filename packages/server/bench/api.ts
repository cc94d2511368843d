// What the API costs with many triggers: `node packages/server/bench/api.ts [triggers]`.
//
// Everything is real but the channel, which is in memory. Printed are the CPU time of the main thread, which here is that
// of the client as well, and the longest time that the event loop was held up, which on a busy machine others add to.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { NO_OBSERVER } from '@sluice/broker'
import { systemClock } from '@sluice/clock'
import { openController } from '@sluice/controller'
import { deliverer } from '@sluice/delivery'
import { admit, type Declared } from '@sluice/resource'
import { metrics, openServer } from '@sluice/server'

const GROUP = 'eventing.knative.dev'
const SUBSCRIBER = { uri: 'http://127.0.0.1:9000/' }
const triggers = Number(process.argv[2] ?? 10_000)

const deliveries = deliverer()
const controller = openController({
  clock: systemClock,
  deliverer: deliveries,
  observer: NO_OBSERVER,
  memoryBytes: 256 * 1024 * 1024,
})
const server = openServer({ controller, metrics: metrics(), clock: systemClock, version: 'bench' })
const address = { host: '127.0.0.1', port: 0 }
const { ingress, api } = await server.listen({ ingress: address, api: address })
await controller.apply(declared(), { base: ingress })

const path = `${api}/apis/${GROUP}/v1/namespaces/default/triggers`
const trigger = { metadata: { name: 'one' }, spec: { broker: 'default', subscriber: SUBSCRIBER } }
await measure('POST', () => send('POST', path, trigger))
for (const type of ['a', 'b', 'c']) await measure('PATCH', () => patch(type))
await measure('GET one', () => fetch(`${path}/one`))
await measure('GET a page of 500', () => fetch(`${path}?limit=500`))
await measure('GET the next page', () => fetch(`${path}?limit=500`))
await measure('GET all', () => fetch(path))
await measure('GET all, as a table', () =>
  fetch(path, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } }),
)
await measure('DELETE', () => fetch(`${path}/one`, { method: 'DELETE' }))

await server.close({ deadlineMs: 0 })
await controller.close({ deadlineMs: 0 })
await deliveries.close({ deadlineMs: 0 })

function declared(): Declared[] {
  const all = [declare('Broker', 'default', {})]
  for (let n = 0; n < triggers; n++) {
    const filters = [{ exact: { type: `com.example.type-${n}` } }]
    all.push(declare('Trigger', `trigger-${n}`, { broker: 'default', filters, subscriber: SUBSCRIBER }))
  }
  return all
}

function declare(kind: string, name: string, spec: object): Declared {
  const { resource } = admit({ apiVersion: `${GROUP}/v1`, kind, metadata: { name }, spec })
  return { resource: resource! }
}

function patch(type: string): Promise<Response> {
  const change = { spec: { filter: { attributes: { type } } } }
  return send('PATCH', `${path}/one`, change, 'application/merge-patch+json')
}

function send(method: string, url: string, body: object, type = 'application/json'): Promise<Response> {
  return fetch(url, { method, headers: { 'content-type': type }, body: JSON.stringify(body) })
}

async function measure(what: string, run: () => Promise<Response>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const started = process.threadCpuUsage()
  const answer = await run()
  const { length } = await answer.text()
  await setTimeout(20) // what it began goes on
  const { user, system } = process.threadCpuUsage(started)
  delay.disable()
  const cells = [
    what.padEnd(22),
    `${((user + system) / 1000).toFixed(0).padStart(5)} ms of CPU`,
    `${(delay.max / 1e6).toFixed(0).padStart(5)} ms held up`,
    `${String(length).padStart(10)} bytes`,
  ]
  process.stdout.write(`${answer.status} ${cells.join('  ')}\n`)
}
