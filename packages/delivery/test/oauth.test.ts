// OAuth 2 client credentials: tokens are asked for once, kept, and renewed; what goes wrong with that is one failed attempt.

import { manualClock } from '@sluice/clock'
import { describe, expect, test } from 'vitest'
import { target, type Credential, type OAuthClient, type Receiver } from '../src/index.ts'
import { attempt, rawSubscriber, subscriber, testDeliverer, turn, type Received } from './subscribers.ts'

const SECRET = 'hunter2 & more'

/** An authorization server; `answer` is what it gives, or how it fails. */
async function authorizationServer(
  answer: (n: number) => { status?: number; body: object | string } = (n) => ({
    body: { access_token: `token-${n}`, token_type: 'Bearer', expires_in: 600 },
  }),
): Promise<{ url: string; asked: Received[] }> {
  const asked: Received[] = []
  const { url } = await subscriber((response, request) => {
    asked.push(request)
    const { status = 200, body } = answer(asked.length)
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  return { url: `${url}token`, asked }
}

function clientOf(url: string, changes: Partial<OAuthClient> = {}): OAuthClient {
  return { endpoint: target(url), id: 'sluice', secret: SECRET, authMethod: 'client_secret_basic', ...changes }
}

function at(url: string, client: OAuthClient): Receiver {
  const credentials: Credential[] = [{ kind: 'oauth2', client }]
  return { ...target(url), access: { credentials: () => credentials } }
}

test('one token is asked for, however many wait, and kept until it expires', async () => {
  const clock = manualClock()
  const server = await authorizationServer()
  const { url, received } = await subscriber()
  const sender = testDeliverer({ clock })
  const receiver = at(url, clientOf(server.url, { scope: 'events:write', audience: 'billing' }))
  await Promise.all(Array.from({ length: 50 }, () => attempt(sender, url, { target: receiver })))
  clock.advance(569_999)
  await attempt(sender, url, { target: receiver })
  expect(server.asked).toHaveLength(1)
  expect(new Set(received.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer token-1']))
  clock.advance(1) // 30 s before it expires
  await attempt(sender, url, { target: receiver })
  expect(server.asked).toHaveLength(2)
  expect(received.at(-1)!.headers.authorization).toBe('Bearer token-2')
  const [{ method, path, headers, body }] = server.asked as [Received]
  expect({ method, path, type: headers['content-type'] }).toEqual({
    method: 'POST',
    path: '/token',
    type: 'application/x-www-form-urlencoded',
  })
  expect(Object.fromEntries(new URLSearchParams(body.toString()))).toEqual({
    grant_type: 'client_credentials',
    scope: 'events:write',
    audience: 'billing',
  })
  // RFC 6749, 2.3.1: form-encoded before it is Basic.
  expect(Buffer.from(headers.authorization!.slice(6), 'base64').toString()).toBe('sluice:hunter2+%26+more')
})

test('id and secret go in the form where the server wants them there', async () => {
  const server = await authorizationServer()
  const { url } = await subscriber()
  await attempt(testDeliverer(), url, { target: at(url, clientOf(server.url, { authMethod: 'client_secret_post' })) })
  const [{ headers, body }] = server.asked as [Received]
  expect(headers.authorization).toBeUndefined()
  expect(new URLSearchParams(body.toString()).get('client_secret')).toBe(SECRET)
})

test('a 401 of the receiver renews the token once, within the same attempt', async () => {
  const server = await authorizationServer()
  let valid = 'Bearer token-1'
  const { url, received } = await subscriber((response, { headers }) =>
    response.writeHead(headers.authorization === valid ? 202 : 401).end(),
  )
  const sender = testDeliverer()
  const receiver = at(url, clientOf(server.url))
  expect(await attempt(sender, url, { target: receiver })).toMatchObject({ verdict: 'delivered' })
  valid = 'Bearer token-2' // the first was revoked
  const ten = await Promise.all(Array.from({ length: 10 }, () => attempt(sender, url, { target: receiver })))
  expect(ten).toEqual(Array(10).fill(expect.objectContaining({ verdict: 'delivered' })))
  expect(server.asked).toHaveLength(2)
  valid = 'none'
  const before = received.length
  expect(await attempt(sender, url, { target: receiver })).toMatchObject({ verdict: 'dead', status: 401 })
  expect(received.length - before).toBe(2)
  expect(server.asked).toHaveLength(3)
})

test('threat 21: at another origin the same client is given another token', async () => {
  const server = await authorizationServer()
  const [one, two] = [await subscriber(), await subscriber()]
  const sender = testDeliverer()
  for (const { url } of [one, two]) await attempt(sender, url, { target: at(url, clientOf(server.url)) })
  expect(one.received[0]!.headers.authorization).toBe('Bearer token-1')
  expect(two.received[0]!.headers.authorization).toBe('Bearer token-2')
})

describe('an authorization server that gives no token is a failed attempt, as no connection is', () => {
  const failed = { verdict: 'retry', status: 0, pressure: true }

  test.each([
    [
      'refuses the client',
      { status: 401, body: { error: 'invalid_client', error_description: SECRET } },
      /answered 401 \(invalid_client\) .*: check tokenUrl, clientId/,
    ],
    ['fails', { status: 500, body: SECRET }, /answered 500 when it was asked for a token/],
    ['redirects', { status: 302, body: '' }, /answered 302 when/],
    ['answers with no JSON', { body: `<html>${SECRET}` }, /gave no access_token/],
    ['gives a token that no header can carry', { body: { access_token: 'a\nb' } }, /gave no access_token/],
    ['gives a token of another type', { body: { access_token: 'x', token_type: 'mac' } }, /no bearer token/],
    ['has no end', { body: 'x'.repeat(70_000) }, /the answer is larger than 65536 bytes/],
  ])('%s', async (_, answer, words) => {
    const server = await authorizationServer(() => answer)
    const { url, connections } = await subscriber()
    const outcome = await attempt(testDeliverer(), url, { target: at(url, clientOf(server.url)) })
    expect(outcome).toMatchObject(failed)
    expect(outcome.error).toMatch(words)
    expect(outcome.error).not.toContain('hunter2')
    expect(connections()).toBe(0)
  })

  test('hangs: the attempt ends at its own deadline, and the next one asks again', async () => {
    const clock = manualClock()
    const { url: tokenUrl, connections } = await rawSubscriber(() => {})
    const { url } = await subscriber()
    const sender = testDeliverer({ clock })
    const receiver = at(url, clientOf(tokenUrl))
    const first = attempt(sender, url, { target: receiver, timeoutMs: 2000 })
    while (connections.length === 0) await turn()
    clock.advance(2000)
    const outcome = await first
    expect(outcome).toMatchObject(failed)
    expect(outcome.error).toContain('there was no token for it within 2000 ms')
    const second = attempt(sender, url, { target: receiver, timeoutMs: 30_000 })
    clock.advance(8000) // the flight that both wait for
    expect((await second).error).toMatch(/there was no answer within 10000 ms/)
    expect(sender.inFlight).toBe(0)
  })

  test('threats 1 and 2: is at an address that is never connected to', async () => {
    const { url } = await subscriber()
    const receiver = at(url, clientOf('http://169.254.169.254/latest/token'))
    const outcome = await attempt(testDeliverer(), url, { target: receiver })
    expect(outcome).toMatchObject(failed)
    expect(outcome.error).toContain('169.254.169.254 is not connected to')
  })
})

test('closing ends what waits for a token', async () => {
  const { url: tokenUrl, connections } = await rawSubscriber(() => {})
  const { url } = await subscriber()
  const sender = testDeliverer()
  const waiting = attempt(sender, url, { target: at(url, clientOf(tokenUrl)) })
  while (connections.length === 0) await turn()
  await sender.close({ deadlineMs: 0 })
  expect(await waiting).toMatchObject({ verdict: 'retry', error: 'Sluice is shutting down' })
})
