// Files that change while `sluice up` runs: what is right is applied within a second and at once, what is wrong changes
// nothing, and no way to write a file loses anything (faults 41 to 46).

import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync, appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { load } from '../support/load.ts'
import { acceptedEvents, readMetric, readResource, settled } from '../support/ops.ts'
import { folderOf, startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, idsOf, subscriber } from '../support/subscriber.ts'

const NOWHERE = 'http://127.0.0.1:9/'

/** Writes a file of the folder as an editor does: beside it, then in its place. */
function save({ folder }: Pick<Sluice, 'folder'>, name: string, text: string): void {
  writeFileSync(join(folder, `.${name}.new`), text)
  renameSync(join(folder, `.${name}.new`), join(folder, name))
}

/** Resolves with what standard error has after `from` characters once it matches. */
async function told(sluice: Sluice, pattern: RegExp, from = 0): Promise<string> {
  await sluice.stderr.until(new RegExp(`^[^]{${from}}[^]*?${pattern.source}`))
  return sluice.stderr.soFar().slice(from)
}

async function readyz({ api }: Sluice): Promise<[number, string]> {
  const response = await fetch(`${api}/readyz`)
  return [response.status, await response.text()]
}

async function triggersOf({ api }: Sluice): Promise<string[]> {
  const response = await fetch(`${api}/apis/eventing.knative.dev/v1/namespaces/default/triggers`)
  const { items }: { items: { metadata: { name: string } }[] } = JSON.parse(await response.text())
  return items.map(({ metadata }) => metadata.name)
}

test('fault 42: each event is judged by one version of the files, through edits under load: no gap, no double', async () => {
  const [one, other] = [await subscriber(), await subscriber()]
  // The two take turns in what they want: an event that saw half a change would go to both, or to neither.
  const version = (first: string, second: string): string =>
    broker() +
    trigger('one', one.url, [`filter: {attributes: {type: ${first}}}`]) +
    trigger('other', other.url, [`filter: {attributes: {type: ${second}}}`])
  // In memory: what is under way at the end is delivered before the end.
  const sluice = await startSluice({ 'shop.yaml': version('t', 'u') }, ['--channel', 'memory'])
  const senders = load(sluice.broker, 8)
  for (let edit = 0; edit < 6; edit++) {
    await senders.acceptedAtLeast(senders.accepted.size + 200)
    const from = sluice.stderr.soFar().length
    save(sluice, 'shop.yaml', edit % 2 === 0 ? version('u', 't') : version('t', 'u'))
    await told(sluice, /0 added, 2 changed, 0 removed/, from)
  }
  await senders.acceptedAtLeast(senders.accepted.size + 200)
  await sluice.stop()
  await senders.over
  expect(senders.refused.filter(({ status }) => status !== 503)).toEqual([])
  expect(one.all.length).toBeGreaterThan(0)
  expect(other.all.length).toBeGreaterThan(0)
  const delivered = [...one.all, ...other.all].map((each) => ceHeaders(each)['id']!)
  expect(delivered.length).toBe(new Set(delivered).size)
  expect(new Set(delivered)).toEqual(senders.accepted)
})

test('fault 43: a mistake changes nothing, is told as at the start, and stands in readyz until it is mended', async () => {
  const taker = await subscriber()
  const good = broker() + trigger('t', taker.url)
  const sluice = await startSluice({ 'shop.yaml': good })
  save(sluice, 'shop.yaml', good.replace('subscriber:', 'subscribr:') + trigger('more', taker.url))
  const problems = await told(sluice, /what ran before runs on\.\n/)
  expect(problems).toContain(
    'shop.yaml:12:3, Trigger default/t\n  unknown field "spec.subscribr". Did you mean subscriber?',
  )
  expect(await readyz(sluice)).toEqual([
    200,
    `ready\nfiles broken, what was applied before runs on: 2 errors, the first at ${join(sluice.folder, 'shop.yaml')}:10:1\n`,
  ])
  expect(await readMetric(sluice.api, 'sluice_config_last_reload_successful')).toBe(0)
  expect((await exchange(sluice.broker, binary())).status).toBe(202)
  await taker.received(1)
  expect(await triggersOf(sluice)).toEqual(['t'])

  save(sluice, 'shop.yaml', good + trigger('more', taker.url))
  await told(sluice, /1 added, 0 changed, 0 removed\.\n {2}\+ Trigger default\/more\n/)
  expect(await readyz(sluice)).toEqual([200, 'ready\n'])
  expect(await readMetric(sluice.api, 'sluice_config_last_reload_successful')).toBe(1)
})

