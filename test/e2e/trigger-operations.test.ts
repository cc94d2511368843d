// What people do to Triggers and Subscriptions beside changing their resources: `sluice pause`, `resume` and `seek`.

import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { conditionOf, readMetric, readResource, settled } from '../support/ops.ts'
import { ready, runSluice, startProgram, startSluice, type Ran, type Sluice } from '../support/sluice.ts'
import { header, idsOf, subscriber } from '../support/subscriber.ts'

const PAUSED = trigger('taker', 'http://127.0.0.1:9/').replace(
  '{name: taker}',
  '{name: taker, annotations: {sluice.dev/paused: "true"}}',
)

function at(sluice: Sluice, ...words: string[]): Promise<Ran> {
  return runSluice([...words, '--server', sluice.api])
}

async function send(sluice: Sluice, ...ids: string[]): Promise<void> {
  for (const id of ids) expect((await exchange(sluice.broker, binary([['ce-id', id]]))).status).toBe(202)
}

async function again(sluice: Sluice, signal: NodeJS.Signals): Promise<Sluice> {
  await sluice.stop(signal)
  const data = /data=(\S+)/.exec(sluice.stdout.soFar())![1]!
  const ports = ['--listen', '127.0.0.1:0', '--api', '127.0.0.1:0']
  return ready(startProgram(['up', sluice.folder, ...ports, '--data', data]), sluice.folder)
}

async function backlogOf(sluice: Sluice): Promise<{ events: number; oldest?: string }> {
  return (await readResource(sluice.api, 'triggers', 'taker')).status!['backlog'] as { events: number }
}

test('a paused Trigger of a file delivers nothing, keeps what matches, and goes on after resume', async () => {
  const taker = await subscriber()
  const sluice = await startSluice({ 'a.yaml': broker() + trigger('taker', taker.url) })
  expect(await at(sluice, 'pause', 'taker')).toMatchObject({
    code: 0,
    stdout: 'Trigger default/taker is paused; what matches is kept and waits. sluice resume ends it.\n',
    stderr: '',
  })
  await send(sluice, '1', '2')
  expect(await backlogOf(sluice)).toMatchObject({ events: 2, oldest: expect.stringMatching(/^20.*Z$/) as string })
  expect(taker.all).toHaveLength(0)
  const { status } = await readResource(sluice.api, 'triggers', 'taker')
  expect(status).toMatchObject({ paused: { by: 'operation', since: expect.any(String) as string } })
  expect(conditionOf(await readResource(sluice.api, 'triggers', 'taker'), 'Delivering')).toBe('False Paused')
  expect(conditionOf(await readResource(sluice.api, 'triggers', 'taker'), 'Ready')).toBe('True')
  expect((await at(sluice, 'resume', 'default/taker')).stdout).toBe('Trigger default/taker is not paused\n')
  await taker.received(2)
  await settled(sluice.api)
  expect((await readResource(sluice.api, 'triggers', 'taker')).status).not.toHaveProperty('paused')
})

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'a pause outlives the process that ends by %s, and so does its end',
  async (signal) => {
    const taker = await subscriber()
    let sluice = await startSluice({ 'a.yaml': broker() + trigger('taker', taker.url) })
    await at(sluice, 'pause', 'taker')
    await send(sluice, '1')
    sluice = await again(sluice, signal)
    expect(await sluice.stderr.until(/Paused by sluice pause: Trigger (\S+)\./)).toContain('default/taker')
    await send(sluice, '2')
    expect((await backlogOf(sluice)).events).toBe(2)
    await at(sluice, 'resume', 'taker')
    await taker.received(2)
    sluice = await again(sluice, signal)
    await send(sluice, '3')
    while (!idsOf(taker).has('3')) await taker.next()
  },
)

