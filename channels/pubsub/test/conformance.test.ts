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
      lacks: {
        'behind a blocked key only so many events are held; then the whole subscription waits, and loses none':
          'the service hands out other keys before the bound is reached',
      },
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
