// What receivers are shown, from YAML to the wire: by annotations and Secrets, each its own and nobody else's (threats 5, 7,
// 20, 21).

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import type { Declared, Resource } from '@sluice/resource'
import { authority } from '../../../test/support/certificates.ts'
import { header, subscriber, type Subscriber } from '../../../test/support/subscriber.ts'
import { temporaryFolder } from './folders.ts'
import { bearerSecret, secret } from './secrets.ts'
import { broker, condition, conditionOf, declare, event, scene, service, trigger, type Scene } from './scene.ts'

const CREDENTIALS = 'sluice.dev/credentials-secret'
const SIGNING = 'sluice.dev/signing-secret'
const DEAD_LETTER = 'sluice.dev/dead-letter-credentials-secret'
const OLD = `whsec_${Buffer.alloc(24, 1).toString('base64')}`
const NEW = `whsec_${Buffer.alloc(24, 2).toString('base64')}`

function bearer(token: string, name = 'billing'): Declared {
  return bearerSecret(name, token)
}

function authorizations({ all }: Subscriber): (string | undefined)[] {
  return all.map((each) => header(each, 'authorization'))
}

async function sendAndWait({ send }: Pick<Scene, 'send'>, to: Subscriber, n: number): Promise<void> {
  await send('order')
  await to.received(n)
}

describe('credentials by reference', () => {
  test('go to the subscriber, and another value of the Secret counts from the next delivery on', async () => {
    const to = await subscriber()
    const run = scene()
    const t = trigger('t', to.url, {}, { [CREDENTIALS]: 'billing' })
    await run.apply(broker(), t, bearer('one'))
    await sendAndWait(run, to, 1)
    await run.apply(broker(), t, bearer('two'))
    await sendAndWait(run, to, 2)
    await run.apply(broker(), t, secret('billing', 'kubernetes.io/basic-auth', { username: 'u', password: 'p' }))
    await sendAndWait(run, to, 3)
    expect(authorizations(to)).toEqual(['Bearer one', 'Bearer two', `Basic ${Buffer.from('u:p').toString('base64')}`])
    expect(condition(run.trigger('t'), 'Ready')).toBe('True')
  })

  test('threat 21: two triggers of one subscriber show each its own, and what others lead to is shown nothing', async () => {
    const to = await subscriber((_, n) => (n === 1 ? 401 : 202))
    const sink = await subscriber()
    const run = scene()
    await run.apply(
      broker('default', { delivery: { retry: 0, deadLetterSink: { uri: sink.url } } }),
      trigger('a', to.url, {}, { [CREDENTIALS]: 'a', [SIGNING]: 'signing' }),
      trigger('b', to.url, {}, { [CREDENTIALS]: 'b' }),
      trigger('c', to.url),
      bearer('of-a', 'a'),
      bearer('of-b', 'b'),
      secret('signing', 'Opaque', { now: NEW }),
    )
    await run.send('order')
    await to.received(3)
    const [dead] = await sink.received(1)
    expect(new Set(authorizations(to))).toEqual(new Set(['Bearer of-a', 'Bearer of-b', undefined]))
    expect(dead!.rawHeaders.map((each) => each.toLowerCase())).not.toContain('authorization')
    expect(dead!.rawHeaders.join()).not.toMatch(/of-a|of-b|webhook-/)
  })

  test('a dead-letter sink has its own: of whoever it stands with', async () => {
    const to = await subscriber(() => 400)
    const [ofBroker, ofTrigger] = [await subscriber(), await subscriber()]
    const run = scene()
    await run.apply(
      broker('default', { delivery: { deadLetterSink: { uri: ofBroker.url } } }, { [DEAD_LETTER]: 'broker-sink' }),
      trigger('falls-back', to.url, {}, { [DEAD_LETTER]: 'trigger-sink' }),
      trigger(
        'own',
        to.url,
        { delivery: { retry: 0, deadLetterSink: { uri: ofTrigger.url } } },
        { [DEAD_LETTER]: 'trigger-sink', [CREDENTIALS]: 'to' },
      ),
      bearer('broker', 'broker-sink'),
      bearer('trigger', 'trigger-sink'),
      bearer('subscriber', 'to'),
    )
    await run.send('order')
    await Promise.all([ofBroker.received(1), ofTrigger.received(1)])
    expect(authorizations(ofBroker)).toEqual(['Bearer broker'])
    expect(authorizations(ofTrigger)).toEqual(['Bearer trigger'])
  })

  test('the destination of the replies of a Subscription has its own', async () => {
    const reply = { status: 200, headers: ['ce-specversion', '1.0', 'ce-id', 'r', 'ce-type', 'r', 'ce-source', '/r'] }
    const to = await subscriber(() => reply)
    const replies = await subscriber()
    const run = scene()
    const channel = { apiVersion: 'messaging.knative.dev/v1', kind: 'Channel' }
    await run.apply(
      declare({ ...channel, metadata: { name: 'c' } }),
      declare({
        apiVersion: 'messaging.knative.dev/v1',
        kind: 'Subscription',
        metadata: {
          name: 's',
          annotations: { [CREDENTIALS]: 'to', 'sluice.dev/reply-credentials-secret': 'replies' },
        },
        spec: { channel: { ...channel, name: 'c' }, subscriber: { uri: to.url }, reply: { uri: replies.url } },
      }),
      bearer('subscriber', 'to'),
      bearer('replies', 'replies'),
    )
    await run.controller.channel('default', 'c')!.accept([event('order')])
    await replies.received(1)
    expect(authorizations(to)).toEqual(['Bearer subscriber'])
    expect(authorizations(replies)).toEqual(['Bearer replies'])
  })

  test('threat 21: a Secret that says its origin goes nowhere else, whatever an address is changed to', async () => {
    const [one, other] = [await subscriber(), await subscriber()]
    const run = scene()
    const rest = [
      broker(),
      trigger(
        't',
        { ref: { apiVersion: 'v1', kind: 'Service', name: 'billing' } },
        { delivery: { retry: 3, backoffDelay: 'PT1S' } },
        { [CREDENTIALS]: 'billing' },
      ),
      secret('billing', 'sluice.dev/bearer', { token: 'one', origin: one.url }),
    ]
    await run.apply(...rest, service('billing', one.url))
    await sendAndWait(run, one, 1)
    await run.apply(...rest, service('billing', other.url))
    await run.send('order')
    expect(condition(run.trigger('t'), 'SubscriberResolved')).toBe('False SecretUnavailable')
    expect(message(run.trigger('t'))).toContain('Secret default/billing is for another origin than http://127.0.0.1')
    run.clock.advance(60_000)
    await run.apply(...rest, service('billing', one.url))
    await one.received(2) // it has waited
    expect(other.all).toHaveLength(0)
  })
})