test('a Trigger that is removed and declared again is not paused any more', async () => {
  const taker = await subscriber()
  const sluice = await startSluice({ 'a.yaml': broker(), 'b.yaml': trigger('taker', taker.url) })
  await at(sluice, 'pause', 'taker')
  renameSync(join(sluice.folder, 'b.yaml'), join(sluice.folder, 'b.off'))
  while ((await fetch(`${sluice.api}/apis/eventing.knative.dev/v1/namespaces/default/triggers/taker`)).ok);
  renameSync(join(sluice.folder, 'b.off'), join(sluice.folder, 'b.yaml'))
  while (!(await fetch(`${sluice.api}/apis/eventing.knative.dev/v1/namespaces/default/triggers/taker`)).ok);
  while (conditionOf(await readResource(sluice.api, 'triggers', 'taker'), 'Ready') !== 'True');
  await send(sluice, '1')
  await taker.received(1)
})

test('an annotation wins: resume says where it stands, and changes nothing of it', async () => {
  const sluice = await startSluice({ 'a.yaml': broker() + PAUSED })
  const ran = await at(sluice, 'resume', 'taker')
  expect(ran).toMatchObject({ code: 1, stdout: '' })
  expect(ran.stderr).toMatch(/^sluice resume: .*annotation sluice\.dev\/paused.*a\.yaml:\d+/)
  const taker = await readResource(sluice.api, 'triggers', 'taker')
  expect(taker.status).toMatchObject({ paused: { by: 'annotation' } })
})

test('in memory a pause ends with the process, and the command says so', async () => {
  const taker = await subscriber()
  const sluice = await startSluice({ 'a.yaml': broker() + trigger('taker', taker.url) }, ['--channel', 'memory'])
  const ran = await at(sluice, 'pause', 'taker')
  expect(ran).toMatchObject({ code: 0, stderr: 'That ends with the process, for it keeps nothing on disk.\n' })
})

test('seek brings back what is stored, from the start or from a time, and passes by what waits', async () => {
  const taker = await subscriber()
  const sluice = await startSluice({ 'a.yaml': broker() + trigger('taker', taker.url) })
  await send(sluice, '1', '2')
  await taker.received(2)
  await settled(sluice.api)
  expect((await at(sluice, 'seek', 'taker', '--to', 'earliest')).stdout).toBe(
    'Trigger default/taker is set to earliest\n',
  )
  expect((await taker.received(4)).map((each) => header(each, 'ce-id'))).toEqual(['1', '2', '1', '2'])
  await settled(sluice.api)
  const time = new Date().toISOString()
  await send(sluice, '3')
  await taker.received(5)
  await settled(sluice.api)
  await at(sluice, 'seek', 'taker', '--to', time)
  expect(header((await taker.received(6))[5]!, 'ce-id')).toBe('3')
  await settled(sluice.api)
  await at(sluice, 'pause', 'taker')
  await send(sluice, '4', '5')
  expect((await at(sluice, 'seek', 'taker', '--to', 'latest')).stdout).toBe(
    'Trigger default/taker is set to latest; 2 events that waited will not be sent\n',
  )
  expect(await readMetric(sluice.api, 'sluice_events_discarded_total', { cause: 'seek' })).toBe(2)
  expect((await readResource(sluice.api, 'triggers', 'taker')).status).toMatchObject({ lastSeek: { to: 'latest' } })
  await at(sluice, 'resume', 'taker')
  await send(sluice, '6')
  expect(header((await taker.received(7))[6]!, 'ce-id')).toBe('6')
})

test('a seek holds after a kill', async () => {
  const taker = await subscriber()
  let sluice = await startSluice({ 'a.yaml': broker() + trigger('taker', taker.url) })
  await send(sluice, '1', '2')
  await taker.received(2)
  await settled(sluice.api)
  await at(sluice, 'pause', 'taker')
  await at(sluice, 'seek', 'taker', '--to', 'earliest')
  sluice = await again(sluice, 'SIGKILL')
  expect((await backlogOf(sluice)).events).toBe(2)
  await at(sluice, 'resume', 'taker')
  await taker.received(4)
})

