// What the store promises to those who write and to those who listen.

import { manualClock } from '@sluice/clock'
import { describe, expect, test } from 'vitest'
import {
  admit,
  formatProblems,
  keyOf,
  resourceStore,
  type Change,
  type Declared,
  type ResourceStore,
  type Status,
} from '../src/index.ts'
import { BROKER, load, triggerOf } from './files.ts'

const START = Date.UTC(2026, 10, 24, 18, 48, 23)
const NOW = '2026-11-24T18:48:23Z'

async function declared(...texts: string[]): Promise<readonly Declared[]> {
  return (await load(texts.join('---\n'))).resources
}

function open(): { store: ResourceStore; clock: ReturnType<typeof manualClock>; changes: Change[] } {
  const clock = manualClock(START)
  const store = resourceStore({ clock })
  const changes: Change[] = []
  store.subscribe((change) => changes.push(change))
  return { store, clock, changes }
}

const trigger = (broker = 'default', path = ''): string =>
  triggerOf(`broker: ${broker}\nsubscriber: {uri: "http://127.0.0.1:9000/${path}"}`)
const FILES = { source: 'files' }

describe('apply', () => {
  test('spec 81: gives generation, resourceVersion and creation time, and every change has a resourceVersion of its own', async () => {
    const { store, changes } = open()
    store.apply(await declared(BROKER, trigger()), FILES)
    expect(
      store.list().map(({ metadata }) => [metadata.generation, metadata.resourceVersion, metadata.creationTimestamp]),
    ).toEqual([
      [1, '1', NOW],
      [1, '2', NOW],
    ])
    expect(store.resourceVersion()).toBe('2')
    expect(changes.map(({ added }) => added.length)).toEqual([2])
  })

  test('the same again changes nothing and tells nobody', async () => {
    const { store, changes } = open()
    store.apply(await declared(BROKER, trigger()), FILES)
    const { change } = store.apply(await declared(BROKER, trigger()), FILES)
    expect(change).toEqual({ resourceVersion: '2', added: [], updated: [], removed: [] })
    expect(changes).toHaveLength(1)
  })

  test('spec 19: a subscriber may change; the generation grows with the spec, and not with a label', async () => {
    const { store, changes } = open()
    store.apply(await declared(BROKER, trigger()), FILES)
    const key = keyOf(store.list()[1]!)
    store.apply(await declared(BROKER, trigger('default', 'new')), FILES)
    expect(store.get(key)?.metadata).toMatchObject({ generation: 2, resourceVersion: '3', creationTimestamp: NOW })
    store.apply(
      await declared(BROKER, trigger('default', 'new').replace('name: t', 'name: t\n  labels: {a: b}')),
      FILES,
    )
    expect(store.get(key)?.metadata).toMatchObject({ generation: 2, resourceVersion: '4' })
    expect(changes.slice(1).map(({ updated }) => updated.map(({ specChanged }) => specChanged))).toEqual([
      [true],
      [false],
    ])
  })

  test('data of a ConfigMap is spec-like', async () => {
    const { store } = open()
    const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n'
    store.apply(await declared(text), FILES)
    store.apply(await declared(text.replace('a: b', 'a: c')), FILES)
    expect(store.list()[0]?.metadata.generation).toBe(2)
  })

  test('what a source has no longer is removed; that of another source stays', async () => {
    const { store, changes } = open()
    store.apply(await declared(BROKER, trigger()), FILES)
    store.apply(await declared(BROKER.replace('default', 'other')), { source: 'api' })
    store.apply(await declared(BROKER), FILES)
    expect(store.list().map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'Broker default',
      'Broker other',
    ])
    expect(changes.at(-1)?.removed.map(({ kind }) => kind)).toEqual(['Trigger'])
  })

  test.each([
    [
      'spec 9',
      'class',
      BROKER,
      BROKER.replace('default', 'default, annotations: {eventing.knative.dev/broker.class: Kafka}'),
    ],
    ['spec 10', 'config', BROKER, `${BROKER}spec: {config: {apiVersion: v1, kind: ConfigMap, name: c}}\n`],
    ['spec 18', 'broker', trigger(), trigger('other')],
  ])(
    '%s: the %s of what is there may not change, and nothing of the apply is done',
    async (_number, _what, before, after) => {
      const { store, changes } = open()
      store.apply(await declared(before), FILES)
      const applied = store.apply(await declared(after, BROKER.replace('default', 'added')), FILES)
      expect(applied.problems?.map(({ code }) => code)).toEqual(['SLUICE_RESOURCE_IMMUTABLE'])
      expect(store.list().map(({ metadata }) => metadata.resourceVersion)).toEqual(['1'])
      expect(changes).toHaveLength(1)
    },
  )

  test('what was refused is told with its place, the old and the new value, and what to do', async () => {
    const { store } = open()
    store.apply(await declared(trigger()), FILES)
    const loaded = await load(trigger('other'))
    const { problems } = store.apply(loaded.resources, { ...FILES, locate: loaded.locate })
    expect(formatProblems(problems!).replaceAll(/\S+\/a\.yaml/g, 'a.yaml')).toBe(
      [
        'SLUICE_RESOURCE_IMMUTABLE  a.yaml:6:11, Trigger default/t',
        '  Immutable fields changed (-old +new): spec.broker',
        '  -default',
        '  +other',
        "  spec.broker can't be changed: delete the Trigger and create it again.",
      ].join('\n'),
    )
  })

  test('a resource that moves between files is the same, and its origin the new one', async () => {
    const { store, changes } = open()
    const [broker] = await declared(BROKER)
    store.apply([broker!], FILES)
    store.apply([{ ...broker!, origin: { file: 'b.yaml', line: 7, column: 1 } }], FILES)
    expect(store.origin(keyOf(broker!.resource))).toEqual({ file: 'b.yaml', line: 7, column: 1 })
    expect(changes).toHaveLength(1)
  })

  test('a resource of another source is not taken over', async () => {
    const { store } = open()
    store.apply(await declared(BROKER), FILES)
    const { problems } = store.apply(await declared(BROKER), { source: 'api' })
    expect(problems?.map(({ code }) => code)).toEqual(['SLUICE_RESOURCE_OWNED'])
  })

  test('a resource that was read before somebody changed it is refused', async () => {
    const { store } = open()
    store.apply(await declared(trigger()), FILES)
    const read = store.list()[0]!
    store.apply([{ resource: { ...read, spec: { ...read.spec, filter: { attributes: { type: 'a' } } } } }], FILES)
    const { problems } = store.apply([{ resource: { ...read, spec: { ...read.spec, filter: {} } } }], FILES)
    expect(problems?.map(({ code }) => code)).toEqual(['SLUICE_RESOURCE_CONFLICT'])
  })
})