function state(run: Scene): { state: string; lastFailure?: string } {
  return run.trigger('t').status!['subscriber'] as never
}

describe('a Secret that is not there is a condition of the trigger, with the reason', () => {
  const t = (to: string): Declared => trigger('t', to, {}, { [CREDENTIALS]: 'billing' })

  test.each<[string, Declared[], string]>([
    ['no Secret', [], 'There is no Secret default/billing'],
    [
      'no type',
      [secret('billing', 'Opaque', { token: 'x' })],
      'Secret default/billing has type Opaque; what a receiver',
    ],
    [
      'no key',
      [secret('billing', 'kubernetes.io/tls', { 'tls.crt': 'x' })],
      'Secret default/billing has no key tls.key',
    ],
    [
      'a value that no header can carry',
      [bearer('a\nb')],
      "Secret default/billing: A credential can't be used: the token has characters that a bearer token has not",
    ],
  ])('%s', async (_, secrets, words) => {
    const { apply, trigger: get } = scene()
    await apply(broker(), t('http://127.0.0.1:9/'), ...secrets)
    expect(condition(get('t'), 'SubscriberResolved')).toBe('False SecretUnavailable')
    expect(conditionOf(get('t'), 'Ready')).toMatchObject({ status: 'False', reason: 'SecretUnavailable' })
    expect(conditionOf(get('t'), 'SubscriberResolved').message).toContain(words)
  })

  test('of a trigger that was Ready, events wait meanwhile, use no tries, and go once it is there again', async () => {
    const to = await subscriber()
    const run = scene()
    await run.apply(broker(), t(to.url), bearer('one'))
    await sendAndWait(run, to, 1)
    await run.apply(broker(), t(to.url))
    await run.send('order')
    const { message } = conditionOf(run.trigger('t'), 'SubscriberResolved')
    expect(message).toBe('There is no Secret default/billing. Events that match wait in the channel until it is known')
    run.clock.advance(60_000)
    expect(to.all).toHaveLength(1)
    await run.apply(broker(), t(to.url), bearer('two'))
    await to.received(2)
    expect(authorizations(to)).toEqual(['Bearer one', 'Bearer two'])
    expect(condition(run.trigger('t'), 'Ready')).toBe('True')
  })

  test('a file that is gone costs tries as a connection that is refused does, and is told; it counts again when it is back', async () => {
    const file = join(temporaryFolder(), 'token')
    writeFileSync(file, 'one\n')
    const to = await subscriber()
    const run = scene()
    await run.apply(broker(), t(to.url), bearer(`file:${file}`))
    await sendAndWait(run, to, 1)
    rmSync(file)
    run.clock.advance(1000)
    for (let i = 0; i < 10; i++) await run.send('order')
    await run.until(() => state(run).state === 'Down')
    expect(state(run).lastFailure).toContain("was not sent to: Key token of Secret default/billing can't be had")
    expect(condition(run.trigger('t'), 'Ready')).toBe('False SecretUnavailable')
    writeFileSync(file, 'two\n')
    run.clock.advance(1000)
    await run.until(() => (run.clock.advance(100), to.all.length >= 11))
    expect(authorizations(to).slice(1)).toEqual(Array.from({ length: 10 }, () => 'Bearer two'))
    expect(condition(run.trigger('t'), 'Ready')).toBe('True')
  })
})

