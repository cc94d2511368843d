// What the registry of EventTypes costs an event of a type that is known, and its schema where one is enforced.
//
//     node packages/controller/bench/event-types.ts

import { NO_OBSERVER, type BrokerName } from '@sluice/broker'
import { systemClock } from '@sluice/clock'
import { Event } from '@sluice/event'
import { admit, resourceStore, resourceWriter } from '@sluice/resource'
import { EventTypes } from '../src/event-types/event-types.ts'

const TYPES = 500
const BROKER: BrokerName = { kind: 'Broker', namespace: 'default', name: 'default' }
const DATA = JSON.stringify({
  order: 1,
  total: 42.5,
  lines: Array.from({ length: 12 }, (_, n) => ({ sku: `sku-${n}`, count: n })),
})
const SCHEMA =
  '{"type": "object", "required": ["order"], "properties": {"total": {"type": "number"}, "lines": {"items": {"properties": {"count": {"type": "integer"}}}}}}'

const store = resourceStore({ clock: systemClock })
const writer = resourceWriter({ store, folder: async () => undefined })
const registry = new EventTypes({
  ...{ store, writer, clock: systemClock, data: undefined, limited: undefined },
  takers: () => [],
  hubChanged() {},
})
store.subscribe((change) => registry.committed(change))

function put(written: object): void {
  const { resource } = admit(written)
  store.put({ resource: resource! }, { source: 'files' })
}

const annotations = { 'sluice.dev/schema': 'reject' }
put({ apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', metadata: { name: 'default', annotations } })
put({
  apiVersion: 'eventing.knative.dev/v1beta2',
  kind: 'EventType',
  metadata: { name: 'checked' },
  spec: { type: 'checked', broker: 'default', schemaData: SCHEMA },
})

/** Each with texts of its own, as they come from a request. */
function events(type: (n: number) => string): Event[] {
  return Array.from({ length: 10_000 }, (_, n) => {
    const attributes = {
      specversion: '1.0',
      id: String(n),
      source: '/shop',
      type: type(n),
      datacontenttype: 'application/json',
    }
    const own = Object.entries(attributes).map(([name, value]) => [name, Buffer.from(value).toString()] as const)
    return new Event(new Map(own), Buffer.from(DATA))
  })
}

/** The least of five. `isFresh`: each event is seen once, for what it keeps of its data would be found the next time. */
function measure(what: string, each: (event: Event) => unknown, from: () => Event[], isFresh = false): void {
  const rounds = isFresh ? 5 : 100
  const all = from()
  for (const event of all) each(event)
  const best = Math.min(
    ...Array.from({ length: 5 }, () => {
      const lists = Array.from({ length: rounds }, () => (isFresh ? from() : all))
      const { user } = process.cpuUsage()
      for (const list of lists) for (const event of list) each(event)
      return (process.cpuUsage().user - user) / (rounds * all.length)
    }),
  )
  process.stdout.write(`${what.padEnd(50)} ${(best * 1000).toFixed(0).padStart(6)} ns of CPU an event\n`)
}

const counted = registry.noting(NO_OBSERVER)
measure(
  'without the registry',
  (event) => NO_OBSERVER.accepted(BROKER, event),
  () => events(() => 'order'),
)
measure(
  'one type',
  (event) => counted.accepted(BROKER, event),
  () => events(() => 'order'),
)
measure(
  `${TYPES} types in turn`,
  (event) => counted.accepted(BROKER, event),
  () => events((n) => `com.example.type-${n % TYPES}`),
)
const judge = registry.judge(BROKER)!
measure('judged: a type without a schema', judge, () => events(() => 'order'))
// The data is parsed once an event, so that each round needs new ones.
measure(
  'JSON.parse of this data alone (0.5 KiB)',
  (event) => JSON.parse(event.data!.toString()) as unknown,
  () => events(() => 'checked'),
  true,
)
measure('judged: JSON and schema of this data', judge, () => events(() => 'checked'), true)
await registry.close()
process.exit()
