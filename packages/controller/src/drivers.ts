// The one table of channel drivers: nothing else names one. Each is loaded when the first channel of its kind opens.

import { memoryBox } from '@sluice/broker'
import type { Channel, DeadLetterBox } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { LogChannelLimits } from '@sluice/resource'
import type { BrokerIdentity, DataDirectory } from './data.ts'

/** What a driver is told to open. */
export interface StorageSettings {
  readonly clock: Clock
  /** Whose it is. A Broker that is declared again under its name has its `uid` again. */
  readonly broker: BrokerIdentity
  /** Most bytes that an in-memory channel holds. */
  readonly memoryBytes: number
  /** Most bytes of the dead-letter box. */
  readonly boxBytes: number
  /** Of a log; what is absent is the driver's default. */
  readonly limits: LogChannelLimits
  /** Where a log keeps its files. */
  readonly data: DataDirectory | undefined
  /** One write and sync took so many ms. */
  readonly synced: ((ms: number) => void) | undefined
}

/** Where a broker keeps its events, and its dead letters. */
export interface BrokerStorage {
  readonly channel: Channel
  readonly box: DeadLetterBox
  /** What was found there; absent where nothing outlives the process. */
  readonly recovery?: StorageRecovery
}

/** What an open has found of a process that is gone. */
export interface StorageRecovery {
  /** Events that are stored, delivered ones that are kept included. */
  readonly events: number
  /** Bytes that were written and never became durable, and were cut off: nobody was told that they are stored. */
  readonly tornBytes: number
  /** Progress was missing or damaged: some events are delivered again. */
  readonly isRewound: boolean
  readonly problems: readonly StorageProblem[]
}

/** Something that was durable once and can't be read any more. */
export interface StorageProblem {
  readonly path: string
  /** In words: `damaged from byte 4096 to 8192`, `missing`. */
  readonly what: string
  /** Events that it held, at most. */
  readonly events: number
}

/**
 * Opens both for a broker, or rejects and leaves neither open; it is asked again then. The message of a SluiceError says
 * what is wrong and what to do, to whoever reads the Broker's status and to its senders. Any other error is taken for a
 * bug or for the machine's trouble: senders are told that there is one, and not which.
 */
export type OpenStorage = (settings: StorageSettings) => Promise<BrokerStorage>

/** The channels that a Broker may have. */
export type ChannelKind = 'log' | 'memory'

/** How storage is opened, by the driver's name. */
export type Drivers = Readonly<Record<ChannelKind, OpenStorage>>

/** Those that Sluice comes with. */
export const DRIVERS: Drivers = {
  memory: async ({ clock, memoryBytes, boxBytes }) => {
    const { memoryChannel } = await import('@sluice/channel-memory')
    return {
      channel: memoryChannel({ clock, bytesMax: memoryBytes }),
      box: memoryBox({ clock, bytesMax: boxBytes }),
    }
  },

  log: async ({ clock, broker, boxBytes, limits, data, synced }) => {
    if (data === undefined) throw new Error('A log needs a data directory.')
    const { openLogChannel } = await import('@sluice/channel-log')
    const folder = await data.makeBrokerFolder(broker)
    const { channel, recovery } = await openLogChannel({
      folder,
      clock,
      ...limits,
      ...(synced !== undefined && { synced }),
    })
    const { events, progress, isRewound } = recovery
    return {
      channel,
      box: memoryBox({ clock, bytesMax: boxBytes }),
      recovery: {
        events: channel.usage().events,
        tornBytes: events.tornBytes + progress.tornBytes,
        isRewound,
        problems: [
          ...events.problems.map(({ path, what, lost: [first, last] }) => ({ path, what, events: last - first + 1 })),
          ...progress.problems.map(({ path, what }) => ({ path, what, events: 0 })),
        ],
      },
    }
  },
}
