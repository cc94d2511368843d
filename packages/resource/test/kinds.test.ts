// What the kinds ask for, by the numbers of KNATIVE.md 2, and the shapes of its 1.10 and 6 that are still taken.

import { parseDuration } from '@sluice/delivery'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { DURATION_PATTERN } from '../src/ducks.ts'
import {
  findKind,
  type JsonSchema,
  isBroker,
  isTrigger,
  jsonSchema,
  kindByName,
  kinds,
  triggerSettings,
} from '../src/index.ts'
import { BROKER, codes, load, one, triggerOf } from './files.ts'

const URI = 'subscriber: {uri: "http://127.0.0.1:9000/"}'

describe('defaults', () => {
  test('spec 8: a Broker without a class gets MTChannelBasedBroker', async () => {
    const broker = await one(BROKER)
    expect(broker.metadata.annotations).toEqual({ 'eventing.knative.dev/broker.class': 'MTChannelBasedBroker' })
    expect(isBroker(broker) && broker.spec).toEqual({})
  })

  test('spec 7: the class that a Broker names stays, and one that is not ours is a warning', async () => {
    const { resources, problems } = await load(
      'apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata:\n  name: b\n  annotations: {eventing.knative.dev/broker.class: RabbitMQBroker}\n',
    )
    expect(resources[0]?.resource.metadata.annotations['eventing.knative.dev/broker.class']).toBe('RabbitMQBroker')
    expect(problems.map(({ severity, code }) => [severity, code])).toEqual([
      ['warning', 'SLUICE_RESOURCE_CHANNEL_IGNORED'],
    ])
  })

  test('spec 3, spec 84: a Trigger names its Broker, and one without belongs to that called default', async () => {
    const trigger = await one(triggerOf(URI))
    expect(isTrigger(trigger) && trigger.spec.broker).toBe('default')
    expect(trigger.metadata.labels).toEqual({ 'eventing.knative.dev/broker': 'default' })
    expect(trigger.spec?.['filter']).toEqual({})
  })

  test('a brokerRef is the broker of that name', async () => {
    const trigger = await one(
      triggerOf(`brokerRef: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: shop}\n${URI}`),
    )
    expect(trigger.spec).toEqual({ broker: 'shop', filter: {}, subscriber: { uri: 'http://127.0.0.1:9000/' } })
  })

  test('a ref without a namespace points into that of its resource', async () => {
    const ref = '{apiVersion: v1, kind: Service, name: s}'
    const { spec } = await one(
      triggerOf(
        `subscriber: {ref: ${ref}}\ndelivery: {retry: 1, deadLetterSink: {ref: ${ref}}}`,
        'name: t\nnamespace: shop',
      ),
    )
    expect(spec).toMatchObject({
      subscriber: { ref: { namespace: 'shop' } },
      delivery: { deadLetterSink: { ref: { namespace: 'shop' } } },
    })
  })
})

describe('required fields', () => {
  test('spec 80, spec 85: a Trigger needs a subscriber', async () => {
    expect(await codes(triggerOf('broker: default'))).toEqual(['SLUICE_RESOURCE_MISSING_FIELD'])
    const withoutSpec = 'apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\n'
    expect(await codes(withoutSpec)).toEqual(['SLUICE_RESOURCE_MISSING_FIELD'])
  })

  test.each([
    ['spec 91', 'kind: Service, name: s', 'spec.subscriber.ref.apiVersion'],
    ['spec 92', 'apiVersion: v1, name: s', 'spec.subscriber.ref.kind'],
    ['spec 93', 'apiVersion: v1, kind: Service', 'spec.subscriber.ref.name'],
  ])('%s: a reference with only {%s} misses %s', async (_number, ref, missing) => {
    const { problems } = await load(triggerOf(`subscriber: {ref: {${ref}}}`))
    expect(problems.map(({ message }) => message)).toEqual([`missing field(s): ${missing}`])
  })

  test('spec 79: no field is required that the schema does not have', () => {
    for (const { fields = {}, required = [] } of kinds)
      expect(Object.keys(fields)).toEqual(expect.arrayContaining([...required]))
  })

  test('spec 1: what is malformed is refused whole, and nothing of it becomes a resource', async () => {
    const { resources, problems } = await load(triggerOf(`${URI}\nunknown: 1`))
    expect(resources).toEqual([])
    expect(problems.map(({ code }) => code)).toEqual(['SLUICE_RESOURCE_UNKNOWN_FIELD'])
  })
})

