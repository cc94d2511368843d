// `sluice tail`, and `GET /sluice/v1/tail` behind it: events and what becomes of them, as they come.

import { once } from 'node:events'
import { request } from 'node:http'
import type { Readable } from 'node:stream'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { batch, binary, broker, eventJson, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { settled } from '../support/ops.ts'
import { runSluice, startProgram, startSluice, type Program, type Sluice } from '../support/sluice.ts'
import { subscriber } from '../support/subscriber.ts'
import { collectText, type Text } from '../support/text.ts'

let sluice: Sluice

beforeAll(async () => {
  const taker = await subscriber()
  sluice = await startSluice({
    'a.yaml': [
      broker(),
      broker('other'),
      trigger('taker', taker.url),
      trigger('failing', 'http://127.0.0.1:9/', ['filters: [{exact: {type: bad}}]', 'delivery: {retry: 0}']),
    ].join(''),
  })
})

async function send(id: string, type = 't', data = '{"n":1}', to = 'default'): Promise<void> {
  const headers = [
    ['ce-id', id],
    ['ce-type', type],
    ['content-type', 'application/json'],
  ] as const
  expect((await exchange(`${sluice.ingress}/default/${to}`, binary(headers, data))).status).toBe(202)
}

interface Line {
  readonly step: string
  readonly broker: string
  readonly trigger?: string
  readonly dataBytes?: number
  readonly event: { readonly id: string; readonly data?: unknown }
}

/** Follows by HTTP. Resolves once the server listens for it. */
async function follow(query = '', headers: Record<string, string> = {}): Promise<{ lines: () => Line[]; text: Text }> {
  const sent = request(`${sluice.api}/sluice/v1/tail${query}`, { headers }).end()
  onTestFinished(() => void sent.destroy())
  const [response] = (await once(sent, 'response')) as [Readable]
  const text = collectText(response)
  const lines = (): Line[] =>
    text
      .soFar()
      .split('\n')
      .slice(0, -1)
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line)
  return { lines, text }
}

/** `sluice tail`, once it follows. */
async function tail(...words: string[]): Promise<Program> {
  const program = startProgram(['tail', ...words, '--server', sluice.api])
  // It says nothing before the first event: one is sent until it is shown.
  let isThere = false
  void program.stdout.until(/probe/).then(() => (isThere = true))
  while (!isThere) await send(`probe-${Math.random()}`, 'probe')
  await settled(sluice.api)
  return program
}

test('each event is a line when it is stored, and each step of each Trigger another', async () => {
  const { lines, text } = await follow('?filter=type=bad')
  await send('e1', 'bad')
  await text.until(/"step":"deadLettered"/)
  await text.until(/"step":"delivered"/)
  const steps = lines().map(({ step, trigger: of, event }) => `${of ?? '-'} ${step} ${event.id}`)
  expect(steps[0]).toBe('- accepted e1')
  expect(steps.toSorted()).toEqual(
    [
      ...['- accepted e1', 'failing attempted e1', 'failing deadLettered e1'],
      ...['taker attempted e1', 'taker delivered e1'],
    ].toSorted(),
  )
  expect(lines()[0]!.event).toMatchObject({ id: 'e1', type: 'bad', data: { n: 1 } })
})

test('of one Trigger, of one Broker, and by attributes it shows those alone', async () => {
  const ofTrigger = await follow('?trigger=taker')
  const ofOther = await follow('?broker=other')
  const ofId = await follow('?filter=id=e3&filter=type=t')
  await send('e2', 't', '{}', 'other')
  await send('e3')
  await ofTrigger.text.until(/"delivered"/)
  await ofId.text.until(/"delivered"/)
  expect(ofTrigger.lines().map(({ step }) => step)).toEqual(['matched', 'attempted', 'delivered'])
  expect(ofTrigger.lines()[0]!.event).toMatchObject({ id: 'e3', data: { n: 1 } })
  expect(ofOther.lines().map(({ step, event }) => `${step} ${event.id}`)).toEqual(['accepted e2'])
  expect(new Set(ofId.lines().map(({ event }) => event.id))).toEqual(new Set(['e3']))
})

test('large data is not shown, only how much there is', async () => {
  const { lines, text } = await follow('?filter=id=large')
  await send('large', 't', `"${'x'.repeat(5000)}"`)
  await text.until(/accepted.*\n/)
  expect(lines()[0]).toMatchObject({ dataBytes: 5002 })
  expect(lines()[0]!.event).not.toHaveProperty('data')
})

