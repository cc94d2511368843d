// TLS to a receiver: who vouches for it, who we are to it, and that connections of one identity are no other's (threats 20
// and 21). Certificates are made for each test.

import { describe, expect, test } from 'vitest'
import { target, type Access, type Credential, type Receiver } from '../src/index.ts'
import { authority, type Issued } from '../../../test/support/certificates.ts'
import { attempt, secureSubscriber, testDeliverer, turn } from './subscribers.ts'

const ours = authority('Our CA')
const clients = authority('Client CA')

function at(url: string, access: Access): { target: Receiver } {
  return { target: { ...target(url), access } }
}

function shown({ certificate, key }: Issued): () => readonly Credential[] {
  const credentials: Credential[] = [
    { kind: 'certificate', certificate: Buffer.from(certificate), key: Buffer.from(key) },
  ]
  return () => credentials
}

function serverOptions(changes: object = {}): { cert: string; key: string } {
  const { certificate, key } = ours.issue('subscriber')
  return { cert: certificate, key, ...changes }
}

const MUTUAL = { requestCert: true, rejectUnauthorized: true, ca: clients.certificate }

describe('threat 20: who vouches for a receiver', () => {
  test('its CACerts do, and nobody else', async () => {
    const { url, received } = await secureSubscriber(serverOptions())
    const sender = testDeliverer()
    expect(await attempt(sender, url, at(url, { caCerts: ours.certificate }))).toMatchObject({ verdict: 'delivered' })
    const refused = { verdict: 'retry', status: 0, pressure: true }
    for (const access of [{ caCerts: authority('Another CA').certificate }, {}]) {
      const outcome = await attempt(sender, url, at(url, access))
      expect(outcome).toMatchObject(refused)
      expect(outcome.error).toMatch(
        /unable to verify the first certificate.*: TLS failed; .* CACerts of the destination/,
      )
    }
    expect(received).toHaveLength(1)
  })

  test.each([
    ['is for another host', { hosts: ['elsewhere.example'] }, "does not match certificate's altnames"],
    ['has expired', { days: { from: -9, until: -1 } }, 'certificate has expired'],
    ['is not valid yet', { days: { from: 1, until: 9 } }, 'certificate is not yet valid'],
  ])('a certificate that %s is refused whatever the CACerts', async (_, options, words) => {
    const { certificate, key } = ours.issue('subscriber', options)
    const { url, received } = await secureSubscriber({ cert: certificate, key })
    const outcome = await attempt(testDeliverer(), url, at(url, { caCerts: ours.certificate }))
    expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
    expect(outcome.error).toContain(words)
    expect(received).toHaveLength(0)
  })

  test('several CAs in one bundle, as while one is replaced', async () => {
    const { url } = await secureSubscriber(serverOptions())
    const caCerts = `${authority('Old CA').certificate}\n${ours.certificate}`
    expect(await attempt(testDeliverer(), url, at(url, { caCerts }))).toMatchObject({ verdict: 'delivered' })
  })
})

describe('threat 20: who we are to a receiver', () => {
  test('the client certificate is shown, and without one the refusal says what is wanted', async () => {
    const { url, received } = await secureSubscriber(serverOptions(MUTUAL))
    const sender = testDeliverer()
    const caCerts = ours.certificate
    const credentials = shown(clients.issue('billing'))
    expect(await attempt(sender, url, at(url, { caCerts, credentials }))).toMatchObject({ verdict: 'delivered' })
    expect(received.map(({ client }) => client)).toEqual(['billing'])
    for (const access of [{ caCerts }, { caCerts, credentials: shown(authority('X').issue('billing')) }]) {
      const outcome = await attempt(sender, url, at(url, access))
      expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
      expect(outcome.error).toContain('the subscriber wants a client certificate from somebody that it trusts')
    }
  })

  test('another certificate counts from the next attempt on, on a connection of its own', async () => {
    const { url, received } = await secureSubscriber(serverOptions(MUTUAL))
    const sender = testDeliverer()
    let credentials = shown(clients.issue('before'))
    const access: Access = { caCerts: ours.certificate, credentials: () => credentials() }
    await attempt(sender, url, at(url, access))
    await turn()
    await attempt(sender, url, at(url, access))
    credentials = shown(clients.issue('after'))
    await turn()
    await attempt(sender, url, at(url, access))
    expect(received.map(({ client, connection }) => `${client} ${connection}`)).toEqual([
      'before 1',
      'before 1',
      'after 2',
    ])
  })

  test.each([
    ['a key of another', () => ({ ...clients.issue('a'), key: clients.issue('b').key }), 'the key is not that of'],
    ['no certificate', () => ({ ...clients.issue('a'), certificate: 'none' }), 'the client certificate is none in PEM'],
    ['no key', () => ({ ...clients.issue('a'), key: 'none' }), 'the key of the client certificate is none in PEM'],
  ])('%s is told, and sends nothing', async (_, make, words) => {
    const { url, received } = await secureSubscriber(serverOptions())
    const outcome = await attempt(testDeliverer(), url, at(url, { credentials: shown(make()) }))
    expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
    expect(outcome.error).toContain(words)
    expect(received).toHaveLength(0)
  })
})

test('threat 21: two triggers of one origin never share a connection or a TLS session, unless they are one identity', async () => {
  const { url, received, resumed } = await secureSubscriber(serverOptions(MUTUAL))
  const sender = testDeliverer()
  const caCerts = ours.certificate
  const one = clients.issue('one')
  const accesses = [
    { caCerts, credentials: shown(one) },
    { caCerts, credentials: shown(clients.issue('two')) },
    { caCerts, credentials: shown(one) }, // of another trigger, by the same Secret
  ]
  for (let round = 0; round < 3; round++) {
    for (const access of accesses) {
      await attempt(sender, url, at(url, access))
      await turn()
    }
  }
  expect(received.map(({ client }) => client)).toEqual(['one', 'two', 'one', 'one', 'two', 'one', 'one', 'two', 'one'])
  expect(new Set(received.map(({ client, connection }) => `${client} ${connection}`))).toEqual(
    new Set(['one 1', 'two 2']),
  )
  expect(resumed()).toBe(0)
})
