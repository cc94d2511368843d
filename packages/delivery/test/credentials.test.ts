// What a receiver is shown, and what nobody else ever is (threat 21, fault 24).

import { describe, expect, test } from 'vitest'
import {
  basicCredential,
  bearerCredential,
  headerCredential,
  target,
  type Access,
  type Receiver,
} from '../src/index.ts'
import { attempt, subscriber, testDeliverer } from './subscribers.ts'

function at(url: string, access: Access): Receiver {
  return { ...target(url), access }
}

test.each([
  ['a bearer token', bearerCredential('t0ken/+=~'), 'authorization', 'Bearer t0ken/+=~'],
  [
    'user and password',
    basicCredential('Aladdin', 'open sesame'),
    'authorization',
    'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==',
  ],
  ['a header', headerCredential('X-Api-Key', 'k 1'), 'x-api-key', 'k 1'],
])('%s goes with each delivery', async (_, credential, name, value) => {
  const { url, received } = await subscriber()
  const sender = testDeliverer()
  const credentials = [credential]
  for (const format of ['binary', 'json'] as const) {
    await attempt(sender, url, { target: at(url, { credentials: () => credentials }), format })
  }
  expect(received.map(({ headers }) => headers[name])).toEqual([value, value])
})

test('another secret counts from the next attempt on', async () => {
  const { url, received } = await subscriber()
  const sender = testDeliverer()
  let token = 'one'
  const receiver = at(url, { credentials: () => [bearerCredential(token)] })
  await attempt(sender, url, { target: receiver })
  token = 'two'
  await attempt(sender, url, { target: receiver })
  expect(received.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer two'])
})

test.each([301, 302, 307, 308])('fault 24: a %i to another origin takes no credentials there', async (status) => {
  const elsewhere = await subscriber()
  const { url } = await subscriber((response) => response.writeHead(status, { location: elsewhere.url }).end())
  const credentials = [bearerCredential('secret')]
  const outcome = await attempt(testDeliverer(), url, { target: at(url, { credentials: () => credentials }) })
  expect(outcome).toMatchObject({ verdict: 'dead', status })
  expect(elsewhere.connections()).toBe(0)
})

test('fault 22: a receiver that refuses what it is shown is dead at once, and is told apart from one that was shown nothing', async () => {
  const { url } = await subscriber((response) => response.writeHead(401).end())
  const credentials = [bearerCredential('secret')]
  const sender = testDeliverer()
  const outcome = await attempt(sender, url, { target: at(url, { credentials: () => credentials }) })
  expect(outcome).toMatchObject({ verdict: 'dead', status: 401 })
  expect(outcome.error).toContain('does not take the credentials or the signature that it was given')
  expect((await attempt(sender, url)).error).toContain('wants credentials that it was not given')
})

test('a secret that can not be had sends nothing and is pressure, as a connection that can not be had', async () => {
  const { url, connections } = await subscriber()
  const credentials = (): never => {
    throw new Error('Key token of Secret default/billing can’t be had')
  }
  const outcome = await attempt(testDeliverer(), url, { target: at(url, { credentials }) })
  expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
  expect(outcome.error).toContain('was not sent to: Key token of Secret default/billing')
  expect(connections()).toBe(0)
})

describe('threat 9: what no header can carry is refused, and not shown', () => {
  test.each([
    ['a line break in a token', () => bearerCredential('hunter2\r\nX-Evil: 1')],
    ['a line break in a value', () => headerCredential('X-Key', 'hunter2\r\nX-Evil: 1')],
    ['a space around a value', () => headerCredential('X-Key', ' hunter2')],
    ['a colon in a user', () => basicCredential('hun:ter2', 'x')],
    ['no name of a header', () => headerCredential('X Key', 'hunter2')],
    ['a header that frames', () => headerCredential('Transfer-Encoding', 'hunter2')],
    ['a header of the event', () => headerCredential('ce-id', 'hunter2')],
    ['a header of the signature', () => headerCredential('webhook-signature', 'hunter2')],
  ])('%s', (_, make) => {
    expect(make).toThrow("A credential can't be used")
    expect(make).not.toThrow('hunter2')
  })
})

test.each([
  ['whole', 0],
  ['cut off by what is kept of it', 1010],
])('threat 23: a receiver that writes back what it was shown, %s, puts it into no failure', async (_, before) => {
  const { url } = await subscriber((response, { headers }) =>
    response
      .writeHead(302, { location: `http://elsewhere.example/?${String(headers.authorization)}` })
      .end('.'.repeat(before) + JSON.stringify(before === 0 ? headers : (headers.authorization ?? headers['x-key']))),
  )
  const basic = Buffer.from('sluice:hunter2-pass').toString('base64')
  for (const [credential, secrets] of [
    [bearerCredential('hunter2-token/+='), ['hunter2-', encodeURIComponent('hunter2-token/+=')]],
    [basicCredential('sluice', 'hunter2-pass'), ['hunter2-', basic, basic.slice(0, 6)]],
    [headerCredential('x-key', 'hunter2-key'), ['hunter2-']],
  ] as const) {
    const outcome = await attempt(testDeliverer(), url, { target: at(url, { credentials: () => [credential] }) })
    const said = `${outcome.error} ${outcome.response!.toString()}`
    for (const secret of secrets) expect(said).not.toContain(secret)
    expect(said).toContain('(hidden)')
    expect(outcome.error).toContain('answered 302 Found to http://elsewhere.example: redirects')
  }
})