describe('the schema', () => {
  test('spec 78: all fields of Knative are there', () => {
    const { properties: broker } = findKind('eventing.knative.dev', 'Broker')!.fields!['spec']!
    expect(Object.keys(broker!)).toEqual(['config', 'delivery'])
    const { properties: trigger } = findKind('eventing.knative.dev', 'Trigger')!.fields!['spec']!
    expect(Object.keys(trigger!)).toEqual(['broker', 'brokerRef', 'filter', 'filters', 'subscriber', 'delivery'])
    expect(Object.keys(trigger!['delivery']!.properties!)).toEqual([
      'deadLetterSink',
      'retry',
      'timeout',
      'backoffPolicy',
      'backoffDelay',
      'retryAfterMax',
      'format',
    ])
    expect(Object.keys(trigger!['subscriber']!.properties!)).toEqual(['ref', 'uri', 'CACerts', 'audience'])
  })

  test('each kind that has fields has a strict JSON Schema which a draft 7 validator takes', () => {
    for (const kind of kinds.filter(({ fields }) => fields !== undefined)) {
      const schema = jsonSchema(kind)
      const validate = new Ajv({ strict: false }).compile(schema)
      const resource = {
        apiVersion: schema.properties!['apiVersion']!.enum![0],
        kind: kind.kind,
        metadata: { name: 'x' },
      }
      const { required = [] } = kind.fields!['spec'] ?? {}
      const ofField: Record<string, unknown> = { channel: { apiVersion: 'v1', kind: 'K', name: 'n' }, attributes: [] }
      const values = required.map((field) => [field, ofField[field] ?? {}])
      const spec = kind.required?.includes('spec') === true ? { spec: Object.fromEntries(values) } : {}
      expect([kind.kind, validate({ ...resource, ...spec })]).toEqual([kind.kind, true])
      expect([kind.kind, validate({ ...resource, ...spec, nonsense: 1 })]).toEqual([kind.kind, false])
    }
  })

  test('spec 103: the optional fields of a condition are described', () => {
    const { properties } = jsonSchema(findKind('eventing.knative.dev', 'Trigger')!).properties!['status']!
    const condition = properties!['conditions']!.items!
    expect(condition.required).toEqual(['type', 'status'])
    expect(Object.values(condition.properties!).map(({ description }) => typeof description)).toEqual(
      ['type', 'status', 'severity', 'lastTransitionTime', 'reason', 'message'].map(() => 'string'),
    )
  })

  test('each field of Broker and Trigger is described, for editors show it', () => {
    const undescribed: string[] = []
    for (const name of ['Broker', 'Trigger']) walk(jsonSchema(findKind('eventing.knative.dev', name)!), name)
    expect(undescribed).toEqual([])

    function walk(schema: JsonSchema, path: string): void {
      for (const [name, property] of Object.entries(schema.properties ?? {})) {
        if (property.description === undefined) undescribed.push(`${path}.${name}`)
        walk(property, `${path}.${name}`)
      }
    }
  })

  test.each([
    'PT30S',
    'PT0.2S',
    'PT0,5S',
    'P1DT2H',
    'P1W',
    'PT1M30S',
    'P',
    'PT',
    'P1M',
    'P1Y',
    '-PT1S',
    '30s',
    'PT',
    'P1DT',
    '',
    'PT1H1M1.5S',
  ])('the duration %j is taken here where the delivery package takes it', (text) => {
    let taken = true
    try {
      parseDuration(text)
    } catch {
      taken = false
    }
    expect(new RegExp(DURATION_PATTERN).test(text)).toBe(taken)
  })
})

