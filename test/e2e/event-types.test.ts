// The registry of EventTypes in a real process: what traffic makes, how `sluice` and kubectl show it, what outlives the
// process, and schemas as a person meets them.

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { HAS_KUBECTL, kubectl } from '../support/kubectl.ts'
import { folderOf, runSluice, startProgram, startSluice, type Ran, type Sluice } from '../support/sluice.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const ORDERS = `---
apiVersion: eventing.knative.dev/v1beta2
kind: EventType
metadata: {name: orders}
spec:
  type: order.created
  source: /shop
  description: Somebody has bought something
  broker: default
  schemaData: |
    {"type": "object", "properties": {"total": {"type": "number"}}}
`
const SHOP = broker() + trigger('billing', NOWHERE, ['filter: {attributes: {type: order.created}}']) + ORDERS

async function send({ broker: url }: Sluice, type: string, data = '{}'): Promise<number> {
  const headers = [['ce-type', type], ['ce-source', '/shop'], ['content-type', 'application/json']] as const // prettier-ignore
  return (await exchange(url, binary(headers, data))).status
}

/** Runs a client word, once it prints what is awaited: an EventType is made a moment after its event. */
async function until(sluice: Sluice, words: readonly string[], wanted: string): Promise<Ran> {
  let ran: Ran
  do ran = await runSluice(words, { env: { SLUICE_SERVER: sluice.api } })
  while (!ran.stdout.includes(wanted))
  return ran
}

/** Times and ages as words, blanks as two. */
function plain(table: string): string[] {
  return table
    .trimEnd()
    .split('\n')
    .map((line) => line.replaceAll(/\b\d+[smh]\b/g, 'AGE').replaceAll(/ {2,}/g, '  '))
}

test('get tells what has come in of each type, who takes it, and of which nobody does; describe tells more', async () => {
  const sluice = await startSluice({ 'shop.yaml': SHOP })
  for (const type of ['order.created', 'order.created', 'order.refunded']) expect(await send(sluice, type)).toBe(202)
  const { stdout, stderr } = await until(sluice, ['get', 'eventtypes'], 'order.refunded')
  expect(plain(stdout)).toEqual([
    'NAME  TYPE  SOURCE  REFERENCE  DESCRIPTION  EVENTS  FIRST  LAST  CONSUMERS  READY',
    expect.stringMatching(
      /^et-default-[0-9a-f]{32} {2}order\.refunded {2}\/shop {2}broker:default {2}\(from traffic\) {2}1 {2}AGE {2}AGE {2}nobody {2}True$/,
    ),
    'orders  order.created  /shop  broker:default  Somebody has bought something  2  AGE  AGE  billing  True',
  ])
  expect(stderr).toBe('Nobody takes events of: order.refunded.\n')
  const described = await runSluice(['describe', 'eventtype', 'orders'], { env: { SLUICE_SERVER: sluice.api } })
  expect(described.stdout).toMatch(/^Seen:\n {2}Events: +2\n {2}First: +\d{4}-\S+Z \(\d+s ago\)\n {2}Last: /m)
  expect(described.stdout).toMatch(/^Consumers:\n {2}Count: +1\n {2}Names: +billing\n/m)
  expect(described.stdout).toMatch(/^Schema:\n {2}\{"type": "object"/m)
  expect(described.stdout).toMatch(/^ {2}\+\+ {3}ReferenceExists /m)
})

test('FL-22: after kill -9 the EventTypes are there again, and what was counted before the last 30 s', async () => {
  const data = join(folderOf({}), 'data')
  const first = await startSluice({ 'shop.yaml': SHOP }, ['--data', data])
  await send(first, 'order.refunded')
  const { stdout } = await until(first, ['get', 'eventtypes', '-o', 'name'], 'et-default-')
  await first.stop('SIGKILL')
  const second = await startSluice({ 'shop.yaml': SHOP }, ['--data', data])
  const again = await runSluice(['get', 'eventtypes', '-o', 'name'], { env: { SLUICE_SERVER: second.api } })
  expect(again.stdout).toBe(stdout)
  await send(second, 'order.refunded')
  await send(second, 'order.created')
  await second.stop() // in good order: all is counted
  const third = await startSluice({ 'shop.yaml': SHOP }, ['--data', data])
  const table = await runSluice(['get', 'eventtypes'], { env: { SLUICE_SERVER: third.api } })
  expect(
    plain(table.stdout)
      .slice(1)
      .map((line) => line.split('  ').slice(1, 2).concat(line.split('  ').slice(5, 6))),
  ).toEqual([
    ['order.refunded', '1'],
    ['order.created', '1'],
  ])
}, 60_000) // seven processes

test('a schema that is wrong is refused before anything starts, at its line', async () => {
  const folder = folderOf({ 'shop.yaml': SHOP.replace('"number"', '"nummer"') })
  const { code, stderr } = await runSluice(['validate', folder])
  expect(code).toBe(1)
  expect(stderr).toContain(`SLUICE_RESOURCE_SCHEMA  ${folder}/shop.yaml:24:57, EventType default/orders`)
})

test('tail shows data that does not keep to its schema, and what became of the event', async () => {
  const yaml = SHOP.replace('{name: default}', '{name: default, annotations: {sluice.dev/schema: warn}}')
  const sluice = await startSluice({ 'shop.yaml': yaml })
  const tail = startProgram(['tail'], { env: { SLUICE_SERVER: sluice.api } })
  const events = setInterval(() => void send(sluice, 'order.created', '{"total": "much"}'), 100)
  const [line] = await tail.stdout.until(/^.*stored all the same.*$/m).finally(() => clearInterval(events))
  expect(line).toMatch(
    /^\S+ {2}stored all the same: The data does not keep to the schema of EventType default\/orders: \/total must be number; default\/default {2}id 1, type order\.created$/,
  )
  expect(sluice.stderr.soFar()).toContain('stored, though its data is not as it should be')
  tail.process.kill()
})

describe.skipIf(!HAS_KUBECTL)('kubectl (skipped: it is not on the PATH)', () => {
  test('get has Knative’s columns in every version; apply, edit and delete work, and what traffic made comes back', async () => {
    const sluice = await startSluice({ 'shop.yaml': broker() })
    const run = kubectl(sluice.api)
    expect((await run(['apply', '-f', '-'], { input: ORDERS })).stdout).toBe(
      'eventtype.eventing.knative.dev/orders created\n',
    )
    expect((await run(['wait', '--for=condition=Ready', 'eventtype/orders', '--timeout=20s'])).stdout).toContain(
      'condition met',
    )
    expect(plain((await run(['get', 'eventtypes'])).stdout)).toEqual([
      'NAME  TYPE  SOURCE  REFERENCE NAME  REFERENCE KIND  DESCRIPTION  READY  REASON',
      'orders  order.created  /shop  default  Broker  Somebody has bought something  True',
    ])
    expect(plain((await run(['get', 'eventtypes.v1beta2.eventing.knative.dev'])).stdout)[0]).toBe(
      'NAME  TYPE  SOURCE  SCHEMA  REFERENCE NAME  REFERENCE KIND  DESCRIPTION  READY  REASON',
    )
    expect((await run(['explain', 'eventtype.spec.attributes'])).stdout).toContain('required')
    const patch = JSON.stringify({ spec: { schemaData: '{"type": "objekt"}' } })
    const refused = await run([
      'patch',
      'eventtypes.v1beta2.eventing.knative.dev',
      'orders',
      '--type=merge',
      '-p',
      patch,
    ])
    expect(refused.stderr).toContain('/type must be equal to one of the allowed values')
    await send(sluice, 'order.refunded')
    await until(sluice, ['get', 'eventtypes', '-o', 'name'], 'et-default-')
    expect((await run(['delete', 'eventtypes', '-l', 'sluice.dev/auto-created=true'])).stdout).toMatch(
      /^eventtype\S+ "et-default-\S+" deleted\n$/,
    )
    await send(sluice, 'order.refunded')
    await until(sluice, ['get', 'eventtypes', '-o', 'name'], 'et-default-')
  })
})
