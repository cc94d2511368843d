// Sources as they are declared: where their events go, what they keep, and how they change.

import { createHmac } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dataDirectory, type DataDirectory } from '@sluice/controller'
import { SluiceError, type Event } from '@sluice/event'
import { WEBHOOK_PRESETS, type Declared, type Resource } from '@sluice/resource'
import { SourceRequest, type SourceResponse } from '@sluice/source'
import { PRESETS } from '@sluice/source-webhook'
import { expect, test } from 'vitest'
import { systemClock } from '@sluice/clock'
import { authority } from '../../../test/support/certificates.ts'
import { subscriber as secureSubscriber } from '../../../test/support/subscriber.ts'
import { temporaryFolder } from './folders.ts'
import { broker, condition, declare, scene, subscriber, type Scene } from './scene.ts'

const TO_BROKER = { ref: { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name: 'default' } }

const hook = (spec: object = {}, sink: object = TO_BROKER): Declared =>
  declare({
    apiVersion: 'sources.sluice.dev/v1alpha1',
    kind: 'WebhookSource',
    metadata: { name: 'shop' },
    spec: { sink, verify: { scheme: 'none' }, event: { type: 'shop.order', id: '{header.x-id}' }, ...spec },
  })
const secret = (stringData: Record<string, string>): Declared =>
  declare({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData })

function shop({ controller }: Scene): Resource {
  return controller.get({ group: 'sources.sluice.dev', kind: 'WebhookSource', namespace: 'default', name: 'shop' })!
}

async function send({ controller }: Scene, headers: Record<string, string> = {}, body = '{}'): Promise<SourceResponse> {
  const source = controller.sources.mounted('default', 'shop')!
  return source.http.handle(new SourceRequest('POST', source.url, Object.entries(headers).flat(), Buffer.from(body)))
}

async function refusal(sent: Promise<unknown>): Promise<string> {
  const error = await sent.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof SluiceError) return `${error.status} ${error.code}`
  throw new Error('It was taken.')
}

test('the presets that a person may name are those that there are', () => {
  expect([...WEBHOOK_PRESETS].toSorted()).toEqual(Object.keys(PRESETS).toSorted())
})

test('a source is Ready once its sink is known and it runs, in the words of Knative', async () => {
  const here = scene()
  await here.apply(hook(), broker())
  expect(shop(here).status).toMatchObject({
    sinkUri: 'http://127.0.0.1:8080/default/default',
    address: { url: 'http://127.0.0.1:8080/webhooks/default/shop' },
    observedGeneration: 1,
  })
  const types = ['Deployed', 'Ready', 'SinkProvided']
  expect(types.map((type) => condition(shop(here), type))).toEqual(['True', 'True', 'True'])
})

test('without its sink it says so and takes nothing; it does as soon as that is there', async () => {
  const here = scene()
  await here.apply(hook())
  expect(condition(shop(here), 'Deployed')).toBe('True')
  expect(condition(shop(here), 'Ready')).toBe('False NotFound')
  expect(await refusal(send(here))).toBe('503 SLUICE_SINK_UNRESOLVED')
  await here.apply(hook(), broker())
  expect(await send(here)).toMatchObject({ status: 202 })
})

test('threat 20: a sink elsewhere is trusted by the CACerts of its destination, and by nothing else', async () => {
  const ca = authority('Ours')
  const { certificate, key } = ca.issue('sink')
  const sink = await secureSubscriber(() => 202, { tls: { cert: certificate, key } })
  const here = scene()
  await here.apply(hook({}, { uri: sink.url }))
  expect(await refusal(send(here))).toBe('503 SLUICE_SINK_FAILED')
  expect(sink.all).toHaveLength(0)
  await here.apply(hook({}, { uri: sink.url, CACerts: ca.certificate }))
  expect(await send(here)).toMatchObject({ status: 202 })
  expect(sink.all).toHaveLength(1)
  expect(shop(here).status).toMatchObject({ sinkUri: sink.url, sinkCACerts: ca.certificate })
})

test('ceOverrides are set on every event', async () => {
  const events: Event[] = []
  const here = scene({ observer: { accepted: (_broker, event) => void events.push(event) } })
  await here.apply(hook({ ceOverrides: { extensions: { region: 'eu' } } }), broker())
  await send(here)
  expect(events[0]!.attribute('region')).toBe('eu')
})

test('a sink that is a URL has the event once it has answered; what it refuses for now is 503, for good 502', async () => {
  const sink = await subscriber()
  const here = scene()
  await here.apply(hook({}, { uri: sink.url }))
  expect(await send(here)).toMatchObject({ status: 202 })
  sink.status = 503
  expect(await refusal(send(here))).toBe('503 SLUICE_SINK_FAILED')
  sink.status = 400
  expect(await refusal(send(here))).toBe('502 SLUICE_SINK_FAILED')
})

test('a channel as sink takes the events without a way around by HTTP', async () => {
  const events: string[] = []
  const here = scene({ observer: { accepted: ({ name }, { type }) => void events.push(`${name} ${type}`) } })
  const apiVersion = 'messaging.knative.dev/v1'
  const channel = declare({ apiVersion, kind: 'InMemoryChannel', metadata: { name: 'orders' }, spec: {} })
  await here.apply(hook({}, { ref: { apiVersion, kind: 'InMemoryChannel', name: 'orders' } }), channel)
  expect(await send(here)).toMatchObject({ status: 202 })
  expect(events).toEqual(['orders shop.order'])
  expect(shop(here).status).toMatchObject({ sinkUri: 'http://127.0.0.1:8080/channels/default/orders' })
})