test('from a place on it shows first what is stored, then what comes, each once', async () => {
  for (let n = 0; n < 150; n++) await send(`stored-${n}`, 'old')
  const { lines, text } = await follow('?from=earliest&filter=type=old')
  for (let n = 0; n < 50; n++) await send(`live-${n}`, 'old')
  await text.until(/"live-49".*\n/)
  const shown = lines()
    .filter(({ step }) => step === 'stored' || step === 'accepted')
    .map(({ event }) => event.id)
  const expected = [
    ...Array.from({ length: 150 }, (_, n) => `stored-${n}`),
    ...Array.from({ length: 50 }, (_, n) => `live-${n}`),
  ]
  expect(shown).toEqual(expected)
})

test('server-sent events, for who asks for them', async () => {
  const { text } = await follow('?filter=id=sse', { accept: 'text/event-stream' })
  await send('sse')
  const [, line] = await text.until(/^data: (\{"time".*"accepted".*)\n\n/m)
  expect(JSON.parse(line!)).toMatchObject({ step: 'accepted', event: { id: 'sse' } })
})

test('who doesn’t read loses lines, is told how many, and holds nobody up', async () => {
  const sent = request(`${sluice.api}/sluice/v1/tail?filter=type=flood`).end()
  onTestFinished(() => void sent.destroy())
  const [response] = (await once(sent, 'response')) as [Readable]
  response.pause()
  const data = 'x'.repeat(4000)
  for (let n = 0; n < 100; n++) {
    const events = Array.from({ length: 60 }, (_, at) => eventJson({ id: `flood-${n}-${at}`, type: 'flood', data }))
    expect((await exchange(sluice.broker, batch(...events))).status).toBe(202)
  }
  await settled(sluice.api) // all were delivered meanwhile
  const text = collectText(response.resume())
  const [, lost] = await text.until(/"step":"dropped","lines":(\d+)/)
  expect(Number(lost)).toBeGreaterThan(0)
})

test('the 33rd reader is told to come back', async () => {
  const before = await Promise.all(Array.from({ length: 32 }, () => follow('?filter=id=none')))
  expect(before).toHaveLength(32)
  const refused = await fetch(`${sluice.api}/sluice/v1/tail`)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
})

test('sluice tail shows them to people', async () => {
  const program = await tail('--filter', 'source=/s')
  await send('p1', 'bad')
  const text = program.stdout
  await text.until(/^\d\d:\d\d:\d\d\.\d{3} {2}default\/default {2}id p1, type bad, source \/s {2}\{"n":1\}$/m)
  await text.until(/^\S+ {4}failing: attempt 1: .*ECONNREFUSED.* ms\); id p1, type bad$/m)
  await text.until(/^\S+ {4}failing: kept in the dead-letter box; id p1, type bad$/m)
  await text.until(/^\S+ {4}taker: delivered; id p1, type bad$/m)
  program.process.kill('SIGINT')
  await program.exited
})

test('what a sender wrote can’t move the cursor (threat 24)', async () => {
  const program = await tail()
  await send('p2', 't', '"a\\u001b[2Jb"')
  expect(program.stdout.soFar()).not.toContain('\u001b')
  program.process.kill()
  await program.exited
})

test('it ends with the server, with 3; a shutdown does not wait for it', async () => {
  const own = await startSluice({ 'a.yaml': broker() })
  const program = startProgram(['tail', '--server', own.api])
  const probing = setInterval(() => void exchange(own.broker, binary()), 20)
  await program.stdout.until(/default\/default/)
  clearInterval(probing)
  const stopped = await own.stop()
  expect(stopped.code).toBe(0)
  expect((await program.exited).code).toBe(3)
  expect(program.stderr.soFar()).toMatch(/has ended it/)
})

test.each([
  [['nobody'], 1, /no Broker nobody/],
  [['a/b/c'], 2, /NAME or NAMESPACE\/NAME/],
  [['--filter', 'type'], 1, /NAME=VALUE/],
  [['--from', 'nowhere'], 1, /position/],
  [['--server', 'http://127.0.0.1:9'], 3, /no answer/],
])('sluice tail %j: %i', async (words, code, message) => {
  const ran = await runSluice(['tail', '--server', sluice.api, ...words])
  expect(ran).toMatchObject({ code, stdout: '' })
  expect(ran.stderr).toMatch(message)
})
