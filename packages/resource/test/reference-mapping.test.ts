// config-kreference-mapping: where objects are reached that have no address here (KNATIVE.md 1.11).

import { expect, test } from 'vitest'
import { mappedUrl } from '../src/reference-mapping.ts'
import { codes, load, one } from './files.ts'

function mapping(lines: string): string {
  const data = lines.replaceAll(/^/gm, '  ')
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config-kreference-mapping, namespace: knative-eventing}\ndata:\n${data}\n`
}

const SHOP = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', namespace: 'default', name: 'shop' }

test.each([
  ['http://127.0.0.1:9000/', 'http://127.0.0.1:9000/'],
  ['http://{{.Name}}.{{ .Namespace }}.example.com', 'http://shop.default.example.com'],
  ['https://gateway/{{ .SystemNamespace }}/{{ .UID }}', 'https://gateway/knative-eventing/u-1'],
])('%s is %s', async (template, url) => {
  const written = await one(mapping(`Service.v1.serving.knative.dev: "${template}"`))
  expect(mappedUrl(SHOP, written, 'u-1')).toBe(url)
  expect(mappedUrl({ ...SHOP, kind: 'Route' }, written)).toBeUndefined()
  expect(mappedUrl({ ...SHOP, apiVersion: 'v1' }, written)).toBeUndefined()
})

test('the core group has no name, with its point or without', async () => {
  const core = { ...SHOP, apiVersion: 'v1' }
  expect(mappedUrl(core, await one(mapping('Service.v1: http://a/')))).toBe('http://a/')
  expect(mappedUrl(core, await one(mapping('Service.v1.: http://b/')))).toBe('http://b/')
})

test.each([
  ['Service.v1.serving.knative.dev: "{{ .Name }}"', ['SLUICE_RESOURCE_INVALID']],
  ['Service.v1.serving.knative.dev: "http://{{ .Nmae }}/"', ['SLUICE_RESOURCE_INVALID']],
  ['services: http://127.0.0.1/', ['SLUICE_RESOURCE_INVALID']],
  ['_example: anything at all', []],
])('%s: %j', async (lines, expected) => {
  expect(await codes(mapping(lines))).toEqual(expected)
})

test('what it says is not missing in the files', async () => {
  const trigger =
    'apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\n' +
    'spec: {subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: shop}}}\n'
  const broker = 'apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: default}\n'
  const all = `${broker}---\n${trigger}`
  expect((await load(all)).problems.map(({ code }) => code)).toEqual(['SLUICE_RESOURCE_MISSING_REFERENCE'])
  expect(
    (await load(`${all}---\n${mapping('Service.v1.serving.knative.dev: http://127.0.0.1:9000/')}`)).problems,
  ).toEqual([])
})
