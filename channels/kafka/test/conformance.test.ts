// The Kafka channel passes the suite of the channel contract, on a real server, with one partition and with three.

import { afterAll, beforeAll, describe, test } from 'vitest'
import { channelConformance } from '@sluice/channel/conformance'
import { channelNames, openKafkaChannel } from '@sluice/channel-kafka'
import { Kafka, logLevel, type Admin } from 'kafkajs'
import { kafkaMissing, sharedKafka } from '../../../test/servers/kafka.ts'

let server: Awaited<ReturnType<typeof sharedKafka>>
let admin: Admin

if (kafkaMissing === undefined) suite()
else test.skip(`the kafka channel (${kafkaMissing})`)

function suite(): void {
  describe('on a real server', () => {
    beforeAll(async () => {
      server = await sharedKafka()
      admin = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING }).admin()
      await admin.connect()
    }, 60_000)
    afterAll(async () => {
      await admin?.disconnect()
      await server?.stop()
    })
    for (const partitions of [1, 3]) {
      channelConformance({
        name: `kafka, ${partitions} partitions`,
        quietMs: 100,
        create: ({ space, clock, eventBytesMax, parkedMax }) => {
          const names = channelNames('suite', `${space}-${partitions}`)
          return {
            open: () =>
              openKafkaChannel({
                servers: [server.address],
                names,
                clock,
                topic: { partitions, replicas: 1 },
                fetchWaitMs: 100, // so many channels are closed here
                ...(eventBytesMax !== undefined && { eventBytesMax }),
                parkedMax: parkedMax ?? 1000,
              }),
            // Of one source and without a subject they all lie in one partition.
            lose: async (events) => {
              const offsets = await admin.fetchTopicOffsets(names.topic)
              const { partition, low } = offsets.find(({ high }) => Number(high) > 0)!
              const before = [{ partition, offset: String(Number(low) + events) }]
              await admin.deleteTopicRecords({ topic: names.topic, partitions: before })
            },
            destroy: () => admin.deleteTopics({ topics: [names.topic] }),
          }
        },
      })
    }
  })
}
