// Which files are read, what YAML they may hold, and where problems stand.

import { mkdir, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatProblems, isTrigger, loadFiles, resourceUid, type Loaded } from '../src/index.ts'
import { readJson } from '../src/json.ts'
import { BROKER, codes, folderOf, load, loadFolder, one, triggerOf } from './files.ts'

const configMap = (name: string, data = '{}'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: ${data}\n`

function names({ resources }: Loaded): string[] {
  return resources.map(({ resource }) => resource.metadata.name)
}

test('folders are read recursively and sorted: .yaml, .yml and .json, without hidden names and node_modules', async () => {
  const loaded = await loadFolder({
    'b.yml': configMap('b'),
    'a/z.yaml': configMap('z'),
    'a/c.json': '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}',
    'notes.txt': 'not: [yaml',
    '.hidden.yaml': 'not: [yaml',
    '.git/x.yaml': 'not: [yaml',
    'node_modules/p/x.yaml': 'not: [yaml',
  })
  expect(loaded.problems).toEqual([])
  expect(names(loaded)).toEqual(['c', 'z', 'b'])
})

test('a file that is named itself is read whatever its name, and one that is named twice once', async () => {
  const folder = await folderOf({ 'config.txt': configMap('a') })
  const loaded = await loadFiles([join(folder, 'config.txt'), join(folder, 'config.txt')])
  expect(loaded.problems).toEqual([])
  expect(names(loaded)).toEqual(['a'])
})

test('links are followed, in circles too, and each file is read once', async () => {
  const folder = await folderOf({ 'real/a.yaml': configMap('a') })
  await symlink(folder, join(folder, 'real', 'up'))
  await symlink(join(folder, 'real', 'a.yaml'), join(folder, 'link.yaml'))
  await symlink('self.yaml', join(folder, 'self.yaml'))
  const loaded = await loadFiles([folder])
  expect(names(loaded)).toEqual(['a'])
  expect(loaded.problems.map(({ code, message }) => [code, message])).toEqual([
    ['SLUICE_RESOURCE_UNREADABLE', 'The link leads to itself.'],
  ])
})

test('fault 43: the folder of a Kubernetes ConfigMap, whose files are links that are swapped', async () => {
  const folder = await folderOf({ '..one/a.yaml': configMap('before'), '..two/a.yaml': configMap('after') })
  await symlink('..one', join(folder, '..data'))
  await symlink('..data/a.yaml', join(folder, 'a.yaml'))
  expect(names(await loadFiles([folder]))).toEqual(['before'])
  await symlink('..two', join(folder, '..next'))
  await rename(join(folder, '..next'), join(folder, '..data'))
  expect(names(await loadFiles([folder]))).toEqual(['after'])
})

test('fault 43: a file that is missing, removed or half written is an error with its place, and nothing is thrown', async () => {
  const folder = await folderOf({ 'a.yaml': BROKER.slice(0, -3) })
  const half = await loadFiles([folder])
  expect(half.resources).toEqual([])
  expect(half.problems.map(({ code, line }) => [code, line])).toEqual([['SLUICE_RESOURCE_YAML', 3]])
  await unlink(join(folder, 'a.yaml'))
  const gone = await loadFiles([join(folder, 'a.yaml')])
  expect(gone.problems.map(({ code }) => code)).toEqual(['SLUICE_RESOURCE_UNREADABLE'])
})

test('no more files are read than may be, and that is an error', async () => {
  const files = { 'a.yaml': configMap('a'), 'b.yaml': configMap('b'), 'c.yaml': configMap('c') }
  const loaded = await loadFolder(files, { filesMax: 2 })
  expect(names(loaded)).toEqual(['a', 'b'])
  expect(loaded.problems.map(({ severity, code, file }) => [severity, code, file])).toEqual([
    ['error', 'SLUICE_RESOURCE_TOO_LARGE', 'c.yaml'],
  ])
})

test('a folder without files is a warning', async () => {
  const folder = await folderOf({})
  await mkdir(join(folder, 'empty'))
  const { problems } = await loadFiles([folder])
  expect(problems.map(({ severity, code }) => [severity, code])).toEqual([['warning', 'SLUICE_RESOURCE_NO_FILES']])
})

test('a file that is not UTF-8 is an error; a byte order mark and Windows lines are none', async () => {
  const folder = await folderOf({
    'a.yaml': Buffer.from([0xff, 0xfe, 0x61]),
    'b.yaml': `\u{FEFF}${configMap('b').replaceAll('\n', '\r\n')}`,
  })
  const loaded = await loadFiles([folder])
  expect(loaded.problems.map(({ message }) => message)).toEqual(['The file is not UTF-8.'])
  expect(names(loaded)).toEqual(['b'])
})

test('an empty file, empty documents and comments are no resources and no mistakes', async () => {
  const loaded = await loadFolder({
    'empty.yaml': '',
    'comment.yaml': '# nothing\n',
    'many.yaml': `---\n---\n# one\n${configMap('a')}---\n\n---\n# two\n---\n${configMap('b')}...\n---\n`,
  })
  expect(loaded.problems).toEqual([])
  expect(names(loaded)).toEqual(['a', 'b'])
})

