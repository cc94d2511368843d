// `sluice get` and `describe`: what a person sees of what is declared and of what runs.

import { beforeAll, describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { runSluice, startSluice, type Ran, type Sluice } from '../support/sluice.ts'
import { subscriber } from '../support/subscriber.ts'

let sluice: Sluice
let down: string

beforeAll(async () => {
  const taker = await subscriber(() => 503)
  down = taker.url
  sluice = await startSluice({
    'shop.yaml':
      broker('default', '{delivery: {retry: 7, timeout: PT70S}}') +
      trigger('orders', down, ['filter: {attributes: {type: order.created}}']) +
      trigger('own', down, ['filter: {attributes: {type: other}}', 'delivery: {retry: 0}']) +
      trigger('lost', down, [], 'nowhere'),
  })
  await exchange(sluice.broker, binary([['ce-type', 'order.created']]))
  await taker.received(1)
})

function run(...words: string[]): Promise<Ran> {
  return runSluice(words, { env: { SLUICE_SERVER: sluice.api } })
}

test('get prints the columns of kn: how many conditions are fine, whether it is ready, and why not', async () => {
  const { code, stdout, stderr } = await run('get', 'triggers')
  expect([code, stderr]).toEqual([0, ''])
  expect(
    stdout
      .replaceAll(/\d+[smh] /g, '1s ')
      .split('\n')
      .map((line) => line.replaceAll(/ {2,}/g, '  ')),
  ).toEqual([
    'NAME  BROKER  SINK  AGE  CONDITIONS  READY  REASON',
    `lost  nowhere  ${down}  1s  4 OK / 7  False  BrokerDoesNotExist : Broker "nowhere" does not exist`,
    `orders  default  ${down}  1s  7 OK / 7  True`,
    `own  default  ${down}  1s  7 OK / 7  True`,
    '',
  ])
})

test.each([['brokers'], ['broker'], ['Broker'], ['broker/default'], ['brokers.eventing.knative.dev']])(
  'get %s is the Broker',
  async (kind) => {
    const { code, stdout } = await run('get', kind)
    expect(code).toBe(0)
    expect(stdout).toContain(`default   ${sluice.ingress}/default/default`)
  },
)

test('several kinds are a table each, with full names; -o name is for the next command', async () => {
  const { stdout } = await run('get', 'broker,trigger')
  expect(stdout).toMatch(/^broker\.eventing\.knative\.dev\/default .*\n\nNAME/m)
  expect((await run('get', 'triggers', '-o', 'name')).stdout).toBe(
    ['lost', 'orders', 'own'].map((name) => `trigger.eventing.knative.dev/${name}\n`).join(''),
  )
  const one: { metadata: { name: string } } = JSON.parse((await run('get', 'trigger', 'own', '-o', 'json')).stdout)
  expect(one.metadata.name).toBe('own')
  expect((await run('get', 'trigger', 'own', '-o', 'yaml')).stdout).toMatch(
    /^apiVersion: eventing.knative.dev\/v1\nkind: Trigger\n/,
  )
})

test('what is not there is told, and a slip of the pen gets the nearest word', async () => {
  expect(await run('get', 'trigger', 'nix')).toMatchObject({
    code: 1,
    stderr: 'sluice get: triggers.eventing.knative.dev "nix" not found\n',
  })
  const slip = await run('get', 'trigers')
  expect([slip.code, slip.stderr]).toEqual([2, 'sluice get: there is no kind "trigers". Did you mean triggers?\n'])
  expect(await run('get', 'triggers', '-n', 'other')).toMatchObject({
    code: 0,
    stderr: 'No triggers found in namespace other.\n',
  })
  const nobody = await runSluice(['get', 'triggers', '--server', 'http://127.0.0.1:9'])
  expect([nobody.code, nobody.stderr]).toEqual([3, expect.stringContaining('Is sluice up running there?')])
})

const KEPT = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: billing}
---
apiVersion: example.com/v2
kind: Machine
metadata: {name: m}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: shop}
`

test('what is kept and not acted on is shown as well, be its kind known or not', async () => {
  const kept = await startSluice({ 'kept.yaml': KEPT })
  const get = async (...words: string[]): Promise<string> =>
    (await runSluice(['get', ...words, '--server', kept.api])).stdout.replaceAll(/ +\d+s/g, '  1s').replaceAll(/ {2,}/g, '  ') // prettier-ignore
  expect(await get('deployments')).toBe('NAME  AGE  READY  REASON\nbilling  1s  <unknown>\n')
  expect(await get('machine', 'm')).toBe('NAME  AGE  READY  REASON\nm  1s  <unknown>\n')
  expect(await get('machines.example.com', '-o', 'name')).toBe('machine.example.com/m\n')
  expect(await get('ksvc')).toBe('NAME  AGE  READY  REASON\nshop  1s  <unknown>\n')
})

describe('describe', () => {
  test('says whose policy holds, what waits, why, and what the channel can do', async () => {
    const { code, stdout } = await run('describe', 'trigger', 'orders')
    expect(code).toBe(0)
    for (const line of [
      /^Name: +orders$/m,
      /^Filter:\n {2}type: +order\.created$/m,
      /^ {2}By: +Broker default$/m,
      /^ {2}Retry: +7 times, exponential from PT0\.2S, at most PT5M apart$/m,
      /^ {2}Timeout of a try: +PT1M10S$/m,
      /^ {2}To deliver: +1 events: \d under way, \d wait for their next try; the oldest is \d+s old$/m,
      /^ {2}Last failure: +.*503/m,
      /^ {2}Can: .*keep events when the process ends/m,
      /^ {2}Can't: +share the work among processes$/m,
      /^Conditions:\n {2}OK +TYPE +AGE +REASON\n {2}\+\+ +Ready +\d+s$/m,
    ]) {
      expect(stdout).toMatch(line)
    }
    const own = (await run('describe', 'trigger/own')).stdout
    expect(own).toMatch(/^ {2}By: +this Trigger\n {2}Retry: +never: one try$/m)
  })

  test('of one that does not run its conditions say why, with the marks of kn', async () => {
    const { stdout } = await run('describe', 'trigger', 'lost')
    expect(stdout).toMatch(/^ {2}!! +Ready +\d+s +BrokerDoesNotExist : Broker "nowhere" does not exist$/m)
    expect(stdout).toMatch(/^ {2}\?\? +SubscriptionReady/m)
    expect(stdout).not.toContain('Progress:')
  })

  test('of a Broker: where it takes events, what its triggers get, what it holds', async () => {
    const { stdout } = await run('describe', 'broker')
    expect(stdout).toContain(`URL:   ${sluice.ingress}/default/default\n`)
    expect(stdout).toMatch(/Triggers without their own: +retry 7, timeout PT70S$/m)
    expect(stdout).toMatch(/^ {2}Holds: +1 events; of those to deliver \d+ B of 10 GiB$/m)
  })
})