test('fault 43: what may not change is told at its place in the new text, and the rest is not applied either', async () => {
  const sluice = await startSluice({ 'shop.yaml': broker() + broker('other') + trigger('t', NOWHERE) })
  save(sluice, 'shop.yaml', broker() + broker('other') + trigger('new', NOWHERE) + trigger('t', NOWHERE, [], 'other'))
  const problems = await told(sluice, /what ran before runs on\.\n/)
  expect(problems).toMatch(/SLUICE_RESOURCE_IMMUTABLE {2}\S+shop\.yaml:23:11, Trigger default\/t\n/)
  expect(await triggersOf(sluice)).toEqual(['t'])
  expect((await readResource(sluice.api, 'triggers', 't')).spec?.['broker']).toBe('default')
})

test('fault 43: a file that is cut short and written again piece by piece loses nothing', async () => {
  const taker = await subscriber()
  const text = broker() + trigger('t', taker.url) + trigger('u', taker.url)
  const sluice = await startSluice({ 'shop.yaml': text })
  const path = join(sluice.folder, 'shop.yaml')
  await exchange(sluice.broker, binary())
  await taker.received(2)
  truncateSync(path)
  for (const line of text.split('\n').filter(Boolean)) {
    appendFileSync(path, `${line}\n`)
    await exchange(sluice.broker, binary()) // lets some time pass, and has to be taken
  }
  appendFileSync(path, trigger('last', taker.url))
  const all = await told(sluice, /1 added, \d changed, 0 removed\.\n {2}\+ Trigger default\/last/)
  expect(all).not.toMatch(/[1-9] removed/)
  expect(await readMetric(sluice.api, 'sluice_events_refused_total')).toBe(0)
  await settled(sluice.api)
  expect(taker.all.length).toBe(2 * (await acceptedEvents(sluice.api)))
})

test('fault 43: a mounted ConfigMap, whose files are links that are exchanged', async () => {
  const folder = folderOf({
    '..1/shop.yaml': broker() + trigger('before', NOWHERE),
    '..2/shop.yaml': broker() + trigger('after', NOWHERE),
  })
  symlinkSync('..1', join(folder, '..data'))
  symlinkSync('..data/shop.yaml', join(folder, 'shop.yaml'))
  const sluice = await startSluice(folder)
  symlinkSync('..2', join(folder, '..data_tmp'))
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  rmSync(join(folder, '..1'), { recursive: true })
  await told(sluice, /\+ Trigger default\/after.*\n {2}- Trigger default\/before/)
  expect(await triggersOf(sluice)).toEqual(['after'])
})

test('files and folders come and go; a folder that is exchanged for another is read again', async () => {
  const sluice = await startSluice({ 'broker.yaml': broker() })
  mkdirSync(join(sluice.folder, 'teams'))
  writeFileSync(join(sluice.folder, 'teams/a.yaml'), trigger('a', NOWHERE))
  await told(sluice, /\+ Trigger default\/a\b/)
  writeFileSync(join(sluice.folder, 'teams/b.yaml'), trigger('b', NOWHERE))
  await told(sluice, /\+ Trigger default\/b\b/)
  const other = folderOf({ 'teams/c.yaml': trigger('c', NOWHERE) })
  renameSync(join(sluice.folder, 'teams'), join(sluice.folder, '.old'))
  renameSync(join(other, 'teams'), join(sluice.folder, 'teams'))
  await told(sluice, /\+ Trigger default\/c[^]*- Trigger default\/a[^]*- Trigger default\/b/)
  writeFileSync(join(sluice.folder, 'teams/d.yaml'), trigger('d', NOWHERE))
  await told(sluice, /\+ Trigger default\/d\b/)
  rmSync(join(sluice.folder, 'teams'), { recursive: true })
  await told(sluice, /- Trigger default\/c[^]*- Trigger default\/d/)
  expect(await triggersOf(sluice)).toEqual([])
})

