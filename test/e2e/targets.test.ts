// What a trigger's subscriber is shown, signed and allowed to ask for, through the running program: YAML in, bytes at the
// subscriber (threats 5, 20, 21; WEBHOOKS 3).

import { generateKeyPairSync, verify } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { authority } from '../support/certificates.ts'
import { binary, broker } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { conditionOf, readResource } from '../support/ops.ts'
import { runSluice, startSluice, type Sluice } from '../support/sluice.ts'
import { header, subscriber, type Received } from '../support/subscriber.ts'

type Annotations = Readonly<Record<string, string>>

function trigger(name: string, destination: object, annotations: Annotations, spec: object = {}): string {
  const resource = {
    apiVersion: 'eventing.knative.dev/v1',
    kind: 'Trigger',
    metadata: { name, annotations },
    spec: { broker: 'default', subscriber: destination, ...spec },
  }
  return `---\n${JSON.stringify(resource)}\n`
}

function secret(name: string, type: string, stringData: Readonly<Record<string, string>>): string {
  return `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, type, stringData })}\n`
}

/** A Broker with its ingress's annotations. */
function brokerThatAsks(name: string, annotations: Annotations): string {
  const resource = { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', metadata: { name, annotations }, spec: {} }
  return `---\n${JSON.stringify(resource)}\n`
}

async function send({ broker: url }: Sluice, id = '1', body = '{"total":7}'): Promise<void> {
  const { status } = await exchange(
    url,
    binary(
      [
        ['ce-id', id],
        ['content-type', 'application/json'],
      ],
      body,
    ),
  )
  expect(status).toBe(202)
}

async function untilReady({ api }: Sluice, name: string): Promise<void> {
  while (conditionOf(await readResource(api, 'triggers', name), 'Ready') !== 'True');
}

function headersOf({ rawHeaders }: Received): Record<string, string> {
  return Object.fromEntries(
    rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]!]] : [])),
  )
}

test('mutual TLS by a CA of our own, a bearer token and two signatures, all by reference', async () => {
  const [ours, clients] = [authority('Ours'), authority('Clients')]
  const server = ours.issue('billing')
  const me = clients.issue('sluice')
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('base64')
  const hmacSecret = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
  const to = await subscriber(() => 202, {
    tls: { key: server.key, cert: server.certificate, ca: clients.certificate, requestCert: true },
  })
  const sluice = await startSluice(
    {
      'sluice.yaml': [
        broker(),
        trigger(
          'billing',
          { uri: to.url, CACerts: ours.certificate },
          { 'sluice.dev/credentials-secret': 'token, me', 'sluice.dev/signing-secret': 'signing' },
        ),
        secret('token', 'sluice.dev/bearer', { token: 'env:BILLING_TOKEN' }),
        secret('me', 'kubernetes.io/tls', { 'tls.crt': me.certificate, 'tls.key': me.key }),
        secret('signing', 'Opaque', { hmac: hmacSecret, ed25519: `whsk_${seed}` }),
      ].join(''),
    },
    [],
    { env: { BILLING_TOKEN: 'of-the-environment' } },
  )
  await send(sluice, '1', '{"name":"Zoë"}')
  const got = await to.next()
  const headers = headersOf(got)
  expect(headers['authorization']).toBe('Bearer of-the-environment')
  expect(new Webhook(hmacSecret).verify(got.body, headers)).toMatchObject({ id: '1', data: { name: 'Zoë' } })
  const v1a = /v1a,(\S+)/.exec(headers['webhook-signature']!)![1]!
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${got.body.toString()}`
  expect(verify(null, Buffer.from(content), publicKey, Buffer.from(v1a, 'base64'))).toBe(true)
})

test('a Secret that is not there yet: the trigger says so, and is Ready once an apply brings it', async () => {
  const to = await subscriber()
  const sluice = await startSluice({
    'sluice.yaml': broker() + trigger('billing', { uri: to.url }, { 'sluice.dev/credentials-secret': 'token' }),
  })
  const described = await runSluice(['describe', 'trigger', 'billing', '--server', sluice.api])
  expect(described.stdout).toContain('There is no Secret default/token')
  expect(sluice.stderr.soFar()).toContain('Secret')
  const { status } = await fetch(`${sluice.api}/api/v1/namespaces/default/secrets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'token' } },
      ...{ type: 'sluice.dev/bearer', stringData: { token: 'by-the-api' } },
    }),
  })
  expect(status).toBe(201)
  await untilReady(sluice, 'billing')
  await send(sluice)
  expect(header(await to.next(), 'authorization')).toBe('Bearer by-the-api')
})

