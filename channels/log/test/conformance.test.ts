// The log channel passes the suite of the channel contract.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { channelConformance } from '@sluice/channel/conformance'
import { manualClock } from '@sluice/clock'
import { openLogChannel } from '@sluice/channel-log'

for (const [name, sync] of [
  ['log', {}],
  ['log that syncs every second', { syncMs: 1000 }],
] as const) {
  channelConformance({
    name,
    clock: manualClock,
    create: async ({ clock, bytesMax, eventBytesMax, parkedMax }) => {
      const folder = await mkdtemp(join(tmpdir(), 'sluice-log-'))
      return {
        open: async () => {
          const { channel } = await openLogChannel({
            folder,
            clock,
            ...sync,
            ...(bytesMax !== undefined && { bytesMax }),
            ...(eventBytesMax !== undefined && { eventBytesMax }),
            ...(parkedMax !== undefined && { parkedMax }),
          })
          return channel
        },
        destroy: () => rm(folder, { recursive: true, force: true }),
      }
    },
  })
}