describe('signed deliveries', () => {
  test('carry the whole event unless another format is said, and both secrets verify during a rotation', async () => {
    const to = await subscriber()
    const run = scene()
    const t = trigger('t', to.url, {}, { [SIGNING]: 'signing' })
    await run.apply(broker(), t, secret('signing', 'Opaque', { a: OLD }))
    await sendAndWait(run, to, 1)
    await run.apply(broker(), t, secret('signing', 'Opaque', { a: OLD, b: NEW }))
    await sendAndWait(run, to, 2)
    await run.apply(broker(), t, secret('signing', 'Opaque', { b: NEW }))
    await sendAndWait(run, to, 3)
    expect(to.all.map((each) => verifiedBy(each))).toEqual([['old'], ['old', 'new'], ['new']])
    expect(header(to.all[0]!, 'content-type')).toContain('application/cloudevents+json')
    const binary = trigger('t', to.url, { delivery: { retry: 0, format: 'binary' } }, { [SIGNING]: 'signing' })
    await run.apply(broker(), binary, secret('signing', 'Opaque', { b: NEW }))
    await sendAndWait(run, to, 4)
    expect(header(to.all[3]!, 'ce-type')).toBe('order')
  })

  test.each([
    ['short', { now: 'whsec_aGk=' }, 'A secret is not of the form whsec_ and 24 to 64 bytes'],
    ['too many', { a: NEW, b: NEW, c: NEW, d: NEW, e: NEW }, 'has 5 keys; deliveries are signed with each of 1 to 4'],
  ])('a secret that is %s is refused in words (threat 5)', async (_, keys, words) => {
    const { apply, trigger: get } = scene()
    const t = trigger('t', 'http://127.0.0.1:9/', {}, { [SIGNING]: 'signing' })
    await apply(broker(), t, secret('signing', 'Opaque', keys))
    expect(condition(get('t'), 'SubscriberResolved')).toBe('False SecretUnavailable')
    expect(conditionOf(get('t'), 'SubscriberResolved').message).toContain(words)
  })
})