test('OAuth 2: the token is fetched from its server, and the subscriber gets it', async () => {
  const idp = await subscriber(() => ({ status: 200, body: '{"access_token":"granted","expires_in":60}' }))
  const to = await subscriber()
  const sluice = await startSluice({
    'sluice.yaml': [
      broker(),
      trigger('billing', { uri: to.url }, { 'sluice.dev/credentials-secret': 'client' }),
      secret('client', 'sluice.dev/oauth2', { tokenUrl: `${idp.url}token`, clientId: 'me', clientSecret: 's3cret' }),
    ].join(''),
  })
  for (const id of ['1', '2', '3']) {
    await send(sluice, id)
    expect(header(await to.next(), 'authorization')).toBe('Bearer granted')
  }
  expect(idp.all).toHaveLength(1)
})

test('a rate holds, and is shown', async () => {
  const to = await subscriber()
  const sluice = await startSluice({
    'sluice.yaml': broker() + trigger('billing', { uri: to.url }, { 'sluice.dev/rate': '20/s' }),
  })
  const beganMs = performance.now()
  for (let id = 0; id < 12; id++) await send(sluice, String(id))
  await to.received(12)
  // 2 at once, then one every 50 ms: sooner than that it can't be, whatever the machine does.
  expect(performance.now() - beganMs).toBeGreaterThan(480)
  const described = await runSluice(['describe', 'trigger', 'billing', '--server', sluice.api])
  expect(described.stdout).toMatch(/Rate: +at most 20 requests a second/)
})

test('the WebHook handshake both ways: a trigger asks a Broker of another program, and keeps to what that allows', async () => {
  const end = await subscriber()
  const receiver = await startSluice({
    'sluice.yaml': [
      brokerThatAsks('default', {
        'sluice.dev/webhook-allowed-origins': 'events.example.com',
        'sluice.dev/webhook-allowed-rate': '600',
      }),
      trigger('end', { uri: end.url }, {}),
    ].join(''),
  })
  const asking = (name: string, origin: string): string =>
    trigger(
      name,
      { uri: receiver.broker },
      { 'sluice.dev/webhook-handshake': 'require', 'sluice.dev/webhook-origin': origin },
    )
  const sender = await startSluice({
    'sluice.yaml': broker() + asking('allowed', 'events.example.com') + asking('stranger', 'other.example.com'),
  })
  await untilReady(sender, 'allowed')
  const stranger = async (): Promise<string | undefined> =>
    conditionOf(await readResource(sender.api, 'triggers', 'stranger'), 'Ready')
  while ((await stranger()) !== 'False NotConsented');
  await send(sender)
  await end.next()
  expect(end.all).toHaveLength(1)
  const { status } = await readResource(sender.api, 'triggers', 'allowed')
  expect(status).toMatchObject({ subscriber: { state: 'Healthy', rate: '10/s' } })
})

test('a subscriber that consents by the callback, as a person would with a browser', async () => {
  const to = await subscriber(({ method }) => (method === 'OPTIONS' ? 405 : 202))
  const sluice = await startSluice({
    'sluice.yaml': broker() + trigger('billing', { uri: to.url }, { 'sluice.dev/webhook-handshake': 'require' }),
  })
  const callback = header(await to.next(), 'webhook-request-callback')!
  expect(callback.startsWith(`${sluice.ingress}/.well-known/sluice/consent?id=`)).toBe(true)
  const wrong = await fetch(callback.slice(0, -1))
  expect([wrong.status, await wrong.json()]).toMatchObject([404, { code: 'SLUICE_CONSENT_UNKNOWN' }])
  const answered = await fetch(callback, { headers: { 'webhook-allowed-rate': '*' } })
  expect([answered.status, await answered.text()]).toEqual([200, 'The consent is taken down; events will be sent.\n'])
  await untilReady(sluice, 'billing')
  await send(sluice)
  expect((await to.next()).method).toBe('POST')
})
