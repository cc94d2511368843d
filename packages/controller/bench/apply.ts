// What an apply costs: `node packages/controller/bench/apply.ts [triggers]`.
//
// On the real store, broker and in-memory channel; nothing is sent. Printed is the CPU time of the main thread, median
// of five where it can be done again: what else the machine does counts for little, and all of it is taken from events.

import { NO_OBSERVER } from '@sluice/broker'
import { systemClock } from '@sluice/clock'
import { openController } from '@sluice/controller'
import { deliverer } from '@sluice/delivery'
import { admit, identityOf, type Declared } from '@sluice/resource'

const GROUP = 'eventing.knative.dev'
const BASE = 'http://127.0.0.1:8080'
const triggers = Number(process.argv[2] ?? 10_000)
const ROUNDS = 5

const deliveries = deliverer()
const controller = openController({
  clock: systemClock,
  deliverer: deliveries,
  observer: NO_OBSERVER,
  memoryBytes: 256 * 1024 * 1024,
})

await measure('first apply', () => declared())
await measure('again, nothing changed', () => declared())
let round = 0
await measure('again, one filter changed', () => declared({ 7: `changed.${++round}` }))
await measure('files read again, one filter changed', undefined, async () => {
  const [changed] = declared({ 7: `changed.${++round}` }, 7, 8).slice(1)
  await controller.change({ put: [changed!], removed: [], moved: [] }, { base: BASE })
})
let written = 0
await measure('one filter, through the API', undefined, async () => {
  const spec = {
    broker: 'default',
    filters: [{ exact: { type: `written.${++written}` } }],
    subscriber: { uri: `${BASE}/x` },
  }
  const { resource } = declare('Trigger', 'written', spec)
  await controller.writer.write(identityOf(resource), () => resource)
})
await measure('list, with statuses', undefined, async () => void controller.list({ group: GROUP, kind: 'Trigger' }))
await measure('all removed', () => [])
await controller.close({ deadlineMs: 0 })
await deliveries.close({ deadlineMs: 0 })

/** A Broker and its triggers, fresh as a load of files makes them; every 100th differs in its subscriber. */
function declared(types: Record<number, string> = {}, from = 0, to = triggers): Declared[] {
  const all = [declare('Broker', 'default', {})]
  for (let n = from; n < to; n++) {
    all.push(
      declare('Trigger', `trigger-${n}`, {
        broker: 'default',
        filters: [{ exact: { type: types[n] ?? `com.example.type-${n}` } }],
        subscriber: { uri: `http://127.0.0.1:9000/${n % 100}` },
      }),
    )
  }
  return all
}

function declare(kind: string, name: string, spec: object): Declared {
  const { resource } = admit({ apiVersion: `${GROUP}/v1`, kind, metadata: { name }, spec })
  return { resource: resource! }
}

/** `make` is not measured: files are read in turns. What is done once has one round. */
async function measure(
  what: string,
  make: (() => Declared[]) | undefined,
  run: (resources: Declared[]) => Promise<unknown> = (resources) => controller.apply(resources, { base: BASE }),
): Promise<void> {
  const rounds: number[] = []
  do {
    const resources = make?.() ?? []
    const started = process.threadCpuUsage()
    await run(resources)
    const { user, system } = process.threadCpuUsage(started)
    rounds.push((user + system) / 1000)
  } while (rounds.length < ROUNDS && what !== 'first apply' && what !== 'all removed')
  const ms = rounds.toSorted((a, b) => a - b)[rounds.length >> 1]!
  const each = ((ms * 1000) / triggers).toFixed(1)
  process.stdout.write(`${what.padEnd(28)} ${ms.toFixed(0).padStart(6)} ms  ${each.padStart(6)} µs a trigger\n`)
}