test('a .json file is JSON and no more, in any spelling of its ending; the same text in a .yaml file is YAML', async () => {
  const text = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {},}'
  const { problems } = await loadFolder({ 'a.json': `\n  ${text}` })
  expect(problems.map(({ code, line, column }) => [code, line, column])).toEqual([['SLUICE_RESOURCE_JSON', 2, 83]])
  const folder = await folderOf({ 'named.JSON': text })
  expect((await loadFiles([join(folder, 'named.JSON')])).problems).toHaveLength(1)
  expect(names(await loadFolder({ 'a.yaml': text }))).toEqual(['c'])
})

test('an empty .json file, one with a byte order mark and one indented by tabs are no mistakes', async () => {
  const resource = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: 'ü' } }
  const loaded = await loadFolder({
    'a.json': '\n',
    'b.json': `\u{FEFF}${JSON.stringify(resource, null, '\t')}`,
  })
  expect(loaded.problems).toEqual([])
  expect(loaded.resources.map(({ resource: { data } }) => data)).toEqual([{ a: 'ü' }])
})

test('all that JSON can hold is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), fc.constantFrom(0, 2, '\t'), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      const [document, ...others] = readJson(text)
      expect(document).toMatchObject({ faults: [] })
      expect(document!.value).toEqual(JSON.parse(text))
      expect(others).toEqual([])
    }),
  )
})

test('anchors and merge keys work within a document', async () => {
  const { spec } = await one(
    triggerOf(
      [
        'subscriber: &sink {uri: "http://127.0.0.1:9000/"}',
        'delivery:',
        '  retry: 3',
        '  deadLetterSink:',
        '    <<: *sink',
        '    audience: me',
      ].join('\n'),
    ),
  )
  expect(spec).toMatchObject({ delivery: { deadLetterSink: { uri: 'http://127.0.0.1:9000/', audience: 'me' } } })
})

test('what an alias stands for is a copy: no two places of a resource are one object', async () => {
  const ref = '{apiVersion: v1, kind: Service, name: s}'
  const trigger = await one(triggerOf(`subscriber: &s {ref: ${ref}}\ndelivery: {retry: 1, deadLetterSink: *s}`))
  if (!isTrigger(trigger)) throw new Error('no Trigger')
  const { subscriber, delivery } = trigger.spec
  expect(subscriber).toEqual(delivery?.deadLetterSink)
  expect(subscriber).not.toBe(delivery?.deadLetterSink)
  expect(subscriber.ref).not.toBe(delivery?.deadLetterSink?.ref)
})

test('an anchor that is set again is the newer one from there on, and copies keep what they had', async () => {
  const { data } = await one(
    configMap('c', '\n  a: &x one\n  b: *x\n  c: &x two\n  d: *x').replace('data: \n', 'data:\n'),
  )
  expect(data).toEqual({ a: 'one', b: 'one', c: 'two', d: 'two' })
})

test('in a copy, an alias stands for what it stood for where it was written', async () => {
  const text = triggerOf('a: &a 1\nb: &b {x: *a, y: &c 2}\nc: &a 3\nd: &c 4\ne: *b\nf: [*a, *c]').replace(
    'Trigger',
    'Thing',
  )
  const { spec } = await one(text.replace('eventing.knative.dev', 'example.com'))
  expect(spec).toEqual({ a: 1, b: { x: 1, y: 2 }, c: 3, d: 4, e: { x: 1, y: 2 }, f: [3, 4] })
})

test('a mistake in what was merged or aliased stands where it was written', async () => {
  const { problems } = await load(
    triggerOf('subscriber: &s\n  uri: http://h/\n  adience: me\ndelivery:\n  retry: 1\n  deadLetterSink:\n    <<: *s'),
  )
  expect(problems.map(({ line, column, path }) => [line, column, path])).toEqual([
    [8, 5, 'spec.subscriber.adience'],
    [8, 5, 'spec.delivery.deadLetterSink.adience'],
  ])
})

