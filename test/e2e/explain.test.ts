// Why an event reaches a trigger, or does not: `sluice explain` at a running sluice, `sluice try` without one.

import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { broker, eventJson, trigger } from '../support/events.ts'
import { settled } from '../support/ops.ts'
import { folderOf, runSluice, startSluice, type Ran, type Sluice } from '../support/sluice.ts'
import { subscriber, type Subscriber } from '../support/subscriber.ts'

const ORDER = eventJson({ id: 'o-1', type: 'order', subject: 'x', data: { total: 12 } })
const FILTERS = 'filters: [{exact: {type: order}}, {data: {/total: {gt: 100}}}]'
const folder = folderOf({ 'order.json': ORDER, 'broken.json': '{"id": 1' })
const file = join(folder, 'order.json')

let sluice: Sluice
let answering: Subscriber

function yaml(): string {
  return [
    broker(),
    trigger('all', answering.url, ['filters: [{exact: {type: order}}]']),
    trigger('big', 'http://127.0.0.1:9/', [FILTERS]),
    trigger('failing', 'http://127.0.0.1:9/', [
      'filters: [{exact: {type: order}}]',
      'delivery: {retry: 1, backoffDelay: PT0.01S}',
    ]),
  ].join('')
}

beforeAll(async () => {
  answering = await subscriber(() => ({
    status: 200,
    headers: ['ce-specversion', '1.0', 'ce-id', 'answer', 'ce-source', '/bill', 'ce-type', 'billed'],
  }))
  sluice = await startSluice({ 'a.yaml': yaml() })
  expect((await runSluice(['send', '--event', file, '--server', sluice.api])).code).toBe(0)
  await settled(sluice.api)
})

function explain(...words: string[]): Promise<Ran> {
  return runSluice(['explain', ...words, '--server', sluice.api])
}

describe('sluice explain', () => {
  test('of one Trigger it says for each clause what it compared with what', async () => {
    const { code, stdout } = await explain('big', '--event', file)
    expect(code).toBe(0)
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^Trigger default\/big does not match: the data at \/total is 12, .*100/),
      expect.stringMatching(/^ {2}no {3}all of$/),
      '    yes  type is "order"   (is "order")',
      expect.stringMatching(/^ {4}no {3}the data at \/total .*100.*\(is 12\)$/),
      '',
    ])
    expect((await explain('all', '--event', file)).stdout).toMatch(/^Trigger default\/all matches\n/)
  })

  test('of all Triggers it says a line each, those that match first', async () => {
    const { stdout } = await explain('--event', '-', '-o', 'table')
    expect(stdout).toBe('') // nothing on standard input is no event
    const ran = await explain('--event', file)
    expect(ran.stdout).toMatch(
      /^TRIGGER +MATCHES +WHY NOT\nall +yes +<none>\nfailing +yes +<none>\nbig +no +the data at/,
    )
    expect((await explain('--event', file, '-o', 'name')).stdout).toBe('all\nfailing\n')
  })

  test('of an event that came in it says what each Trigger did with it: attempts, replies, where it ended', async () => {
    const { stdout } = await explain('--event', 'o-1')
    expect(stdout).toMatch(/^Event o-1 of \/s: stored at 20.*Z, position \d+\n/)
    expect(stdout).toMatch(/^all +yes +<none> +delivered$/m)
    expect(stdout).toMatch(/^failing +yes +<none> +in the dead-letter box$/m)
    const all = (await explain('all', '--event', 'o-1')).stdout
    expect(all).toMatch(/attempt 1: 200, with the reply answer of type billed \([\d.]+ ms\)/)
    const failing = (await explain('failing', '--event', 'o-1')).stdout
    expect(failing).toMatch(
      /attempt 1: .*ECONNREFUSED.*\n.*tried again in \d+ ms\n.*attempt 2: .*\n.*kept in the dead-letter box\n$/,
    )
    expect((await explain('--event', 'answer')).stdout).toContain('It is a reply of Trigger all.')
  })

  test('what happened in an earlier process is not known, and it says so; the event is still stored', async () => {
    const data = /data=(\S+)/.exec(sluice.stdout.soFar())![1]!
    await sluice.stop()
    sluice = await startSluice({ 'a.yaml': yaml() }, ['--data', data])
    const { stdout } = await explain('--event', 'o-1')
    expect(stdout).toMatch(/stored at .*\nWhat each trigger did with it is not known any more/)
    expect(stdout).toMatch(/^all +yes/m)
  })

  test.each([
    [['--event', 'never-came'], 1, /knows no event with the id "never-came"/],
    [['--event', 'no/such.json'], 1, /there is no file no\/such\.json/],
    [['--event', join(folder, 'broken.json')], 1, /JSON/],
    [['nobody', '--event', file], 1, /no Trigger nobody/],
    [['--event', file, '--broker', 'nobody'], 1, /no Broker nobody/],
    [['all'], 2, /--event/],
  ])('%j: %i', async (words, code, message) => {
    const ran = await explain(...words)
    expect(ran).toMatchObject({ code, stdout: '' })
    expect(ran.stderr).toMatch(message)
  })
})

