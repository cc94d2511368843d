// Whatever is asked is answered, and nothing of it is a bug.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { configMap, CONFIG_MAPS, scene, trigger, TRIGGERS } from './scene.ts'

const step = fc.constantFrom('api', 'apis', 'v1', 'eventing.knative.dev', 'namespaces', 'default', 'triggers', 'brokers', 'secrets', 'customresourcedefinitions', 'apiextensions.k8s.io', 't', 'status', '__proto__', 'constructor', '', '%2F', '..', '%00', 'openapi', 'v3', 'v2', 'version') // prettier-ignore
const path = fc.oneof(
  fc.array(step, { maxLength: 8 }).map((steps) => `/${steps.join('/')}`),
  fc.constantFrom(TRIGGERS, `${TRIGGERS}/t`, CONFIG_MAPS, `${CONFIG_MAPS}/c`, '/api/v1/namespaces', '/api/v1/namespaces/default', '/api/v1/namespaces/default/secrets/s', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x.example.com'), // prettier-ignore
)
const word = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('true', 'All', '0', '-1', '1', 'a=b', 'metadata.name=t', 'Strict', 'Object', '9'.repeat(30))) // prettier-ignore
const parameter = fc.constantFrom('limit', 'continue', 'resourceVersion', 'resourceVersionMatch', 'labelSelector', 'fieldSelector', 'dryRun', 'fieldValidation', 'fieldManager', 'force', 'includeObject') // prettier-ignore
const query = fc.dictionary(parameter, word, { maxKeys: 3 }).map((each) => new URLSearchParams(each).toString())
const json = fc.jsonValue({ maxDepth: 4 })
const body = fc.oneof(
  json,
  fc.record({ metadata: json, spec: json }, { requiredKeys: [] }),
  fc.record({ metadata: fc.record({ name: word, labels: json, annotations: json, managedFields: json, ownerReferences: json, generateName: json }, { requiredKeys: [] }), spec: json, data: json }, { requiredKeys: [] }), // prettier-ignore
  fc.array(fc.record({ op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'), path: fc.constantFrom('', '/', '/spec', '/metadata/labels/a', '/metadata', '/x/-', '/metadata/managedFields/0', '/__proto__/x', 'y'), from: fc.constantFrom('/spec', '/metadata', ''), value: json }, { requiredKeys: ['op', 'path'] }), { maxLength: 4 }), // prettier-ignore
  fc.constant({
    spec: { names: null, versions: [null, {}, { name: 1 }], group: 'example.com' },
    metadata: { name: 'x.example.com' },
  }),
  fc.constant({
    spec: { names: { kind: 'X', plural: 'xs' }, versions: [{ name: 'v1' }], group: 'example.com' },
    metadata: { name: 'x.example.com' },
  }),
)
const type = fc.constantFrom('application/json', 'application/yaml', 'application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json', 'application/apply-patch+yaml', 'application/vnd.kubernetes.protobuf', 'text/plain', '') // prettier-ignore
const accept = fc.constantFrom('*/*', 'application/json', 'application/yaml', 'application/json;as=Table;v=v1;g=meta.k8s.io', 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', 'text/html', ';;;,=') // prettier-ignore

test('any request has an answer that is no 5xx, and the API goes on', async () => {
  const here = await scene()
  await here.ask('POST', TRIGGERS, trigger('t'))
  await here.ask('POST', CONFIG_MAPS, configMap('c', { a: 'b' }))
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'PATCH', 'DELETE', 'OPTIONS')
  await fc.assert(
    fc.asyncProperty(
      method,
      path,
      query,
      body,
      type,
      accept,
      async (how, where, asked, content, contentType, wanted) => {
        const hasBody = how !== 'GET' && how !== 'OPTIONS'
        const headers = { accept: wanted, ...(hasBody && { 'content-type': contentType }) }
        const { status, text } = await here.ask(how, `${where}?${asked}`, hasBody ? content : undefined, headers)
        expect(status, text).toBeLessThan(500)
      },
    ),
    { numRuns: 1500 },
  )
  expect((await here.ask('GET', '/version')).status).toBe(200)
  expect(({} as { x?: unknown }).x).toBeUndefined()
})

test('a body that nests without end, or repeats itself without end, is refused', async () => {
  const here = await scene()
  const deep = `{"metadata":{"name":"c"},"data":${'{"a":'.repeat(5000)}1${'}'.repeat(5001)}`
  expect((await here.ask('POST', CONFIG_MAPS, deep)).json.message).toMatch(/nests more than 100 levels deep/)
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, n) => `b${n}: &b${n} [${Array(9).fill(`*${n === 0 ? 'a' : `b${n - 1}`}`).join(',')}]`).join('\n')}` // prettier-ignore
  const yaml = await here.ask('POST', CONFIG_MAPS, bomb, { 'content-type': 'application/yaml' })
  expect(yaml.json).toMatchObject({ code: 400, reason: 'BadRequest' })
})
