// The NATS channel passes the suite of the channel contract, on a real server.

import { afterAll, beforeAll, describe, test } from 'vitest'
import { channelConformance } from '@sluice/channel/conformance'
import { channelNames, openNatsChannel } from '@sluice/channel-nats'
import { connect, type NatsConnection } from 'nats'
import { natsMissing, sharedNats } from '../../../test/servers/nats.ts'

let server: Awaited<ReturnType<typeof sharedNats>>
let client: NatsConnection

if (natsMissing === undefined) suite()
else test.skip(`the nats channel (${natsMissing})`)

function suite(): void {
  describe('on a real server', () => {
    beforeAll(async () => {
      server = await sharedNats()
      client = await connect({ servers: server.url })
    })
    afterAll(async () => {
      await client?.close()
      await server?.stop()
    })
    channelConformance({
      name: 'nats',
      quietMs: 100,
      create: ({ space, clock, bytesMax, eventBytesMax, parkedMax }) => {
        const names = channelNames('suite', space)
        return {
          open: () =>
            openNatsChannel({
              servers: [server.url],
              names,
              clock,
              ...(bytesMax !== undefined && { stream: { bytesMax } }),
              ...(eventBytesMax !== undefined && { eventBytesMax }),
              parkedMax: parkedMax ?? 1000,
            }),
          lose: async (events) => {
            const jsm = await client.jetstreamManager()
            const { state } = await jsm.streams.info(names.stream)
            await jsm.streams.purge(names.stream, { seq: state.first_seq + events })
          },
          destroy: async () => {
            await (await client.jetstreamManager()).streams.delete(names.stream)
          },
        }
      },
    })
  })
}
