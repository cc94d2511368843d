// The one table of channel drivers: nothing else names one. Each is loaded when the first channel of its kind opens.

import type { Channel } from '@sluice/channel'
import type { Clock } from '@sluice/clock'

export interface ChannelSettings {
  clock: Clock
  /** Most bytes that an in-memory channel holds. */
  memoryBytes: number
}

/** Opens the channel of a broker by its driver's name. */
export type OpenChannel = (settings: ChannelSettings) => Promise<Channel>

export const DRIVERS: { readonly memory: OpenChannel } = {
  memory: async ({ clock, memoryBytes }) => {
    const { memoryChannel } = await import('@sluice/channel-memory')
    return memoryChannel({ clock, bytesMax: memoryBytes })
  },
}
