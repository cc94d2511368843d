// What outlives the process: events, retries and progress in a log, however it ended; and who may have the data.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { load } from '../support/load.ts'
import { readMetric, settled } from '../support/ops.ts'
import { folderOf, runSluice, startProgram, startSluice, type Sluice } from '../support/sluice.ts'
import { header, idsOf, subscriber, type Subscriber } from '../support/subscriber.ts'

const PORTS = ['--listen', '127.0.0.1:0', '--api', '127.0.0.1:0']

/** `sluice up` on this YAML, with its data in `data`. */
function startOn(data: string, yaml: string, words: readonly string[] = []): Promise<Sluice> {
  return startSluice({ 'a.yaml': yaml }, ['--data', data, ...words])
}

function dataFolder(): string {
  return join(folderOf({}), 'data')
}

async function send(sluice: Sluice, ...ids: string[]): Promise<void> {
  for (const id of ids) expect((await exchange(sluice.broker, binary([['ce-id', id]]))).status).toBe(202)
}

/** A subscriber that takes nothing until it is told. */
async function silentSubscriber(): Promise<Subscriber> {
  return subscriber(() => new Promise(() => {}))
}

describe.each(['SIGKILL', 'SIGTERM'] as const)('after %s', (signal) => {
  test('what was answered 202 is delivered after the next start', async () => {
    const data = dataFolder()
    const taker = await silentSubscriber()
    const yaml = broker() + trigger('taker', taker.url)
    const first = await startOn(data, yaml, ['--grace', '1'])
    await send(first, '1', '2', '3')
    await taker.received(3)
    await first.stop(signal)
    if (signal === 'SIGTERM') await first.stderr.until(/kept on disk, and delivered after the next start {2}events=3/)

    taker.answer(() => 202)
    const second = await startOn(data, yaml)
    await second.stderr.until(
      /INFO {2}opened the log that was there {2}broker=default\/default {2}stored=3 {2}toDeliver=3/,
    )
    await taker.received(6)
    await settled(second.api)
    expect(taker.all).toHaveLength(6)
    expect(idsOf(taker)).toEqual(new Set(['1', '2', '3']))
  })

  test('under load: whatever was answered 202 has been delivered or is after the next start (fault 1, fault 5)', async () => {
    const data = dataFolder()
    const taker = await subscriber()
    const yaml = broker() + trigger('taker', taker.url)
    const first = await startOn(data, yaml)
    const senders = load(first.broker, 8)
    await senders.acceptedAtLeast(1000)
    const [exit] = await Promise.all([first.stop(signal), senders.over])
    if (signal === 'SIGTERM') {
      expect(exit).toEqual({ code: 0, signal: null })
      expect(new Set(senders.refused.map(({ status }) => status))).not.toContain(500)
    }
    const second = await startOn(data, yaml)
    await settled(second.api)
    const delivered = idsOf(taker)
    expect([...senders.accepted].filter((id) => !delivered.has(id))).toEqual([])
    if (signal === 'SIGTERM') expect(taker.all).toHaveLength(delivered.size) // none is sent again
  })
})

test('with sync: interval a kill loses nothing either', async () => {
  const data = dataFolder()
  const taker = await subscriber()
  const config = `---
apiVersion: v1
kind: ConfigMap
metadata: {name: fast}
data:
  channel-template-spec: |
    apiVersion: messaging.sluice.dev/v1alpha1
    kind: LogChannel
    spec: {sync: interval}
`
  const withConfig = broker('default', '{config: {apiVersion: v1, kind: ConfigMap, name: fast}}')
  const yaml = config + withConfig + trigger('taker', taker.url)
  const first = await startOn(data, yaml)
  const senders = load(first.broker, 8)
  await senders.acceptedAtLeast(1000)
  await Promise.all([first.stop('SIGKILL'), senders.over])
  const second = await startOn(data, yaml)
  await settled(second.api)
  const delivered = idsOf(taker)
  expect([...senders.accepted].filter((id) => !delivered.has(id))).toEqual([])
})

test('tries and their due times go on where they were: none is made too early, and none too many (fault 20)', async () => {
  const data = dataFolder()
  const atMs: number[] = []
  const failing = await subscriber(() => {
    atMs.push(performance.now())
    return 500
  })
  const sink = await subscriber()
  const delivery = `delivery: {retry: 2, backoffPolicy: linear, backoffDelay: PT1.5S, deadLetterSink: {uri: "${sink.url}"}}`
  const yaml = broker() + trigger('failing', failing.url, [delivery])
  const first = await startOn(data, yaml)
  await send(first, '1')
  await failing.received(1)
  while ((await readMetric(first.api, 'sluice_subscription_parked')) !== 1);
  expect(await first.stop()).toEqual({ code: 0, signal: null })

  const second = await startOn(data, yaml)
  const [dead] = await sink.received(1)
  expect(header(dead!, 'ce-sluiceattempts')).toBe('3')
  expect(failing.all).toHaveLength(3)
  expect(atMs[1]! - atMs[0]!).toBeGreaterThanOrEqual(1500)
  expect(atMs[2]! - atMs[1]!).toBeGreaterThanOrEqual(3000)
  await settled(second.api)
})