test('fault 43: where nothing is left, nothing is removed: a Broker goes when a file says so, not with the folder', async () => {
  const sluice = await startSluice({ 'shop.yaml': broker() })
  renameSync(join(sluice.folder, 'shop.yaml'), join(sluice.folder, 'shop.bak'))
  rmSync(join(sluice.folder, 'sluice.yaml'))
  await told(sluice, /There are no files any more; nothing was changed/)
  expect((await exchange(sluice.broker, binary())).status).toBe(202)
  renameSync(sluice.folder, `${sluice.folder}-gone`)
  await told(sluice, /There is no such file or folder/)
  expect((await exchange(sluice.broker, binary())).status).toBe(202)
  renameSync(`${sluice.folder}-gone`, sluice.folder)
  renameSync(join(sluice.folder, 'shop.bak'), join(sluice.folder, 'shop.yaml'))
  await told(sluice, /The files are as they were applied again/)
  expect(await readyz(sluice)).toEqual([200, 'ready\n'])
})

test('a trigger whose address is edited keeps what waits; the next try goes to the new address', async () => {
  const taker = await subscriber()
  const sluice = await startSluice({ 'shop.yaml': broker() + trigger('t', NOWHERE) })
  for (let id = 0; id < 5; id++) await exchange(sluice.broker, binary([['ce-id', `${id}`]]))
  save(sluice, 'shop.yaml', broker() + trigger('t', taker.url))
  await taker.received(5)
  expect(idsOf(taker)).toEqual(new Set(['0', '1', '2', '3', '4']))
})

test('fault 44: a trigger that is taken out of its file gets nothing any more, and begins anew when it comes back', async () => {
  const [taker, witness] = [await subscriber(() => 503), await subscriber()]
  const without = broker() + trigger('witness', witness.url)
  const sluice = await startSluice({ 'shop.yaml': without + trigger('t', taker.url) })
  await exchange(sluice.broker, binary([['ce-id', 'old']]))
  await taker.received(1)
  save(sluice, 'shop.yaml', without)
  await told(sluice, /- Trigger default\/t\b/)
  expect(await readMetric(sluice.api, 'sluice_events_discarded_total')).toBe(1)
  const before = taker.all.length
  taker.answer(() => 202)
  save(sluice, 'shop.yaml', without + trigger('t', taker.url))
  await told(sluice, /\+ Trigger default\/t\b/)
  await exchange(sluice.broker, binary([['ce-id', 'new']]))
  await settled(sluice.api)
  expect(taker.all.slice(before).map((each) => ceHeaders(each)['id'])).toEqual(['new'])
})

test('fault 45: a trigger that is added under load, from the earliest event on, misses none and gets none twice', async () => {
  const [taker, late] = [await subscriber(), await subscriber()]
  const before = broker() + trigger('taker', taker.url)
  const after = before + trigger('late', late.url).replace('{name: late}', '{name: late, annotations: {sluice.dev/from: earliest}}') // prettier-ignore
  const data = ['--data', join(folderOf({}), 'data')]
  const first = await startSluice({ 'shop.yaml': before }, data)
  const senders = load(first.broker, 8)
  await senders.acceptedAtLeast(500)
  save(first, 'shop.yaml', after)
  await told(first, /\+ Trigger default\/late\b/)
  await senders.acceptedAtLeast(senders.accepted.size + 500)
  await first.stop()
  await senders.over
  const second = await startSluice(first.folder, data)
  await settled(second.api)
  expect(idsOf(late)).toEqual(senders.accepted)
  expect(late.all).toHaveLength(senders.accepted.size)
})

test('with --no-watch files are read on SIGHUP only', async () => {
  const sluice = await startSluice({ 'shop.yaml': broker() }, ['--no-watch'])
  save(sluice, 'shop.yaml', broker() + trigger('t', NOWHERE))
  sluice.process.kill('SIGHUP')
  await told(sluice, /\+ Trigger default\/t\b/)
  save(sluice, 'shop.yaml', broker())
  sluice.process.kill('SIGHUP')
  await told(sluice, /- Trigger default\/t\b/)
})
