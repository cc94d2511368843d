// Each preset by what its provider documents, or by the provider's own library as the one who signs.

import { createHmac, createSign, generateKeyPairSync, hash, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sign as githubSign } from '@octokit/webhooks-methods'
import { SourceRequest } from '@sluice/source'
import { Stripe } from 'stripe'
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { webhook } from './scene.ts'

describe('GitHub', () => {
  const headers = { 'x-github-event': 'push', 'x-github-delivery': 'd-1', 'content-type': 'application/json' }

  test('the signature that GitHub documents is taken', async () => {
    const { send, events } = await webhook({ preset: 'github', event: { source: '/x' } }, "It's a Secret to Everybody")
    const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
    const sent = { ...headers, 'content-type': 'text/plain', 'x-hub-signature-256': signature }
    expect(await send(sent, 'Hello, World!')).toMatchObject({ status: 202 })
    expect(events).toHaveLength(1)
  })

  test('what its own library signs is taken, and is the event of the adapter', async () => {
    const { send, events } = await webhook({ preset: 'github' }, 'secret')
    const body = JSON.stringify({ ref: 'refs/heads/main', repository: { url: 'https://api.github.com/repos/o/r' } })
    const signature = await githubSign('secret', body)
    expect(await send({ ...headers, 'x-hub-signature-256': signature }, body)).toMatchObject({ status: 202 })
    const [event] = events
    expect(Object.fromEntries(event!.attributes)).toMatchObject({
      id: 'd-1',
      type: 'com.github.push',
      source: 'https://api.github.com/repos/o/r',
      subject: 'refs/heads/main',
      datacontenttype: 'application/json',
    })
    expect(event!.data!.toString()).toBe(body)
  })

  test('a form is verified as it came, and its payload is the data', async () => {
    const { send, events } = await webhook({ preset: 'github' }, 'secret')
    const payload = '{"action":"opened","repository":{"url":"https://api.github.com/repos/o/r"},"issue":{"number":7}}'
    const body = new URLSearchParams({ payload }).toString()
    const sent = {
      ...headers,
      'x-github-event': 'issues',
      'content-type': 'application/x-www-form-urlencoded',
      'x-hub-signature-256': await githubSign('secret', body),
    }
    expect(await send(sent, body)).toMatchObject({ status: 202 })
    expect(events[0]!.type).toBe('com.github.issues.opened')
    expect(events[0]!.text('subject')).toBe('7')
    expect(events[0]!.text('datacontenttype')).toBe('application/json')
    expect(events[0]!.data!.toString()).toBe(payload)
  })

  test('SHA-1, which it sends beside, proves nothing', async () => {
    const { send, events } = await webhook({ preset: 'github' }, 'secret')
    const old = createHmac('sha1', 'secret').update('{}').digest('hex')
    expect(await send({ ...headers, 'x-hub-signature': `sha1=${old}` }, '{}')).toMatchObject({ status: 401 })
    expect(events).toEqual([])
  })

  test('its ping is answered, and is no event', async () => {
    const { send, events, source } = await webhook({ preset: 'github' }, 'secret')
    const sent = {
      ...headers,
      'x-github-event': 'ping',
      'x-hub-signature-256': await githubSign('secret', '{"zen":"x"}'),
    }
    expect(await send(sent, '{"zen":"x"}')).toMatchObject({ status: 200 })
    expect(events).toEqual([])
    expect(source.status().fields).toMatchObject({ requests: { handshakes: 1, accepted: 0 } })
  })
})

