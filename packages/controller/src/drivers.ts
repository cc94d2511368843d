// The one table of channel drivers: nothing else names one. Each is loaded when the first channel of its kind opens.

import { memoryBox } from '@sluice/broker'
import type { Channel, DeadLetterBox } from '@sluice/channel'
import type { Clock } from '@sluice/clock'

/** What a driver is told to open. */
export interface StorageSettings {
  readonly clock: Clock
  /** Whose it is. A Broker that is declared again under its name has its `uid` again. */
  readonly broker: { readonly namespace: string; readonly name: string; readonly uid: string }
  /** Most bytes that an in-memory channel holds. */
  readonly memoryBytes: number
  /** Most bytes of the dead-letter box. */
  readonly boxBytes: number
}

/** Where a broker keeps its events, and its dead letters. */
export interface BrokerStorage {
  readonly channel: Channel
  readonly box: DeadLetterBox
}

/**
 * Opens both for a broker, or rejects and leaves neither open; it is asked again then. The message of a SluiceError says
 * what is wrong and what to do, to whoever reads the Broker's status and to its senders. Any other error is taken for a
 * bug or for the machine's trouble: senders are told that there is one, and not which.
 */
export type OpenStorage = (settings: StorageSettings) => Promise<BrokerStorage>

/** How storage is opened, by the driver's name. */
export interface Drivers {
  readonly memory: OpenStorage
}

/** Those that Sluice comes with. */
export const DRIVERS: Drivers = {
  memory: async ({ clock, memoryBytes, boxBytes }) => {
    const { memoryChannel } = await import('@sluice/channel-memory')
    return {
      channel: memoryChannel({ clock, bytesMax: memoryBytes }),
      box: memoryBox({ clock, bytesMax: boxBytes }),
    }
  },
}
