// Server-side apply: who owns what, what is removed, and when it is a conflict.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { difference, fieldsOf, intersection, pathsOf, union, withoutFields, type Fields } from '../src/fields.ts'
import { configMap, CONFIG_MAPS, scene, trigger, TRIGGERS, type Answer, type Scene } from './scene.ts'

const MERGE = { 'content-type': 'application/merge-patch+json' }

function apply({ ask }: Scene, manager: string, data: object, query = ''): Promise<Answer> {
  const headers = { 'content-type': 'application/apply-patch+yaml' }
  return ask('PATCH', `${CONFIG_MAPS}/c?fieldManager=${manager}${query}`, configMap('c', data), headers)
}

function owned({ json }: Answer): Record<string, string[]> {
  const entries: { manager: string; operation: string; fieldsV1: Fields }[] = json.metadata.managedFields
  return Object.fromEntries(
    entries.map(({ manager, operation, fieldsV1 }) => [`${manager} ${operation}`, pathsOf(fieldsV1)]),
  )
}

describe('an apply', () => {
  test('creates what is not there, and the manager owns what it sent', async () => {
    const here = await scene()
    const answer = await apply(here, 'a', { x: '1' })
    expect([answer.status, answer.json.data]).toEqual([201, { x: '1' }])
    expect(owned(answer)).toEqual({ 'a Apply': ['.data.x'] })
  })

  test('again without a field removes it, unless somebody else has it too', async () => {
    const here = await scene()
    await apply(here, 'a', { x: '1', y: '2', z: '3' })
    await apply(here, 'b', { y: '2' })
    const answer = await apply(here, 'a', { x: '1' })
    expect(answer.json.data).toEqual({ x: '1', y: '2' })
    expect(owned(answer)).toEqual({ 'a Apply': ['.data.x'], 'b Apply': ['.data.y'] })
  })

  test('the same again changes nothing', async () => {
    const here = await scene()
    const first = await apply(here, 'a', { x: '1' })
    here.clock.advance(10_000)
    expect((await apply(here, 'a', { x: '1' })).json).toEqual(first.json)
  })

  test('that would change what another applied is a conflict, and changes nothing', async () => {
    const here = await scene()
    await apply(here, 'a', { x: '1', y: '1' })
    const { json } = await apply(here, 'b', { x: '2', y: '1' })
    expect(json).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "a": .data.x',
      details: { causes: [{ reason: 'FieldManagerConflict', field: '.data.x' }] },
    })
    expect(here.store.list()[0]).toMatchObject({ data: { x: '1' } })
  })

  test('that is forced takes the field over', async () => {
    const here = await scene()
    await apply(here, 'a', { x: '1', y: '1' })
    const answer = await apply(here, 'b', { x: '2' }, '&force=true')
    expect(answer.json.data).toEqual({ x: '2', y: '1' })
    expect(owned(answer)).toEqual({ 'a Apply': ['.data.y'], 'b Apply': ['.data.x'] })
  })

  test('conflicts with what was updated by other means; who updates takes fields over without asking', async () => {
    const here = await scene()
    await apply(here, 'a', { x: '1', y: '1' })
    const patched = await here.ask('PATCH', `${CONFIG_MAPS}/c?fieldManager=b`, { data: { x: '2' } }, MERGE)
    expect(owned(patched)).toEqual({ 'a Apply': ['.data.y'], 'b Update': ['.data.x'] })
    expect((await apply(here, 'a', { x: '1', y: '1' })).json.message).toBe(
      'Apply failed with 1 conflict: conflict with "b" using Update: .data.x',
    )
  })

  test('of a Trigger leaves defaults and what others wrote', async () => {
    const here = await scene()
    const headers = { 'content-type': 'application/apply-patch+yaml' }
    await here.ask('POST', TRIGGERS, trigger('t', { delivery: { retry: 3 } }), { 'user-agent': 'curl/8.0' })
    const yaml =
      'apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {labels: {a: b}}\nspec: {subscriber: {uri: "http://127.0.0.1:9000/"}}\n'
    const { json } = await here.ask('PATCH', `${TRIGGERS}/t?fieldManager=kubectl`, yaml, headers)
    expect(json).toMatchObject({
      metadata: { labels: { a: 'b' } },
      spec: { broker: 'default', delivery: { retry: 3 } },
    })
    expect(json.metadata.managedFields.map(({ manager }: { manager: string }) => manager)).toEqual(['curl', 'kubectl'])
  })

  test('may not say itself who owns what; an update may', async () => {
    const here = await scene()
    await apply(here, 'a', { x: '1' })
    const headers = { 'content-type': 'application/apply-patch+yaml' }
    const sent = { ...configMap('c'), metadata: { managedFields: [] } }
    expect((await here.ask('PATCH', `${CONFIG_MAPS}/c`, sent, headers)).json.message).toBe(
      'metadata.managedFields must be nil',
    )
    const cleared = [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }] // kubectl moves from one way to the other so
    const { json } = await here.ask('PATCH', `${CONFIG_MAPS}/c`, cleared, {
      'content-type': 'application/json-patch+json',
    })
    expect(json.data).toEqual({ x: '1' })
  })

  test('by ever new managers does not grow without bound', async () => {
    const here = await scene()
    for (let n = 0; n < 60; n++) await apply(here, `m${n}`, { [`k${n}`]: 'x' })
    const { managedFields } = (await here.ask('GET', `${CONFIG_MAPS}/c`)).json.metadata
    expect(managedFields).toHaveLength(50)
    expect(managedFields[0]).toMatchObject({ manager: 'ancient-changes', operation: 'Update' })
  })
})

describe('sets of fields', () => {
  /** A name that is a mapping in one object is none in another. */
  const inner = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constant(1), { minKeys: 1 })
  const object = fc.record(
    {
      x: fc.constant(1),
      y: fc.constant(2),
      m: inner,
      n: fc.record({ o: inner, p: fc.constant(3) }, { requiredKeys: ['p'] }),
    },
    { requiredKeys: [] },
  )
  const leaves = (value: unknown): string[] => pathsOf(fieldsOf(value)).toSorted((x, y) => (x < y ? -1 : 1))

  test('what is removed is gone, and nothing else is', () => {
    fc.assert(
      fc.property(object, object, (a, b) => {
        const [x, y] = [fieldsOf(a), fieldsOf(b)]
        const shared = new Set(pathsOf(intersection(x, y)))
        const left = leaves(withoutFields(a, intersection(x, y)))
        expect(left.filter((path) => shared.has(path))).toEqual([])
        for (const path of leaves(a)) if (!shared.has(path)) expect(left).toContain(path)
      }),
    )
  })

  test('the union holds both, and the difference with the other nothing of it', () => {
    fc.assert(
      fc.property(object, object, (a, b) => {
        const [x, y] = [fieldsOf(a), fieldsOf(b)]
        expect(pathsOf(difference(x, union(x, y)))).toEqual([])
        expect(intersection(difference(x, y), y)).toEqual({})
      }),
    )
  })
})