const ready = (status: 'True' | 'False', reason?: string): Status => ({
  observedGeneration: 1,
  conditions: [{ type: 'Ready', status, ...(reason !== undefined && { reason, message: reason }) }],
})

describe('status', () => {
  test('spec 83: conditions and observedGeneration change together, and leave the generation alone', async () => {
    const { store, changes } = open()
    store.apply(await declared(BROKER), FILES)
    const key = keyOf(store.list()[0]!)
    expect(store.setStatus(key, ready('True'))).toBe(true)
    expect(store.get(key)).toMatchObject({
      metadata: { generation: 1, resourceVersion: '2' },
      status: { observedGeneration: 1, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: NOW }] },
    })
    expect(changes.at(-1)?.updated.map(({ before, specChanged }) => [before.status, specChanged])).toEqual([
      [undefined, false],
    ])
  })

  test('lastTransitionTime moves only when the status of its condition does', async () => {
    const { store, clock } = open()
    store.apply(await declared(BROKER), FILES)
    const key = keyOf(store.list()[0]!)
    const time = (): unknown => store.get(key)?.status?.conditions[0]?.lastTransitionTime
    store.setStatus(key, ready('False', 'A'))
    clock.advance(60_000)
    store.setStatus(key, ready('False', 'B'))
    expect(time()).toBe(NOW)
    store.setStatus(key, ready('True'))
    expect(time()).toBe('2026-11-24T18:49:23Z')
  })

  test('the same status, one of an older generation, and one of what is gone change nothing', async () => {
    const { store } = open()
    store.apply(await declared(trigger()), FILES)
    const key = keyOf(store.list()[0]!)
    store.setStatus(key, { ...ready('True'), observedGeneration: 2 })
    expect(store.setStatus(key, { ...ready('True'), observedGeneration: 2 })).toBe(false)
    expect(store.setStatus(key, ready('False', 'A'))).toBe(false)
    expect(store.setStatus('//default/gone', ready('True'))).toBe(false)
    expect(store.resourceVersion()).toBe('2')
  })

  test('a new spec keeps the status until there is a new one', async () => {
    const { store } = open()
    store.apply(await declared(trigger()), FILES)
    const key = keyOf(store.list()[0]!)
    store.setStatus(key, ready('True'))
    store.apply(await declared(trigger('default', 'new')), FILES)
    expect(store.get(key)).toMatchObject({ metadata: { generation: 2 }, status: { observedGeneration: 1 } })
  })
})

test('every listener hears all changes in one order, also what another listener commits', async () => {
  const store = resourceStore({ clock: manualClock(START) })
  const heard: string[] = []
  const status = { observedGeneration: 1, conditions: [] }
  store.subscribe(({ added, resourceVersion }) => {
    heard.push(`first ${resourceVersion}`)
    for (const resource of added) store.setStatus(keyOf(resource), status)
  })
  const leave = store.subscribe(({ resourceVersion }) => void heard.push(`second ${resourceVersion}`))
  store.apply(await declared(BROKER), FILES)
  expect(heard).toEqual(['first 1', 'second 1', 'first 2', 'second 2'])
  leave()
  store.apply([], FILES)
  expect(heard.slice(4)).toEqual(['first 3'])
})

test('lists are those of one group and kind if asked', async () => {
  const { store } = open()
  store.apply(await declared(BROKER, trigger()), FILES)
  expect(store.list({ group: 'eventing.knative.dev', kind: 'Broker' })).toHaveLength(1)
  expect(store.list({ group: 'messaging.knative.dev', kind: 'Broker' })).toEqual([])
})

test('what is brought again as the very same object is not looked at; where it stands now is kept', () => {
  const store = resourceStore({ clock: manualClock() })
  const { resource } = admit({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { a: '1' } })
  const at = (line: number): Declared => ({ resource: resource!, origin: { file: 'a.yaml', line, column: 1 } })
  store.apply([at(1)], { source: 'files' })
  const stored = store.get(keyOf(resource!))
  const { change } = store.apply([at(5)], { source: 'files' })
  expect(change).toMatchObject({ added: [], updated: [], removed: [] })
  expect(store.get(keyOf(resource!))).toBe(stored)
  expect(store.origin(keyOf(resource!))?.line).toBe(5)
  expect(store.apply([at(5)], { source: 'api' }).problems).toMatchObject([{ code: 'SLUICE_RESOURCE_OWNED' }])
})