test.each([
  [
    ['seek', 'taker', '--to', 'earliest'],
    ['--channel', 'memory'],
    1,
    /keeps no history.*A Broker with a log can\. Nothing was changed/,
  ],
  [['seek', 'taker', '--to', '2999-01-01T00:00:00Z'], [], 1, /still to come/],
  [['seek', 'taker', '--to', 'yesterday'], [], 2, /"yesterday".*RFC 3339/],
  [['seek', 'taker'], [], 2, /--to/],
  [['pause', 'nobody'], [], 1, /There is no Trigger nobody in namespace default/],
  [['pause', 'a/b/c'], [], 2, /NAME, NAMESPACE\/NAME, or of a Subscription/],
  [['resume', 'taker', '-n', 'elsewhere'], [], 1, /no Trigger taker in namespace elsewhere/],
] as const)('sluice %j of a sluice with %j: %i', async (words, flags, code, message) => {
  const sluice = await startSluice({ 'a.yaml': broker() + trigger('taker', 'http://127.0.0.1:9/') }, flags)
  const ran = await at(sluice, ...words)
  expect(ran).toMatchObject({ code, stdout: '' })
  expect(ran.stderr).toMatch(message)
})

const COMES_BACK = (url: string): string =>
  trigger('taker', url).replace('{name: taker}', '{name: taker, annotations: {sluice.dev/from: resume}}')

async function isThere(sluice: Sluice, there: boolean): Promise<void> {
  const path = `${sluice.api}/apis/eventing.knative.dev/v1/namespaces/default/triggers/taker`
  while ((await fetch(path)).ok !== there);
  while (there && conditionOf(await readResource(sluice.api, 'triggers', 'taker'), 'Ready') !== 'True');
}

test('a removed Trigger that comes back with from: resume goes on where it stood, after a kill as well', async () => {
  const taker = await subscriber()
  let sluice = await startSluice({ 'a.yaml': broker(), 'b.yaml': COMES_BACK(taker.url) })
  await send(sluice, '1')
  await taker.received(1)
  await settled(sluice.api)
  await at(sluice, 'pause', 'taker')
  await send(sluice, '2')
  renameSync(join(sluice.folder, 'b.yaml'), join(sluice.folder, 'b.off'))
  await isThere(sluice, false)
  await send(sluice, '3')
  sluice = await again(sluice, 'SIGKILL')
  await send(sluice, '4')
  renameSync(join(sluice.folder, 'b.off'), join(sluice.folder, 'b.yaml'))
  await isThere(sluice, true)
  expect((await taker.received(4)).map((each) => header(each, 'ce-id'))).toEqual(['1', '2', '3', '4'])
})

test('without that it begins anew, and so it does once sluice prune has forgotten where it stood', async () => {
  const taker = await subscriber()
  const sluice = await startSluice({ 'a.yaml': broker() + broker('gone'), 'b.yaml': COMES_BACK(taker.url) })
  await at(sluice, 'pause', 'taker')
  await send(sluice, '1')
  renameSync(join(sluice.folder, 'b.yaml'), join(sluice.folder, 'b.off'))
  writeFileSync(join(sluice.folder, 'a.yaml'), broker())
  await isThere(sluice, false)
  while ((await fetch(`${sluice.api}/apis/eventing.knative.dev/v1/namespaces/default/brokers/gone`)).ok);
  let pruned = ''
  while (!pruned.includes('data of 1')) pruned = (await at(sluice, 'prune')).stdout
  expect((await at(sluice, 'prune')).stdout).toBe('removed the data of 0 Brokers, and the places of 0 Triggers\n')
  renameSync(join(sluice.folder, 'b.off'), join(sluice.folder, 'b.yaml'))
  await isThere(sluice, true)
  await send(sluice, '2')
  expect(header((await taker.received(1))[0]!, 'ce-id')).toBe('2')
})