describe('Stripe', () => {
  const body = JSON.stringify({
    id: 'evt_1',
    type: 'charge.failed',
    created: 1_760_000_000,
    data: { object: { id: 'ch_1' } },
  })
  const secret = 'whsec_test_secret'
  const sdk = new Stripe('sk_test_x')
  const startMs = 1_760_000_100_000
  const header = (timestamp: number, of = secret): string =>
    sdk.webhooks.generateTestHeaderString({ payload: body, secret: of, timestamp })

  test('what its own library signs is taken, under the attributes of the event', async () => {
    const { send, events } = await webhook({ preset: 'stripe' }, secret, { startMs })
    expect(await send({ 'stripe-signature': header(1_760_000_000) }, body)).toMatchObject({ status: 200 })
    expect(Object.fromEntries(events[0]!.attributes)).toMatchObject({
      id: 'evt_1',
      type: 'com.stripe.charge.failed',
      source: 'https://api.stripe.com/accounts/self',
      subject: 'ch_1',
      time: '2025-10-09T08:53:20.000Z',
    })
  })

  test('while a secret is exchanged either signature is enough', async () => {
    const { send } = await webhook({ preset: 'stripe' }, secret, { startMs })
    const other = header(1_760_000_000, 'whsec_other')
    const both = `${other},${header(1_760_000_000).split(',')[1]}`
    expect(await send({ 'stripe-signature': both }, body)).toMatchObject({ status: 200 })
    expect(await send({ 'stripe-signature': other }, body)).toMatchObject({ status: 401 })
  })

  test('a signature of ten minutes ago, or one from the future, is refused', async () => {
    const { send, events } = await webhook({ preset: 'stripe' }, secret, { startMs })
    expect(await send({ 'stripe-signature': header(1_759_999_500) }, body)).toMatchObject({
      status: 401,
      code: 'SLUICE_WEBHOOK_TIMESTAMP_OLD',
    })
    expect(await send({ 'stripe-signature': header(1_760_000_500) }, body)).toMatchObject({
      code: 'SLUICE_WEBHOOK_TIMESTAMP_AHEAD',
    })
    expect(events).toEqual([])
  })
})

describe('Slack', () => {
  const secret = '8f742231b10e8888abcd99yyyzzz85a5'
  const startMs = 1_531_420_618_000
  const signed = (body: string): Record<string, string> => ({
    'x-slack-request-timestamp': '1531420618',
    'x-slack-signature': `v0=${createHmac('sha256', secret).update(`v0:1531420618:${body}`).digest('hex')}`,
  })

  test('the slash command that Slack documents is taken', async () => {
    const { send, events } = await webhook({ preset: 'slack' }, secret, { startMs })
    const body =
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': '1531420618',
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    }
    expect(await send(headers, body)).toMatchObject({ status: 200 })
    expect(Object.fromEntries(events[0]!.attributes)).toMatchObject({
      type: 'com.slack.command',
      source: 'https://slack.com/team/T1DC2JH3J',
      subject: 'G8PSS9T3V',
    })
  })

  test('url_verification is answered with its challenge, once it is verified', async () => {
    const { send, events } = await webhook({ preset: 'slack' }, secret, { startMs })
    const body = '{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}'
    expect(await send({ ...signed(body), 'content-type': 'application/json' }, body)).toMatchObject({
      status: 200,
      body: '3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P',
      headers: { 'content-type': 'text/plain' },
    })
    expect(await send({ 'content-type': 'application/json' }, body)).toMatchObject({ status: 401 })
    expect(events).toEqual([])
  })

  test('an event has the type, channel and time that Slack gives it', async () => {
    const { send, events } = await webhook({ preset: 'slack' }, secret, { startMs })
    const body = JSON.stringify({
      ...{ type: 'event_callback', team_id: 'T1', api_app_id: 'A1', event_id: 'Ev1', event_time: 1_531_420_000 },
      event: { type: 'message', subtype: 'bot_message', channel: 'C1' },
    })
    expect(await send({ ...signed(body), 'content-type': 'application/json' }, body)).toMatchObject({ status: 200 })
    expect(Object.fromEntries(events[0]!.attributes)).toMatchObject({
      id: 'Ev1',
      type: 'com.slack.message.bot_message',
      source: 'https://slack.com/team/T1/app/A1',
      subject: 'C1',
      time: '2018-07-12T18:26:40.000Z',
    })
  })
})