describe('old forms', () => {
  test.each(['v1', 'v1beta1', 'v1alpha1'])('a Broker and a Trigger of %s are stored as v1', async (version) => {
    const { resources, problems } = await load(`${BROKER}---\n${triggerOf(URI)}`.replaceAll('dev/v1', `dev/${version}`))
    expect(problems).toEqual([])
    expect(resources.map(({ resource }) => resource.apiVersion)).toEqual([
      'eventing.knative.dev/v1',
      'eventing.knative.dev/v1',
    ])
  })

  test.each([
    ['{type: com.example.order, source: /shop}', { type: 'com.example.order', source: '/shop' }],
    ['{type: com.example.order, source: Any}', { type: 'com.example.order' }],
    ['{type: "", source: ""}', {}],
  ])('v1alpha1 sourceAndType %s becomes attributes', async (sourceAndType, attributes) => {
    const text = triggerOf(`filter: {sourceAndType: ${sourceAndType}}\n${URI}`).replace('dev/v1', 'dev/v1alpha1')
    expect((await one(text)).spec?.['filter']).toEqual({ attributes })
  })

  test('sourceAndType is an unknown field in v1', async () => {
    expect(await codes(triggerOf(`filter: {sourceAndType: {type: a}}\n${URI}`))).toEqual(['SLUICE_FILTER_INVALID'])
  })

  test('a bare object reference as subscriber is taken; in v1 with a warning', async () => {
    const text = `${BROKER}---\n${triggerOf('subscriber: {apiVersion: v1, kind: Service, name: s}')}`
    const subscriber = { ref: { apiVersion: 'v1', kind: 'Service', name: 's', namespace: 'default' } }
    const old = await load(text.replaceAll('dev/v1', 'dev/v1alpha1'))
    expect(old.resources[1]?.resource.spec?.['subscriber']).toEqual(subscriber)
    expect(old.problems.map(({ code }) => code)).toEqual(['SLUICE_RESOURCE_MISSING_REFERENCE'])
    const today = await load(text)
    expect(today.resources[1]?.resource.spec?.['subscriber']).toEqual(subscriber)
    expect(today.problems.map(({ code }) => code)).toContain('SLUICE_RESOURCE_OLD_FORM')
  })

  test('a mistake inside of a converted form stands where it was written', async () => {
    const { problems } = await load(
      triggerOf('subscriber:\n  apiVersion: v1\n  kind: Service\n  name: s\n  nmespace: x'),
    )
    expect(problems.find(({ code }) => code === 'SLUICE_RESOURCE_UNKNOWN_FIELD')).toMatchObject({ line: 10, column: 5 })
  })

  test('dnsName, the subscriber of the first Subscriptions, becomes a URL', async () => {
    const text = triggerOf('subscriber: {dnsName: billing.default.svc.cluster.local}').replace('dev/v1', 'dev/v1alpha1')
    expect((await one(text)).spec?.['subscriber']).toEqual({ uri: 'http://billing.default.svc.cluster.local' })
  })

  test('the channel template of a v1alpha1 Broker is left out with a warning', async () => {
    const text =
      'apiVersion: eventing.knative.dev/v1alpha1\nkind: Broker\nmetadata: {name: b}\nspec: {channelTemplateSpec: {kind: X}}\n'
    const { resources, problems } = await load(text)
    expect(resources[0]?.resource.spec).toEqual({})
    expect(problems.map(({ severity, path }) => [severity, path])).toEqual([['warning', 'spec.channelTemplateSpec']])
  })
})

