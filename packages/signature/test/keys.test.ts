// Keys as providers write them. A secret is one Buffer, and two sources may read it in two forms.

import { expect, test } from 'vitest'
import { ed25519PublicKey, hmacKey } from '../src/index.ts'

test('a secret that is read in one form is not taken for what it is in another', () => {
  const bytes = Buffer.alloc(24, 7)
  const secret = Buffer.from(`whsec_${bytes.toString('base64')}`)
  expect(hmacKey(secret, { keyEncoding: 'utf8' }).export()).toEqual(secret)
  expect(hmacKey(secret, { keyEncoding: 'base64', keyPrefix: 'whsec_' }).export()).toEqual(bytes)
  expect(() => hmacKey(secret, { keyEncoding: 'hex' })).toThrow('A secret is not of the form')
  expect(() => ed25519PublicKey(secret, { keyEncoding: 'base64', keyPrefix: 'whsec_' })).toThrow('32 bytes')
})

test('the key of a secret is made once', () => {
  const secret = Buffer.from('a secret of sixteen bytes and more')
  expect(hmacKey(secret, { keyEncoding: 'utf8' })).toBe(hmacKey(secret, { keyEncoding: 'utf8' }))
})
