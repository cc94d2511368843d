// The Google Pub/Sub channel passes the suite of the channel contract, on the emulator.

import { afterAll, beforeAll, describe, test } from 'vitest'
import { channelConformance } from '@sluice/channel/conformance'
import { channelNames, openPubsubChannel } from '@sluice/channel-pubsub'
import { pubsubMissing, sharedPubsub } from '../../../test/servers/pubsub.ts'

let server: Awaited<ReturnType<typeof sharedPubsub>>

if (pubsubMissing === undefined) suite()
else test.skip(`the pubsub channel (${pubsubMissing})`)

function suite(): void {
  describe('on the emulator', () => {
    beforeAll(async () => {
      server = await sharedPubsub()
    }, 60_000)
    afterAll(() => server?.stop())
    channelConformance({
      name: 'pubsub',
      create: ({ space, clock, eventBytesMax, parkedMax }) => ({
        open: () =>
          openPubsubChannel({
            project: 'sluice-test',
            emulator: server.address,
            names: channelNames('suite', space, 'uid'),
            clock,
            ...(eventBytesMax !== undefined && { eventBytesMax }),
            parkedMax: parkedMax ?? 1000,
          }),
      }),
    })
  })
}