test('a spec that changes counts from the next request on, and the number of the generation says so', async () => {
  const here = scene()
  await here.apply(hook(), broker())
  await here.apply(
    hook({ verify: { scheme: 'bearer' }, secretRefs: [{ name: 's', key: 'k' }] }),
    broker(),
    secret({ k: 'tok' }),
  )
  expect(await refusal(send(here))).toBe('401 SLUICE_WEBHOOK_SIGNATURE_MISSING')
  expect(await send(here, { authorization: 'Bearer tok' })).toMatchObject({ status: 202 })
  expect(shop(here).status?.observedGeneration).toBe(2)
  await here.apply(broker())
  expect(here.controller.sources.mounted('default', 'shop')).toBeUndefined()
})

const BEARER = { verify: { scheme: 'bearer' }, secretRefs: [{ name: 's', key: 'k' }] }
const withToken = (here: Scene, token: string): Promise<SourceResponse> =>
  send(here, { authorization: `Bearer ${token}` })

test('a Secret that changes counts at once; one that is missing keeps requests out, and its name stands in the status', async () => {
  const here = scene()
  await here.apply(hook(BEARER), broker())
  expect(await refusal(withToken(here, 'one'))).toBe('503 SLUICE_WEBHOOK_NOT_SET_UP')
  expect(JSON.stringify(shop(here).status)).toContain('Secret default/s')
  await here.apply(hook(BEARER), broker(), secret({ k: 'one' }))
  expect(await withToken(here, 'one')).toMatchObject({ status: 202 })
  await here.apply(hook(BEARER), broker(), secret({ k: 'two' }))
  expect(await refusal(withToken(here, 'one'))).toBe('401 SLUICE_WEBHOOK_SIGNATURE_MISMATCH')
  expect(await withToken(here, 'two')).toMatchObject({ status: 202 })
})

test('a secret in a file is read again within a second of its change, without the end of its line', async () => {
  const here = scene()
  const path = join(temporaryFolder(), 'token')
  writeFileSync(path, 'one\n')
  await here.apply(hook(BEARER), broker(), secret({ k: `file:${path}` }))
  expect(await withToken(here, 'one')).toMatchObject({ status: 202 })
  writeFileSync(path, 'three\r\n')
  here.clock.advance(1000)
  expect(await refusal(withToken(here, 'one'))).toBe('401 SLUICE_WEBHOOK_SIGNATURE_MISMATCH')
  expect(await withToken(here, 'three')).toMatchObject({ status: 202 })
})

test.each([
  ['a folder', () => `file:${temporaryFolder()}`, 'no regular file'],
  ['a device that never ends', () => 'file:/dev/zero', 'no regular file'],
  ['nothing', () => 'file:/nowhere/at/all', 'ENOENT'],
  [
    'a file that is too large',
    () => {
      const path = join(temporaryFolder(), 'large')
      writeFileSync(path, 'x'.repeat(64 * 1024 + 1))
      return `file:${path}`
    },
    '65536 bytes',
  ],
  ['a variable that is not set', () => 'env:NO_SUCH_VARIABLE_HERE', 'empty'],
])('threat 8: a secret that is %s is told, and nothing hangs', async (_, text, why) => {
  const here = scene()
  await here.apply(hook(BEARER), broker(), secret({ k: text() }))
  expect(await refusal(withToken(here, 'x'))).toBe('503 SLUICE_WEBHOOK_NOT_SET_UP')
  expect(JSON.stringify(shop(here).status)).toContain(why)
})

test('threat 8: a Secret that came through the API reads no file and no variable of this machine', async () => {
  const here = scene()
  const { origin: _, ...fromApi } = secret({ k: 'env:PATH' })
  await here.apply(hook(BEARER), broker(), fromApi)
  expect(await refusal(withToken(here, process.env['PATH'] ?? ''))).toBe('503 SLUICE_WEBHOOK_NOT_SET_UP')
  expect(JSON.stringify(shop(here).status)).toContain('Secrets that stand in files')
})

test('what a source keeps outlives the process, and goes with the source', async () => {
  const path = temporaryFolder()
  const open = async (): Promise<{ here: Scene; data: DataDirectory }> => {
    const data = dataDirectory({ path, clock: systemClock })
    await data.open()
    const here = scene({ data })
    await here.apply(hook(), broker())
    return { here, data }
  }
  const first = await open()
  await send(first.here, { 'x-id': '1' })
  const { uid } = shop(first.here).metadata
  expect(existsSync(join(path, 'sources', uid, 'checkpoint'))).toBe(true)
  await first.here.controller.close({ deadlineMs: 0 })
  await first.data.close()
  const { here: second } = await open()
  const { stored } = await send(second, { 'x-id': '1' })
  expect(stored).toEqual([])
  await second.apply(broker())
  await second.until(() => !existsSync(join(path, 'sources', uid)))
})

test('threat 7: no status, answer or error holds the secret of a signature', async () => {
  const here = scene()
  const value = 'canary-1234'
  const verify = { scheme: 'hmac', header: 'X-Sig' }
  await here.apply(hook({ ...BEARER, verify }), broker(), secret({ k: value }))
  const good = createHmac('sha256', value).update('{}').digest('hex')
  expect(await send(here, { 'x-sig': good })).toMatchObject({ status: 202 })
  await refusal(send(here, { 'x-sig': good.replace(/./, 'f').replace(/./, '0') }))
  await refusal(send(here, { 'x-sig': value }))
  expect(JSON.stringify(shop(here))).not.toContain(value)
  expect(JSON.stringify(shop(here))).not.toContain(good)
})