describe('sluice try', () => {
  const SHOP = {
    'shop.yaml': [
      broker(),
      trigger('big', 'http://127.0.0.1:9/', [FILTERS]),
      trigger('all', 'http://127.0.0.1:9/all', ['delivery: {format: json}']),
      trigger('plain', 'http://127.0.0.1:9/plain'),
      trigger('lost', 'http://127.0.0.1:9/', [], 'nobody'),
    ].join(''),
  }
  const shop = folderOf(SHOP)
  const attempt = (...words: string[]): Promise<Ran> => runSluice(['try', shop, '--event', file, ...words])

  test('says which Triggers are reached, with the request, and of the others the smallest reason', async () => {
    const { code, stdout } = await attempt()
    expect(code).toBe(0)
    expect(stdout).toContain('Trigger default/plain is reached\n  POST http://127.0.0.1:9/plain\n')
    expect(stdout).toMatch(/^ {2}ce-subject: x$/m)
    expect(stdout).toMatch(/^ {2}kn-namespace: default$/m)
    expect(stdout).toMatch(
      /^NOT REACHED +WHY\ndefault\/big +the data at \/total is 12.*\ndefault\/lost +there is no Broker default\/nobody\n$/m,
    )
  })

  test('the request is the one that a subscriber gets', async () => {
    const taker = await subscriber()
    const json = await subscriber()
    const files = {
      'a.yaml': broker() + trigger('taker', taker.url) + trigger('json', json.url, ['delivery: {format: json}']),
    }
    const running = await startSluice(files)
    await runSluice(['send', '--event', file, '--server', running.api])
    const ran = await runSluice(['try', running.folder, '--event', file, '-o', 'json'])
    const { triggers } = JSON.parse(ran.stdout) as {
      triggers: { request: { headers: Record<string, string>; body: string } }[]
    }
    for (const [at, to] of [taker, json].entries()) {
      const [got] = await to.received(1)
      const headers = Object.fromEntries(
        Array.from({ length: got!.rawHeaders.length / 2 }, (_, n) => [
          got!.rawHeaders[2 * n]!.toLowerCase(),
          got!.rawHeaders[2 * n + 1]!,
        ]),
      )
      expect(headers).toMatchObject(triggers[at]!.request.headers)
      const body = got!.body.toString('utf8').replace(/,"knativearrivaltime":"[^"]*"/, '')
      expect(body).toBe(triggers[at]!.request.body)
    }
  })

  test('--expect is content with what -o yaml printed, and with less; else it says what differs, and exits 1', async () => {
    const whole = folderOf({ 'expected.yaml': (await attempt('-o', 'yaml')).stdout })
    expect(await attempt('--expect', join(whole, 'expected.yaml'))).toMatchObject({
      code: 0,
      stdout: 'as expected: 4 Triggers\n',
    })
    const less = folderOf({ 'e.yaml': 'triggers: [{trigger: default/all}, {trigger: default/plain}]' })
    expect((await attempt('--expect', join(less, 'e.yaml'))).code).toBe(0)
    const wrong = folderOf({
      'e.yaml': `triggers:
- trigger: default/big
- trigger: default/all
  request: {url: "http://127.0.0.1:9/other"}
- trigger: default/gone`,
    })
    const ran = await attempt('--expect', join(wrong, 'e.yaml'))
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^default\/big: is not reached: the data at \/total is 12/),
      'default/all.request.url: expected "http://127.0.0.1:9/other", and it is "http://127.0.0.1:9/all"',
      'default/gone: there is no such Trigger',
      'default/plain: is reached, and that is not expected',
    ])
  })

  test.each([
    [['--event', join(folder, 'broken.json')], 1, /broken\.json/],
    [['--event', join(folder, 'none.json')], 1, /can't read/],
    [['--event', file, '--expect', file], 1, /-o yaml prints it/],
    [[], 2, /--event/],
  ])('%j: %i', async (words, code, message) => {
    const ran = await runSluice(['try', shop, ...words])
    expect(ran).toMatchObject({ code, stdout: '' })
    expect(ran.stderr).toMatch(message)
  })

  test('files with mistakes: 1, and what is wrong', async () => {
    const ran = await runSluice(['try', folderOf({ 'a.yaml': broker('a b') }), '--event', file])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toMatch(/a\.yaml:\d+/)
  })
})
