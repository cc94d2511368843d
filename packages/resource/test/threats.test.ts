// What a hostile file can't do (SECURITY.md 14, 16, 19).

import { describe, expect, test } from 'vitest'
import { formatProblems, loadFiles, YAML_LIMITS } from '../src/index.ts'
import { isRecord } from '../src/resource.ts'
import { codes, folderOf, load, loadFolder, one, triggerOf } from './files.ts'

const configMap = (data: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n${data}\n`
const usesOf = (count: number): string =>
  `  a: &a x\n${Array.from({ length: count }, (_, i) => `  k${i}: *a`).join('\n')}`
const TOO_LARGE = ['SLUICE_RESOURCE_TOO_LARGE']

describe('threat 16: YAML bombs', () => {
  test('billion laughs is refused after a bounded number of values', async () => {
    const levels = Array.from(
      { length: 9 },
      (_, i) => `  l${i + 1}: &l${i + 1} [${Array.from({ length: 9 }, () => `*l${i}`).join(', ')}]`,
    )
    expect(await codes(configMap(['  l0: &l0 [lol, lol]', ...levels].join('\n')))).toEqual(TOO_LARGE)
  })

  test('a merge bomb is refused', async () => {
    const levels = Array.from(
      { length: 9 },
      (_, i) =>
        `  l${i + 1}: &l${i + 1}\n    <<: [${Array.from({ length: 9 }, () => `*l${i}`).join(', ')}]\n    k${i}: v`,
    )
    expect(await codes(configMap(['  l0: &l0 {a: b}', ...levels].join('\n')))).toEqual(TOO_LARGE)
  })

  test('one anchor may be used a hundred times, and no more', async () => {
    expect(await codes(configMap(usesOf(YAML_LIMITS.aliasesMax)))).toEqual([])
    expect(await codes(configMap(usesOf(YAML_LIMITS.aliasesMax + 1)))).toEqual(TOO_LARGE)
  })

  test.each(['  a: &a [*a]', '  a: &a {b: {c: *a}}', '  a: &a {<<: *a}', '  a: &a [&b [*a], *b]'])(
    'an anchor that holds itself is an error: %s',
    async (data) => {
      const { problems } = await load(configMap(data))
      expect(problems.map(({ code }) => code)).toEqual(['SLUICE_RESOURCE_YAML'])
      expect(problems[0]?.message).toContain('has no end')
    },
  )

  test.each([
    '!!js/function "f"',
    '!!js/regexp /a/',
    '!!python/object/apply:os.system [id]',
    '!!binary aGk=',
    '!!set {a, b}',
    '!!timestamp 2026-01-01',
    '!custom x',
  ])('the tag of %s makes nothing but an error', async (value) => {
    expect(await codes(configMap(`  a: ${value}`))).toEqual(['SLUICE_RESOURCE_YAML'])
  })

  test("YAML 1.1's words and dates are text, whatever a directive says", async () => {
    const text = `%YAML 1.1\n---\n${configMap('  a: yes\n  b: 2026-01-01\n  c: 1_000\n  d: off')}`
    expect((await one(text))['data']).toEqual({ a: 'yes', b: '2026-01-01', c: '1_000', d: 'off' })
  })

  test('nesting ends at 100 levels, without a stack overflow', async () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{a: ', '}'],
    ] as const) {
      expect(await codes(configMap(`  a: ${open.repeat(100_000)}${close.repeat(100_000)}`))).toEqual(TOO_LARGE)
    }
    expect(
      await codes(configMap(`  a:\n${Array.from({ length: 200 }, (_, i) => `${' '.repeat(4 + i)}k:`).join('\n')}`)),
    ).toEqual(TOO_LARGE)
    expect(await codes('- '.repeat(50_000))).toEqual(TOO_LARGE)
    const { problems } = await loadFolder({ 'a.json': `{"a": ${'['.repeat(100_000)}${']'.repeat(100_000)}}` })
    expect(problems.map(({ code }) => code)).toEqual(TOO_LARGE)
  })

  test('a file, its documents and the values of one are bounded, each with its own number', async () => {
    expect(await codes(configMap('  a: b'), { fileBytesMax: 20 })).toEqual(TOO_LARGE)
    expect(await codes('---\n'.repeat(7), { documentsMax: 6 })).toEqual(TOO_LARGE)
    expect(await codes(configMap('  a: b\n  c: d'), { nodesMax: 5 })).toEqual(TOO_LARGE)
    expect(await codes(configMap(`  a: b\n${'  #\n'.repeat(1000)}`), { nodesMax: 20 })).toEqual(TOO_LARGE)
  })

  test('the defaults hold: 8 MiB, and a million documents are not read', async () => {
    expect(await codes(`# ${'x'.repeat(8 * 1024 * 1024)}`)).toEqual(TOO_LARGE)
    expect(await codes('---\n'.repeat(1_000_000))).toEqual(TOO_LARGE)
  })

  test('a hundred thousand keys in one mapping are compared in less than quadratic time, and refused', async () => {
    const data = Array.from({ length: 100_000 }, (_, i) => `  k${i}: v`).join('\n')
    expect(await codes(configMap(data))).toEqual(TOO_LARGE)
  })

  test('a key that is there twice is an error, at each place', async () => {
    expect(await codes(configMap('  a: b\n  a: c\n  a: d'))).toEqual([
      'SLUICE_RESOURCE_DUPLICATE_KEY',
      'SLUICE_RESOURCE_DUPLICATE_KEY',
    ])
  })

  test.each(['  [a, b]: c', '  {a: b}: c', '  : c', '  a: .nan', '  a: .inf'])(
    'what JSON has not is an error: %s',
    async (data) => {
      expect(await codes(configMap(data))).toEqual(['SLUICE_RESOURCE_YAML'])
    },
  )
})

