// How to get into a Kafka server, by the Secret that Knative's users have for it (KNATIVE.md 1.6).
//
// From: drivers.ts. Next: channels/kafka connects with it.

import { SluiceError } from '@sluice/event'
import type { Secrets } from './secrets.ts'

/** As the driver takes it. */
export interface KafkaAccess {
  readonly tls?: { ca?: string; cert?: string; key?: string }
  readonly sasl?: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; user: string; password: string }
}

const PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']
const MECHANISMS = { PLAIN: 'plain', 'SCRAM-SHA-256': 'scram-sha-256', 'SCRAM-SHA-512': 'scram-sha-512' } as const
const KEYS = ['protocol', 'sasl.mechanism', 'user', 'password', 'ca.crt', 'user.crt', 'user.key', 'user.skip']

/** Throws a SluiceError that says which key is wrong, and never what it holds. */
export function kafkaAccess({ namespace, name }: { namespace: string; name: string }, secrets: Secrets): KafkaAccess {
  const { values, problems } = secrets.all(namespace, name)
  if (problems[0] !== undefined) throw problems[0]
  const title = `Secret ${namespace}/${name}`
  const others = [...values.keys()].filter((key) => !KEYS.includes(key))
  if (others.length > 0)
    throw refused(`${title} has ${others.join(', ')}, which this version can't do.`, `Known are ${KEYS.join(', ')}.`)
  const optional = (key: string): string | undefined => values.get(key)?.toString()
  const needed = (key: string, why: string): string => {
    const value = optional(key)
    if (value === undefined) throw refused(`${title} has no ${key}.`, why)
    return value
  }
  const protocol = needed('protocol', `It has to be one of ${PROTOCOLS.join(', ')}.`)
  if (!PROTOCOLS.includes(protocol)) {
    throw refused(`protocol of ${title} is none that Kafka has.`, `It has to be one of ${PROTOCOLS.join(', ')}.`)
  }
  return {
    ...(protocol.endsWith('SSL') && { tls: tlsOf() }),
    ...(protocol.startsWith('SASL') && { sasl: saslOf() }),
  }

  function tlsOf(): NonNullable<KafkaAccess['tls']> {
    const ca = optional('ca.crt')
    const isOurs = optional('user.skip') !== 'true' && (values.has('user.crt') || values.has('user.key'))
    const why = 'A client certificate needs both user.crt and user.key; user.skip: "true" does without.'
    return {
      ...(ca !== undefined && { ca }),
      ...(isOurs && { cert: needed('user.crt', why), key: needed('user.key', why) }),
    }
  }

  function saslOf(): NonNullable<KafkaAccess['sasl']> {
    const known = Object.keys(MECHANISMS).join(', ')
    const mechanism = needed('sasl.mechanism', `It has to be one of ${known}.`)
    if (!Object.hasOwn(MECHANISMS, mechanism)) {
      throw refused(`sasl.mechanism of ${title} is none that this version can do.`, `It has to be one of ${known}.`)
    }
    const why = `${protocol} needs user and password.`
    return {
      mechanism: MECHANISMS[mechanism as keyof typeof MECHANISMS],
      user: needed('user', why),
      password: needed('password', why),
    }
  }
}

function refused(what: string, todo: string): SluiceError {
  return new SluiceError('SLUICE_CHANNEL_REFUSED', `${what} ${todo}`, {
    status: 503,
    retryable: true,
    retryAfterMs: 30_000,
  })
}