describe('Twilio', () => {
  const form = {
    CallSid: 'CA1234567890ABCDE',
    Caller: '+14158675309',
    Digits: '1234',
    From: '+14158675309',
    To: '+18005551212',
  }
  const body = new URLSearchParams(form).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }

  test('the call that Twilio documents is taken', async () => {
    const scene = await webhook({ preset: 'twilio' }, '12345')
    const signature = 'RSOYDt4T1cUTdK1PDd93/VVr8B8='
    const url = 'https://mycompany.com/myapp.php?foo=1&bar=2'
    const request = new SourceRequest(
      'POST',
      url,
      ['content-type', headers['content-type'], 'x-twilio-signature', signature],
      Buffer.from(body),
    )
    expect(await scene.sendIt(request)).toMatchObject({ status: 204 })
    expect(scene.events[0]!.text('subject')).toBe('CA1234567890ABCDE')
  })

  test('the port that the scheme has anyway may be signed or not', async () => {
    const { send } = await webhook({ preset: 'twilio' }, '12345')
    const sorted = Object.entries(form).flat().join('')
    const over = (url: string): string =>
      createHmac('sha1', '12345')
        .update(url + sorted)
        .digest('base64')
    const path = '/webhooks/default/mine'
    for (const base of ['https://mycompany.com', 'https://mycompany.com:443']) {
      expect(await send({ ...headers, 'x-twilio-signature': over(base + path) }, body)).toMatchObject({ status: 204 })
    }
    expect(
      await send({ ...headers, 'x-twilio-signature': over(`https://mycompany.com:8443${path}`) }, body),
    ).toMatchObject({ status: 401 })
  })

  test('of JSON the digest stands in the address, and has to be that of the body', async () => {
    const { send, url } = await webhook({ preset: 'twilio' }, '12345')
    const json = '{"EventType":"onMessageAdded"}'
    const query = `?bodySHA256=${hash('sha256', json)}`
    const signature = createHmac('sha1', '12345')
      .update(url + query)
      .digest('base64')
    const sent = { 'content-type': 'application/json', 'x-twilio-signature': signature }
    expect(await send(sent, json, { query })).toMatchObject({ status: 204 })
    expect(await send(sent, '{"EventType":"other"}', { query })).toMatchObject({ status: 401 })
    const bare = createHmac('sha1', '12345').update(url).digest('base64')
    expect(await send({ ...sent, 'x-twilio-signature': bare }, json)).toMatchObject({ status: 401 })
  })
})

test('Shopify: base64 over the body, topics with dots, and the id of what happened as an extension', async () => {
  const { send, events } = await webhook({ preset: 'shopify' }, 'hush')
  const body = '{"id":820982911946154508,"admin_graphql_api_id":"gid://shopify/Order/1"}'
  const headers = {
    'content-type': 'application/json',
    'x-shopify-hmac-sha256': createHmac('sha256', 'hush').update(body).digest('base64'),
    'x-shopify-topic': 'orders/create',
    'x-shopify-shop-domain': 'shop.myshopify.com',
    'x-shopify-webhook-id': 'w-1',
    'x-shopify-event-id': 'e-1',
    'x-shopify-triggered-at': '2024-10-01T12:00:00.123456789Z',
  }
  expect(await send(headers, body)).toMatchObject({ status: 200 })
  expect(Object.fromEntries(events[0]!.attributes)).toMatchObject({
    id: 'w-1',
    type: 'com.shopify.orders.create',
    source: 'https://shop.myshopify.com',
    subject: 'gid://shopify/Order/1',
    time: '2024-10-01T12:00:00.123456789Z',
    shopifyeventid: 'e-1',
  })
})

describe('GitLab', () => {
  const body = JSON.stringify({
    object_kind: 'merge_request',
    project: { web_url: 'https://gitlab.example.com/g/p' },
    repository: { homepage: 'https://gitlab.example.com/g/p' },
    object_attributes: { iid: 3, action: 'open' },
  })

  test('its token is compared, and what is wrong or missing is refused', async () => {
    const { send, events } = await webhook({ preset: 'gitlab' }, 'token')
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'k-1' }
    expect(await send({ ...headers, 'x-gitlab-token': 'tokem' }, body)).toMatchObject({ status: 401 })
    expect(await send({ ...headers, 'x-gitlab-token': 'token2' }, body)).toMatchObject({ status: 401 })
    expect(await send(headers, body)).toMatchObject({ status: 401 })
    expect(await send({ ...headers, 'x-gitlab-token': 'token' }, body)).toMatchObject({ status: 200 })
    expect(Object.fromEntries(events[0]!.attributes)).toMatchObject({
      id: 'k-1',
      type: 'com.gitlab.merge_request.open',
      source: 'https://gitlab.example.com/g/p',
      subject: '3',
    })
  })

  test('a signing token is that of Standard Webhooks, and is never taken for a token', async () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const { send, clock } = await webhook({ preset: 'gitlab' }, secret)
    const now = new Date(clock.now())
    const signature = new StandardWebhook(secret).sign('id-1', now, body)
    const headers = { 'webhook-id': 'id-1', 'webhook-timestamp': String(Math.floor(now.getTime() / 1000)) }
    expect(await send({ ...headers, 'webhook-signature': signature }, body)).toMatchObject({ status: 200 })
    expect(await send({ ...headers, 'x-gitlab-token': secret }, body)).toMatchObject({ status: 401 })
  })
})