test('and so they do after a SIGKILL, as soon as they were saved', async () => {
  const data = dataFolder()
  const atMs: number[] = []
  const failing = await subscriber(() => {
    atMs.push(performance.now())
    return 500
  })
  const sink = await subscriber()
  const delivery = `delivery: {retry: 1, backoffPolicy: linear, backoffDelay: PT6S, deadLetterSink: {uri: "${sink.url}"}}`
  const yaml = broker() + trigger('failing', failing.url, [delivery])
  const first = await startOn(data, yaml)
  await send(first, '1')
  for (let saved = ''; !saved.includes('1 of them tried and parked');) {
    const copy = dataFolder()
    cpSync(data, copy, { recursive: true })
    saved = (await runSluice(['log', 'check', copy])).stdout
  }
  await first.stop('SIGKILL')

  await startOn(data, yaml)
  const [dead] = await sink.received(1)
  expect(header(dead!, 'ce-sluiceattempts')).toBe('2')
  expect(failing.all).toHaveLength(2)
  expect(atMs[1]! - atMs[0]!).toBeGreaterThanOrEqual(6000)
})

describe('the data directory', () => {
  test('fault 17: serves one process; another is refused with words, and starts once the first is killed', async () => {
    const data = dataFolder()
    const yaml = broker()
    const first = await startOn(data, yaml)
    const folder = folderOf({ 'a.yaml': yaml })
    const refused = await runSluice(['up', folder, ...PORTS, '--data', data])
    expect(refused).toEqual({
      code: 1,
      stdout: '',
      stderr:
        `sluice up: The data directory ${data} is in use by another process, and serves one at a time. ` +
        'Stop that one, or name another data directory (--data).\n',
    })
    await send(first, '1') // which goes on
    await first.stop('SIGKILL')
    await startOn(data, yaml)
  })

  test('fault 18: of a newer version is refused with words, and not changed', async () => {
    const data = dataFolder()
    mkdirSync(data)
    writeFileSync(join(data, 'format'), '2\n')
    const refused = await runSluice(['up', folderOf({ 'a.yaml': broker() }), ...PORTS, '--data', data])
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(
      /^sluice up: .*\/format says "2", and this version of Sluice knows only "1"\. Nothing was changed\. Start the/,
    )
    expect(readdirSync(data)).toEqual(['format'])
  })

  test('is .sluice here, unless another one is named; in memory there is none', async () => {
    const cwd = folderOf({ 'a.yaml': broker() })
    const start = (...words: string[]): Promise<unknown> => runUntilReady(['up', 'a.yaml', ...PORTS, ...words], cwd)
    await start('--channel', 'memory')
    expect(readdirSync(cwd)).toEqual(['a.yaml'])
    await start()
    expect(readdirSync(cwd)).toEqual(['.sluice', 'a.yaml'])
    const [uid] = readdirSync(join(cwd, '.sluice/brokers'))
    expect(readFileSync(join(cwd, '.sluice/brokers', uid!, 'name'), 'utf8')).toBe('default/default\n')
  })
})

test('a Broker whose ConfigMap asks for a log has one beside others in memory, and a second process is refused for it', async () => {
  const data = dataFolder()
  const silent = await silentSubscriber()
  const template = 'apiVersion: messaging.sluice.dev/v1alpha1\\nkind: LogChannel'
  const yaml =
    broker('default', '{config: {apiVersion: v1, kind: ConfigMap, name: c}}') +
    `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {channel-template-spec: "${template}"}\n` +
    broker('other') +
    trigger('t', silent.url)
  const first = await startOn(data, yaml, ['--channel', 'memory'])
  await send(first, '1')
  const words = ['up', folderOf({ 'a.yaml': yaml }), ...PORTS, '--data', data, '--channel', 'memory']
  expect(await runSluice(words)).toMatchObject({ code: 1, stdout: '' })
  await first.stop('SIGKILL')
  expect(readdirSync(join(data, 'brokers'))).toHaveLength(1)
  silent.answer(() => 202)
  const second = await startOn(data, yaml, ['--channel', 'memory'])
  await silent.received(2)
  await settled(second.api)
})

describe('what was taken out of the files meanwhile', () => {
  test('a trigger: its backlog is discarded, counted and told', async () => {
    const data = dataFolder()
    const silent = await silentSubscriber()
    const first = await startOn(data, broker() + trigger('gone', silent.url))
    await send(first, '1', '2')
    await first.stop('SIGKILL')
    const second = await startOn(data, broker())
    await second.stderr.until(/WARN {2}trigger deleted; its backlog was discarded .*events=2/)
    expect(await readMetric(second.api, 'sluice_events_discarded_total', { cause: 'deleted' })).toBe(2)
  })

  test('a Broker: its data waits in the trash, and that is told with its place', async () => {
    const data = dataFolder()
    const silent = await silentSubscriber()
    const first = await startOn(data, broker() + trigger('t', silent.url))
    await send(first, '1')
    await first.stop('SIGKILL')
    const second = await startOn(data, broker('other'))
    const told =
      /WARN {2}Broker deleted; its data waits in the trash {2}broker=default\/default {2}folder=(\S+) {2}until=/
    const [, folder] = await second.stderr.until(told)
    expect(existsSync(join(folder!, 'segments'))).toBe(true)
  })
})

/** Runs it up to its ready line, and ends it. */
async function runUntilReady(words: readonly string[], cwd: string): Promise<void> {
  const program = startProgram(words, { cwd })
  await program.stdout.until(/^sluice ready/)
  program.process.kill('SIGTERM')
  await program.exited
}