describe('of a Subscription', () => {
  const SUBSCRIPTION = (url: string, annotations = ''): string => `---
apiVersion: messaging.sluice.dev/v1alpha1
kind: LogChannel
metadata: {name: uploads}
---
apiVersion: messaging.knative.dev/v1
kind: Subscription
metadata: {name: thumbnails, annotations: {${annotations}}}
spec:
  channel: {apiVersion: messaging.sluice.dev/v1alpha1, kind: LogChannel, name: uploads}
  subscriber: {uri: "${url}"}
`
  const status = async (sluice: Sluice): Promise<Record<string, unknown>> =>
    (await readResource(sluice.api, 'subscriptions', 'thumbnails')).status!

  async function upload(sluice: Sluice, ...ids: string[]): Promise<void> {
    const url = `${sluice.ingress}/channels/default/uploads`
    for (const id of ids) expect((await exchange(url, binary([['ce-id', id]]))).status).toBe(202)
  }

  test('pause, resume and seek do what they do to a Trigger, and outlive the process', async () => {
    const taker = await subscriber()
    let sluice = await startSluice({ 'a.yaml': SUBSCRIPTION(taker.url) })
    expect(await at(sluice, 'pause', 'subscription/thumbnails')).toMatchObject({
      code: 0,
      stdout: 'Subscription default/thumbnails is paused; what matches is kept and waits. sluice resume ends it.\n',
    })
    await upload(sluice, '1', '2')
    sluice = await again(sluice, 'SIGKILL')
    await sluice.stderr.until(/Paused by sluice pause: Subscription default\/thumbnails\./)
    expect(await status(sluice)).toMatchObject({ paused: { by: 'operation' }, backlog: { events: 2 } })
    const paused = await readResource(sluice.api, 'subscriptions', 'thumbnails')
    expect([conditionOf(paused, 'Delivering'), conditionOf(paused, 'Ready')]).toEqual(['False Paused', 'True'])
    expect(taker.all).toHaveLength(0)
    await at(sluice, 'resume', 'subscription.messaging.knative.dev/thumbnails') // as -o name prints it
    await taker.received(2)
    await settled(sluice.api)
    expect((await at(sluice, 'seek', 'sub', 'default/thumbnails', '--to', 'earliest')).stdout).toBe(
      'Subscription default/thumbnails is set to earliest\n',
    )
    await taker.received(4)
    expect(await status(sluice)).toMatchObject({ lastSeek: { to: 'earliest' } })
    expect(await status(sluice)).not.toHaveProperty('paused')
  })

  test('its annotations pause it, and win', async () => {
    const sluice = await startSluice({ 'a.yaml': SUBSCRIPTION('http://127.0.0.1:9/', 'sluice.dev/paused: "true"') })
    expect(await status(sluice)).toMatchObject({ paused: { by: 'annotation' } })
    const ran = await at(sluice, 'resume', 'subscription', 'thumbnails')
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toMatch(/Subscription default\/thumbnails is paused by its annotation.*a\.yaml:\d+/)
  })

  test('of a Trigger’s name that a Subscription has, that is said', async () => {
    const sluice = await startSluice({ 'a.yaml': SUBSCRIPTION('http://127.0.0.1:9/') })
    const ran = await at(sluice, 'pause', 'thumbnails')
    expect(ran.stderr).toBe(
      'sluice pause: There is no Trigger thumbnails in namespace default. There is a Subscription of that name.\n',
    )
    expect(await at(sluice, 'pause', 'sub', 'thumbnails', 'more')).toMatchObject({ code: 2, stdout: '' })
  })

  test('removed, it goes on where it stood once it comes back with from: resume', async () => {
    const taker = await subscriber()
    const file = SUBSCRIPTION(taker.url, 'sluice.dev/from: resume')
    const [, channel, taking] = file.split('---\n')
    const sluice = await startSluice({ 'a.yaml': channel!, 'b.yaml': taking! })
    await at(sluice, 'pause', 'sub/thumbnails')
    await upload(sluice, '1')
    const path = `${sluice.api}/apis/messaging.knative.dev/v1/namespaces/default/subscriptions/thumbnails`
    renameSync(join(sluice.folder, 'b.yaml'), join(sluice.folder, 'b.off'))
    while ((await fetch(path)).ok);
    await upload(sluice, '2')
    renameSync(join(sluice.folder, 'b.off'), join(sluice.folder, 'b.yaml'))
    expect((await taker.received(2)).map((each) => header(each, 'ce-id'))).toEqual(['1', '2'])
  })
})