test('Bitbucket: the signature of its documentation', async () => {
  // The example of "Manage webhooks", section "Secure webhooks".
  const { send, events } = await webhook({ preset: 'bitbucket', event: { source: '/b' } }, "It's a Secret to Everybody")
  const headers = {
    'content-type': 'text/plain',
    'x-event-key': 'repo:push',
    'x-request-uuid': 'r-1',
    'x-hub-signature': `sha256=${createHmac('sha256', "It's a Secret to Everybody").update('Hello World!').digest('hex')}`,
  }
  expect(await send(headers, 'Hello World!')).toMatchObject({ status: 200 })
  expect(Object.fromEntries(events[0]!.attributes)).toMatchObject({ id: 'r-1', type: 'com.bitbucket.repo.push' })
})

describe('Standard Webhooks', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const body = '{"test": 2432232314}'
  const startMs = 1_614_265_330_000
  const headers = {
    'content-type': 'application/json',
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
  }

  test('v1: the vector of its specification, alone and beside others', async () => {
    const { send, events } = await webhook({ preset: 'standard-webhooks' }, secret, { startMs })
    const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    expect(await send({ ...headers, 'webhook-signature': signature }, body)).toMatchObject({ status: 200 })
    const list = `v1,AAAA v2,xyz ${signature}`
    expect(await send({ ...headers, 'webhook-id': 'other', 'webhook-signature': list }, body)).toMatchObject({
      status: 401,
    })
    expect(await send({ ...headers, 'webhook-signature': list }, body)).toMatchObject({ status: 200 })
    expect(events).toHaveLength(1)
    expect(events[0]!.text('time')).toBe('2021-02-25T15:02:10.000Z')
  })

  test('v1: what its own library signs', async () => {
    const { send } = await webhook({ preset: 'standard-webhooks' }, secret, { startMs })
    const signature = new StandardWebhook(secret).sign('msg_2', new Date(startMs), body)
    expect(await send({ ...headers, 'webhook-id': 'msg_2', 'webhook-signature': signature }, body)).toMatchObject({
      status: 200,
    })
  })

  test('v1a: what the private key signs, over bytes that are no text too', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
    const { send, events } = await webhook(
      { preset: 'standard-webhooks', event: { type: 'x' } },
      `whpk_${raw.toString('base64')}`,
      { startMs },
    )
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80])
    const content = Buffer.concat([Buffer.from(`${headers['webhook-id']}.1614265330.`), bytes])
    const signature = `v1a,${sign(null, content, privateKey).toString('base64')}`
    const sent = { ...headers, 'content-type': 'application/octet-stream', 'webhook-signature': signature }
    expect(await send(sent, bytes)).toMatchObject({ status: 200 })
    expect(await send(sent, Buffer.concat([bytes, bytes]))).toMatchObject({ status: 401 })
    expect(events).toHaveLength(1)
    expect(events[0]!.data).toEqual(bytes)
  })

  test('v1a: the public key, which everybody knows, signs no v1', async () => {
    const { publicKey } = generateKeyPairSync('ed25519')
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
    const known = `whpk_${raw.toString('base64')}`
    const { send, events } = await webhook({ preset: 'standard-webhooks' }, known, { startMs })
    for (const key of [raw, Buffer.from(known), Buffer.from(raw.toString('base64'))]) {
      const content = `${headers['webhook-id']}.1614265330.${body}`
      const forged = `v1,${createHmac('sha256', key).update(content).digest('base64')}`
      expect(await send({ ...headers, 'webhook-signature': forged }, body)).toMatchObject({ status: 401 })
    }
    expect(events).toEqual([])
  })
})

