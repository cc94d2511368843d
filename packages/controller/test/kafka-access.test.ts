// How to get into Kafka, by the Secret that Knative's users have (KNATIVE.md 1.6), and what is said where it lacks something.

import { expect, test } from 'vitest'
import { kafkaAccess } from '../src/kafka-access.ts'
import type { Secrets } from '../src/secrets.ts'

const TITLE = { namespace: 'shop', name: 'kafka' }

function access(values: Record<string, string>) {
  const held = new Map(Object.entries(values).map(([key, text]) => [key, Buffer.from(text)]))
  return kafkaAccess(TITLE, { all: () => ({ values: held, problems: [] }) } as unknown as Secrets)
}

const SASL = { 'sasl.mechanism': 'PLAIN', user: 'u', password: 'very-secret' }

test.each([
  [{ protocol: 'PLAINTEXT' }, {}],
  [{ protocol: 'SSL' }, { tls: {} }],
  [{ protocol: 'SSL', 'ca.crt': 'A', 'user.crt': 'C', 'user.key': 'K' }, { tls: { ca: 'A', cert: 'C', key: 'K' } }],
  [{ protocol: 'SSL', 'ca.crt': 'A', 'user.skip': 'true', 'user.crt': 'C' }, { tls: { ca: 'A' } }],
  [{ protocol: 'SASL_PLAINTEXT', ...SASL }, { sasl: { mechanism: 'plain', user: 'u', password: 'very-secret' } }],
  [
    { protocol: 'SASL_SSL', ...SASL, 'sasl.mechanism': 'SCRAM-SHA-512' },
    { tls: {}, sasl: { mechanism: 'scram-sha-512', user: 'u', password: 'very-secret' } },
  ],
])('%j', (values, expected) => {
  expect(access(values)).toEqual(expected)
})

test.each([
  [{}, /has no protocol\. It has to be one of PLAINTEXT, SSL/],
  [{ protocol: 'very-secret' }, /protocol of Secret shop\/kafka is none/],
  [{ protocol: 'SSL', 'user.crt': 'very-secret' }, /has no user\.key\. A client certificate needs both/],
  [
    { protocol: 'SASL_SSL', ...SASL, 'sasl.mechanism': 'GSSAPI' },
    /sasl\.mechanism .* one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512/,
  ],
  [
    { protocol: 'SASL_SSL', 'sasl.mechanism': 'PLAIN', user: 'very-secret' },
    /has no password\. SASL_SSL needs user and password/,
  ],
  [
    { protocol: 'SASL_SSL', ...SASL, 'sasl.jaas': 'very-secret' },
    /has sasl\.jaas, which this version can't do\. Known are protocol/,
  ],
])('%j is refused, and nothing that it holds is told', (values, message) => {
  const refusal = (): unknown => access(values)
  expect(refusal).toThrow(message)
  expect(refusal).not.toThrow('very-secret')
})