function verifiedBy({ body, rawHeaders }: { body: Buffer; rawHeaders: readonly string[] }): string[] {
  // The clock of the scene stands at the start of 2026; the SDK asks for the time of now.
  const headers = Object.fromEntries(
    rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]!]] : [])),
  )
  const sentMs = Number(headers['webhook-timestamp']) * 1000
  return Object.entries({ old: OLD, new: NEW }).flatMap(([name, key]) => {
    const expected = new Webhook(key).sign(headers['webhook-id']!, new Date(sentMs), body.toString())
    return headers['webhook-signature']!.split(' ').includes(expected) ? [name] : []
  })
}

describe('CACerts of destinations (threat 20)', () => {
  const ca = authority('Our CA')
  const tls = (): { cert: string; key: string } => {
    const { certificate, key } = ca.issue('subscriber')
    return { cert: certificate, key }
  }

  test('are trusted, stand in the status, and of a subscriber do not count for its sink', async () => {
    const to = await subscriber((_, n) => (n === 1 ? 400 : 202), { tls: tls() })
    const sink = await subscriber(() => 202, { tls: tls() })
    const run = scene()
    const at = (sinkCa: object): Declared =>
      trigger(
        't',
        { uri: to.url, CACerts: ca.certificate },
        { delivery: { retry: 5, backoffDelay: 'PT1S', deadLetterSink: { uri: sink.url, ...sinkCa } } },
      )
    await run.apply(broker(), at({}))
    await sendAndWait(run, to, 1)
    await run.until(() => state(run).lastFailure?.includes('dead-letter sink') === true)
    expect(state(run).lastFailure).toMatch(/TLS failed; .* CACerts of the destination/)
    expect(sink.all).toHaveLength(0)
    await run.apply(broker(), at({ CACerts: ca.certificate }))
    expect(run.trigger('t').status).toMatchObject({
      subscriberCACerts: ca.certificate,
      deadLetterSinkCACerts: ca.certificate,
    })
    await run.until(() => (run.clock.advance(1000), sink.all.length === 1))
  })

  test('of another CA are told in the status', async () => {
    const to = await subscriber(() => 202, { tls: tls() })
    const run = scene()
    await run.apply(broker(), trigger('t', { uri: to.url, CACerts: authority('Other').certificate }))
    await run.send('order')
    await run.until(() => state(run).lastFailure !== undefined)
    expect(state(run).lastFailure).toMatch(/https:\/\/127\.0\.0\.1:\d+: .*certificate.*: TLS failed; .* CACerts/)
  })

  test('a client certificate comes from a Secret, and another one counts from the next connection on', async () => {
    const clients = authority('Clients')
    const to = await subscriber(() => 202, {
      tls: { ...tls(), requestCert: true, rejectUnauthorized: true, ca: clients.certificate },
    })
    const run = scene()
    const t = trigger('t', { uri: to.url, CACerts: ca.certificate }, {}, { [CREDENTIALS]: 'me' })
    const me = (name: string): Declared => {
      const { certificate, key } = clients.issue(name)
      return secret('me', 'kubernetes.io/tls', { 'tls.crt': certificate, 'tls.key': key })
    }
    await run.apply(broker(), t, me('one'))
    await sendAndWait(run, to, 1)
    await run.apply(broker(), t, me('two'))
    await sendAndWait(run, to, 2)
    const { certificate } = clients.issue('three')
    await run.apply(broker(), t, secret('me', 'kubernetes.io/tls', { 'tls.crt': certificate, 'tls.key': 'hunter2' }))
    const { message } = conditionOf(run.trigger('t'), 'SubscriberResolved')
    expect(message).toContain('the key of the client certificate is none in PEM')
    expect(JSON.stringify(run.trigger('t'))).not.toContain('hunter2')
  })
})

test('what is named twice for one header is refused in words', async () => {
  const { apply, trigger: get } = scene()
  const t = trigger('t', 'http://127.0.0.1:9/', {}, { [CREDENTIALS]: 'a, b' })
  await apply(broker(), t, bearer('x', 'a'), bearer('y', 'b'))
  expect(message(get('t'))).toBe('Two of its Secrets give the header authorization; name one of them')
})

function message(resource: Resource): string | undefined {
  return conditionOf(resource, 'SubscriberResolved').message
}