describe('AWS SNS', () => {
  const file = (name: string): string => readFileSync(join(import.meta.dirname, 'certificates', name), 'utf8')
  const privateKey = file('key.pem') // made for these tests
  const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:orders'
  const CERTIFICATE = 'https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem'
  const notification = {
    Type: 'Notification',
    MessageId: 'm-1',
    TopicArn: TOPIC,
    Subject: 'An order',
    Message: '{"order":1}',
    Timestamp: '2026-01-01T00:00:00.000Z',
  }

  /** As AWS documents the text that is signed. */
  function signed(message: Readonly<Record<string, string>>, version: '1' | '2', url = CERTIFICATE): string {
    const names = ['Message', 'MessageId', 'Subject', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type']
    const text = names.flatMap((name) => (message[name] === undefined ? [] : [`${name}\n${message[name]}\n`])).join('')
    const Signature = createSign(version === '1' ? 'RSA-SHA1' : 'RSA-SHA256')
      .update(text)
      .sign(privateKey, 'base64')
    return JSON.stringify({ ...message, Signature, SignatureVersion: version, SigningCertURL: url })
  }

  const fetched: string[] = []
  const options = {
    fetchText: async (url: string) => {
      fetched.push(url)
      return url === CERTIFICATE ? file('sns.pem') : '<ok/>'
    },
  }
  const spec = { preset: 'sns', verify: { topicArns: [TOPIC] }, secretRefs: [] }
  const headers = { 'content-type': 'text/plain; charset=UTF-8', 'x-amz-sns-subscription-arn': `${TOPIC}:s-1` }

  test.each(['1', '2'] as const)(
    'a notification of version %s is taken, under the attributes of the adapter',
    async (v) => {
      const { send, events } = await webhook(spec, [], options)
      const body = signed(notification, v)
      expect(await send(headers, body)).toMatchObject({ status: 200 })
      expect(Object.fromEntries(events[0]!.attributes)).toMatchObject({
        id: 'm-1',
        type: 'com.amazonaws.sns.Notification',
        source: `${TOPIC}:s-1`,
        subject: 'An order',
        time: '2026-01-01T00:00:00.000Z',
        datacontenttype: 'application/json',
      })
      expect(await send(headers, body.replace('order\\":1', 'order\\":2'))).toMatchObject({ status: 401 })
    },
  )

  test('a subscription is confirmed at AWS, once it is verified', async () => {
    const { send, events } = await webhook(spec, [], options)
    const SubscribeURL = 'https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t'
    const message = { ...notification, Type: 'SubscriptionConfirmation', Token: 't', SubscribeURL }
    const { Subject: _, ...confirmation } = message
    fetched.length = 0
    expect(await send(headers, signed(confirmation, '2'))).toMatchObject({ status: 200 })
    expect(fetched).toContain(SubscribeURL)
    expect(events).toEqual([])
  })

  test.each([
    'https://sns.eu-west-1.amazonaws.com.evil.com/a.pem',
    'https://evil.com/sns.eu-west-1.amazonaws.com/a.pem',
    'http://sns.eu-west-1.amazonaws.com/a.pem',
    'https://user@sns.eu-west-1.amazonaws.com/a.pem',
    'https://sns.eu-west-1.amazonaws.com:8443/a.pem',
    'https://s3.amazonaws.com/a.pem',
    'https://sns.eu-west-1.amazonaws.com/a.txt',
  ])('a certificate of %s is not even fetched (threat 1)', async (url) => {
    const { send, events } = await webhook(spec, [], options)
    fetched.length = 0
    expect(await send(headers, signed(notification, '2', url))).toMatchObject({ status: 401 })
    expect(fetched).toEqual([])
    expect(events).toEqual([])
  })

  test("somebody else's topic is refused, though AWS signs it as well", async () => {
    const { send } = await webhook(spec, [], options)
    const other = { ...notification, TopicArn: 'arn:aws:sns:eu-west-1:666666666666:orders' }
    expect(await send(headers, signed(other, '2'))).toMatchObject({ status: 401, code: 'SLUICE_WEBHOOK_TOPIC_UNKNOWN' })
  })
})