test('the items of a List are resources with places of their own', async () => {
  const text = `apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: b}\n  dtaa: {}\n`
  const { resources, problems } = await load(text)
  expect(resources.map(({ resource, origin }) => [resource.metadata.name, origin?.line, origin?.column])).toEqual([
    ['a', 4, 3],
  ])
  expect(problems.map(({ line, column, hint }) => [line, column, hint])).toEqual([[10, 3, 'Did you mean data?']])
})

test('what kubectl get -o yaml printed can be applied: what a server wrote is left out', async () => {
  const resource = await one(`apiVersion: eventing.knative.dev/v1
kind: Broker
metadata:
  name: default
  namespace: shop
  uid: 3b4f5e1e-0000-0000-0000-000000000000
  resourceVersion: "12345"
  generation: 7
  creationTimestamp: null
  managedFields: [{manager: kubectl}]
status:
  conditions: [{type: Ready, status: "True"}]
`)
  expect(resource.metadata).toMatchObject({ resourceVersion: '', generation: 0, creationTimestamp: '' })
  expect(resource.metadata.uid).toBe(
    resourceUid({ group: 'eventing.knative.dev', kind: 'Broker', namespace: 'shop', name: 'default' }),
  )
  expect(resource).not.toHaveProperty('status')
})

test('a uid is a UUIDv5 that never changes: durable subscriptions are known by it', () => {
  const uid = resourceUid({ group: 'eventing.knative.dev', kind: 'Trigger', namespace: 'default', name: 'orders' })
  expect(uid).toBe('dbb425cc-12fe-517a-aaab-c1a5db4020dd')
  expect(uid).toMatch(/^[\da-f]{8}-[\da-f]{4}-5[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
})

test('all problems of all files come at once, in the order of files and lines', async () => {
  const wrong = triggerOf('brokr: a\nsubscriber: {uri: x}')
  const { problems } = await loadFolder({
    'b.yaml': wrong,
    'a.yaml': `${wrong}---\na: [\n---\n${wrong.replace('name: t', 'name: u')}`,
  })
  expect(problems.map(({ file, line }) => `${file}:${line}`)).toEqual([
    'a.yaml:6',
    'a.yaml:7',
    'a.yaml:10',
    'a.yaml:16',
    'a.yaml:17',
    'b.yaml:4',
    'b.yaml:6',
    'b.yaml:7',
  ])
})

test('the same mistake ten thousand times is told a thousand times, and how many more there are', async () => {
  const text = Array.from({ length: 1200 }, (_, index) => configMap(`c${index}`).replace('data', 'dta')).join('---\n')
  const { problems } = await load(text)
  expect(problems).toHaveLength(1001)
  expect(problems.at(-1)).toMatchObject({
    code: 'SLUICE_RESOURCE_MORE_PROBLEMS',
    message: 'There are 200 problems more.',
  })
})

test('a place that is asked for later is found again', async () => {
  const loaded = await load(`${BROKER}---\n# here\n${triggerOf('broker: default\nsubscriber: {uri: "http://h/"}')}`)
  const trigger = loaded.resources[1]!
  expect(loaded.locate(trigger, ['spec', 'broker'])).toMatchObject({ line: 11, column: 11 })
  expect(loaded.locate(trigger, ['spec', 'delivery', 'retry'])).toMatchObject({ line: 10, column: 1 })
})

test('what a file holds moves no cursor and turns no text around in the terminal', async () => {
  const { problems } = await load(triggerOf('subscriber: {uri: "http://h/"}\n"\\e[2J\\u202egnp": 1'))
  // oxlint-disable-next-line no-control-regex
  expect(formatProblems(problems)).not.toMatch(/[\u{0}-\u{9}\u{b}-\u{1f}\u{202e}]/u)
})

test('a missing broker is no warning while a file could not be read: it may stand there', async () => {
  const trigger = triggerOf('subscriber: {uri: "http://h/"}')
  expect(await codes(trigger)).toEqual(['SLUICE_RESOURCE_MISSING_REFERENCE'])
  expect(await codes(`${trigger}---\n{`)).toEqual(['SLUICE_RESOURCE_YAML'])
})

test('a relative path in messages is that below the working directory', async () => {
  const folder = await folderOf({ 'a.yaml': '[' })
  const before = process.cwd()
  process.chdir(folder)
  try {
    await writeFile('b.yaml', '[')
    const { problems } = await loadFiles(['a.yaml', './b.yaml'])
    expect(problems.map(({ file }) => file)).toEqual(['a.yaml', 'b.yaml'])
  } finally {
    process.chdir(before)
  }
})
