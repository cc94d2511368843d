// Deliveries are signed so that any receiver of Standard Webhooks takes them: the documented vector, the provider's own SDK,
// and node:crypto where the SDK can't (threat 5, WEBHOOKS 1).

import { createHmac, generateKeyPairSync, verify } from 'node:crypto'
import { expect, test } from 'vitest'
import { Webhook } from 'standardwebhooks'
import { ed25519PublicKey, messageId, signed, signingKey } from '../src/index.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const OTHER = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const NOW = Math.floor(Date.now() / 1000) * 1000

function key(text: string): ReturnType<typeof signingKey> {
  return signingKey(Buffer.from(text))
}

function headersOf(flat: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: flat.length / 2 }, (_, i) => [flat[i * 2]!, flat[i * 2 + 1]!] as const),
  )
}

/** As a receiver makes its pair: the private key that the sender has, and the public one. */
function pair(): { secret: string; short: string; publicText: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  const bytes = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  return {
    secret: `whsk_${Buffer.concat([seed, bytes]).toString('base64')}`,
    short: `whsk_${seed.toString('base64')}`,
    publicText: `whpk_${bytes.toString('base64')}`,
  }
}

test('the documented vector', () => {
  const body = Buffer.from('{"test": 2432232314}')
  const flat = signed([key(SECRET)], 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_999, body)
  expect(headersOf(flat)).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

test('during a rotation either secret verifies, by the SDK of the receivers, and a third one does not', () => {
  const body = '{"total": 7, "name": "Zoë"}'
  const headers = headersOf(signed([key(SECRET), key(OTHER)], messageId('/shop', '1'), NOW, Buffer.from(body)))
  for (const secret of [SECRET, OTHER]) expect(new Webhook(secret).verify(body, headers)).toMatchObject({ total: 7 })
  const third = new Webhook(`whsec_${Buffer.alloc(24, 1).toString('base64')}`)
  expect(() => third.verify(body, headers)).toThrow('No matching signature')
})

test('the bytes are signed as they are, also where they are no UTF-8', () => {
  const body = Buffer.from([0xff, 0xfe, 0x00, 0x80])
  const headers = headersOf(signed([key(OTHER)], 'msg_1', NOW, body))
  const expected = createHmac('sha256', Buffer.alloc(32, 7))
    .update(`msg_1.${headers['webhook-timestamp']}.`)
    .update(body)
    .digest('base64')
  expect(headers['webhook-signature']).toBe(`v1,${expected}`)
})

test('v1a: whoever has the public key verifies, and both forms of a private key are taken', () => {
  const { secret, short, publicText } = pair()
  const body = Buffer.from([1, 2, 0xff])
  const headers = headersOf(signed([key(secret), key(short)], 'msg_1', NOW, body))
  const signatures = headers['webhook-signature']!.split(' ')
  expect(signatures).toHaveLength(2)
  expect(signatures[0]).toBe(signatures[1])
  const content = Buffer.concat([Buffer.from(`msg_1.${headers['webhook-timestamp']}.`), body])
  const publicKey = ed25519PublicKey(Buffer.from(publicText), { keyEncoding: 'base64', keyPrefix: 'whpk_' })
  const [version, signature] = signatures[0]!.split(',')
  expect(version).toBe('v1a')
  expect(verify(null, content, publicKey, Buffer.from(signature!, 'base64'))).toBe(true)
  expect(verify(null, Buffer.concat([content, body]), publicKey, Buffer.from(signature!, 'base64'))).toBe(false)
})

test('the id is the same for every try of one event, is another for every other, and has no dot', () => {
  const ids = [
    messageId('/shop', '1'),
    messageId('/shop', '2'),
    messageId('/shop2', '1'),
    messageId('a', 'b.c'),
    messageId('a.b', 'c'),
    messageId('', 'x'.repeat(5000)),
  ]
  expect(new Set(ids).size).toBe(ids.length)
  expect(messageId('/shop', '1')).toBe(ids[0])
  for (const id of ids) expect(id).toMatch(/^msg_[A-Za-z0-9_-]{32}$/)
})

const { secret: good } = pair()
test.each([
  ['empty', ''],
  ['without its prefix', SECRET.slice(6)],
  ['a public key', `whpk_${Buffer.alloc(32, 1).toString('base64')}`],
  ['shorter than 24 bytes', `whsec_${Buffer.alloc(23, 1).toString('base64')}`],
  ['longer than 64 bytes', `whsec_${Buffer.alloc(65, 1).toString('base64')}`],
  ['no base64', 'whsec_%%%%'],
  ['an Ed25519 key of another length', `whsk_${Buffer.alloc(33, 1).toString('base64')}`],
  ["half of one pair and half of another's", good.slice(0, -20) + 'A'.repeat(18) + '=='],
])('a secret that is %s signs nothing, and the refusal does not show it', (_, text) => {
  let said = ''
  try {
    key(text)
  } catch (error) {
    said = String(error)
  }
  expect(said).toContain('A secret is not of the form whs')
  if (text.length > 10) expect(said).not.toContain(text.slice(6))
})