describe('annotations of a Trigger', () => {
  test('say nothing by default', async () => {
    expect(triggerSettings(await one(triggerOf(URI)))).toEqual({ order: 'none', paused: false })
  })

  test('are read once, in their own types', async () => {
    const metadata = [
      'name: t',
      'annotations:',
      '  sluice.dev/order: key',
      '  sluice.dev/window: "10"',
      '  sluice.dev/concurrency: "4"',
      '  sluice.dev/rate: 2.5/s',
      '  sluice.dev/paused: "true"',
      '  sluice.dev/from: "2026-11-24T18:48:23Z"',
    ].join('\n')
    expect(triggerSettings(await one(triggerOf(URI, metadata)))).toEqual({
      order: 'key',
      window: 10,
      concurrency: 4,
      ratePerSecond: 2.5,
      paused: true,
      from: { time: Date.UTC(2026, 10, 24, 18, 48, 23) },
    })
  })

  test("Knative's ordered delivery is order by key", async () => {
    const metadata = 'name: t\nannotations: {kafka.eventing.knative.dev/delivery.order: ordered}'
    expect(triggerSettings(await one(triggerOf(URI, metadata))).order).toBe('key')
  })

  test('of others are kept as they are', async () => {
    const metadata = 'name: t\nannotations: {example.com/owner: me, constructor: them}'
    expect((await one(triggerOf(URI, metadata))).metadata.annotations).toEqual({
      'example.com/owner': 'me',
      constructor: 'them',
    })
  })
})

describe('a delivery without retry', () => {
  test.each(['Broker', 'Trigger'])('of a %s is a warning: the retries are gone (spec 82)', async (kind) => {
    const text = triggerOf(`${kind === 'Trigger' ? URI : 'config:'}\ndelivery: {timeout: PT1S}`).replace(
      'kind: Trigger',
      `kind: ${kind}`,
    )
    const { problems } = await load(`${kind === 'Trigger' ? BROKER : ''}---\n${text}`)
    expect(problems.map(({ severity, code }) => [severity, code])).toEqual([['warning', 'SLUICE_RESOURCE_NO_RETRY']])
  })

  test('no delivery, an empty line, and a retry of 0 are no warning', async () => {
    for (const delivery of ['', 'delivery:', 'delivery: {retry: 0}']) {
      expect(await codes(`${BROKER}---\n${triggerOf(`${URI}\n${delivery}`)}`)).toEqual([])
    }
  })
})

test('kinds are found by kind, plural, singular and short name in any case', () => {
  expect(
    ['Trigger', 'triggers', 'trigger', 'triggers.eventing.knative.dev'].map((name) => kindByName(name)?.kind),
  ).toEqual(Array.from({ length: 4 }, () => 'Trigger'))
  expect(['cm', 'svc', 'ksvc', 'imc'].map((name) => kindByName(name)?.plural)).toEqual([
    'configmaps',
    'services',
    'services',
    'inmemorychannels',
  ])
  expect(kindByName('constructor')).toBeUndefined()
})

test("plural and short names are Knative's (KNATIVE.md A.1)", () => {
  expect(namesOf('eventing.knative.dev')).toEqual(
    expect.arrayContaining([
      'brokers',
      'triggers',
      'eventtypes',
      'eventpolicies',
      'eventtransforms',
      'requestreplies rr',
      'kafkasinks',
    ]),
  )
  expect(namesOf('messaging.knative.dev')).toEqual(
    expect.arrayContaining([
      'channels ch',
      'subscriptions sub',
      'inmemorychannels imc',
      'kafkachannels kc',
      'natsjetstreamchannels natsjsmc',
    ]),
  )
  expect(namesOf('flows.knative.dev')).toEqual(['sequences', 'parallels'])
  expect(namesOf('sinks.knative.dev')).toEqual(expect.arrayContaining(['jobsinks', 'integrationsinks']))
  expect(namesOf('sources.knative.dev')).toEqual(
    expect.arrayContaining([
      'pingsources',
      'sinkbindings',
      'containersources',
      'apiserversources',
      'integrationsources',
      'kafkasources',
    ]),
  )
})

test('no two kinds are the same, and none of the core, Knative or ours is without a plural', () => {
  const names = kinds.map(({ group, kind }) => `${group}/${kind}`)
  expect(new Set(names).size).toBe(names.length)
  expect(kinds.filter(({ plural }) => plural === '')).toEqual([])
})

/** `plural short` of each kind of a group. */
function namesOf(group: string): string[] {
  return kinds.filter((kind) => kind.group === group).map(({ plural, shortNames }) => [plural, ...shortNames].join(' '))
}
