// Getting in: PLAIN and SCRAM over TLS with a certificate of one's own, and what is said where that is wrong.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { channelNames, openKafkaChannel, type KafkaConnection } from '@sluice/channel-kafka'
import { newEvent } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'
import {
  GUARDED,
  guardedKafka,
  kafkaProgramMissing,
  startKafka,
  type KafkaServer,
} from '../../../test/servers/kafka.ts'
import { authority } from '../../../test/support/certificates.ts'

const ours = authority()
const client = ours.issue('client')
const TLS = { ca: ours.certificate, cert: client.certificate, key: client.key }
const SASL = { mechanism: 'plain', ...GUARDED } as const
let server: KafkaServer

function open(access: Partial<KafkaConnection>) {
  return openKafkaChannel({
    servers: [server.address],
    names: channelNames('default', 'guarded'),
    topic: { partitions: 1, replicas: 1 },
    ...access,
  })
}

async function refusal(access: Partial<KafkaConnection>): Promise<Error> {
  return open(access).then(
    () => new Error('it was let in'),
    (error: Error) => error,
  )
}

describe.skipIf(kafkaProgramMissing !== undefined)(`a guarded Kafka server ${kafkaProgramMissing ?? ''}`, () => {
  beforeAll(async () => {
    server = await startKafka(guardedKafka(ours))
  }, 60_000)
  afterAll(() => server?.stop())

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'lets in by %s: events are stored and handed out',
    async (mechanism) => {
      const channel = await open({ tls: TLS, sasl: { ...SASL, mechanism } })
      const got = Promise.withResolvers<string>()
      await channel.subscribe({ id: mechanism, filter: compileAttributes({}) }, (delivery) => {
        delivery.settle()
        got.resolve(delivery.event.id)
      })
      const [result] = await channel.publish([newEvent({ id: '1', source: '/s', type: 't' })], { lane: 'ingress' })
      expect(result).toMatchObject({ stored: true })
      expect(await got.promise).toBe('1')
      await channel.close({ deadlineMs: 0 })
    },
    30_000,
  )

  test('credentials that are wrong are told as that, without them', async () => {
    for (const mechanism of ['plain', 'scram-sha-512'] as const) {
      const error = await refusal({ tls: TLS, sasl: { mechanism, user: 'app', password: 'wrong-secret' } })
      expect(error).toMatchObject({ code: 'SLUICE_CHANNEL_UNAVAILABLE', status: 503, retryable: true })
      expect(error.message).toContain(server.address)
      expect(error.message).toMatch(/authentication|credentials/i)
      expect(error.message).not.toContain('secret')
    }
  }, 30_000)

  test('a server that nobody vouches for, and a missing certificate, are told as that', async () => {
    expect((await refusal({ tls: { cert: client.certificate, key: client.key }, sasl: SASL })).message).toMatch(
      /certificate/i,
    )
    expect((await refusal({ tls: { ca: ours.certificate }, sasl: SASL })).message).toMatch(
      /certificate|handshake|closed/i,
    )
    expect((await refusal({ sasl: SASL })).message).toMatch(/closed|disconnect|reset/i)
  }, 60_000)
})