describe('threat 14: prototype pollution', () => {
  const HOSTILE = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf']

  test.each(HOSTILE)('%s is a key of data, a label and an annotation like any other', async (key) => {
    const text = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  labels: {${key}: a}\n  annotations: {${key}: b}\ndata: {${key}: c}\n`
    const { metadata, data } = await one(text)
    for (const [map, value] of [
      [metadata.labels, 'a'],
      [metadata.annotations, 'b'],
      [{ ...(isRecord(data) && data) }, 'c'],
    ]) {
      expect(Object.entries(map ?? {})).toEqual([[key, value]])
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test.each(HOSTILE)('%s is an unknown field everywhere else', async (key) => {
    const text = triggerOf(`subscriber: {uri: "http://h/", ${key}: {polluted: 1}}\n${key}: {polluted: 1}`)
    expect(await codes(text)).toEqual(['SLUICE_RESOURCE_UNKNOWN_FIELD', 'SLUICE_RESOURCE_UNKNOWN_FIELD'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('merging a mapping with __proto__ changes no prototype', async () => {
    const { data } = await one(configMap('  <<: {__proto__: x, a: b}'))
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype)
    expect(Object.keys(data ?? {})).toEqual(['__proto__', 'a'])
  })

  test.each(HOSTILE)('%s as kind, group, version, dialect and name finds nothing inherited', async (key) => {
    expect(await codes(`apiVersion: v1\nkind: ${key}\nmetadata: {name: a}\n`)).toEqual(['SLUICE_RESOURCE_UNKNOWN_KIND'])
    expect(await codes(`apiVersion: ${key}/v1\nkind: A\nmetadata: {name: a}\n`)).toEqual([
      'SLUICE_RESOURCE_UNKNOWN_GROUP',
    ])
    expect(await codes(`apiVersion: eventing.knative.dev/${key}\nkind: Broker\nmetadata: {name: a}\n`)).toEqual([
      'SLUICE_RESOURCE_UNKNOWN_VERSION',
    ])
    expect(await codes(triggerOf(`subscriber: {uri: "http://h/"}\nfilters: [{${key}: {a: b}}]`))).toEqual([
      'SLUICE_FILTER_UNKNOWN_DIALECT',
    ])
  })
})

describe('threat 19: secrets stay out of messages', () => {
  test('neither a value nor a line of a file with a Secret is shown', async () => {
    const secret = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n'
    for (const text of [
      `${secret}data: {token: hunter2!}\n`,
      `${secret}stringData: {token: 424242}\n`,
      `${secret}stringData: hunter2\n`,
      `${secret}stringData:\n  token: "hunter2\n`,
      `${secret}stringData:\n  token: hunter2: x\n`,
      `${secret}---\n${triggerOf('subscribr: hunter2')}`,
    ]) {
      const { problems } = await load(text)
      expect(problems).not.toEqual([])
      expect(formatProblems(problems)).not.toMatch(/hunter2|424242/)
    }
  })
})

test('a file name with control characters is shown without them', async () => {
  const folder = await folderOf({ 'a\u{1b}[2J.yaml': '[' })
  const { problems } = await loadFiles([folder])
  expect(formatProblems(problems)).not.toContain('\u{1b}')
})
