// What a controller is given, and whom it tells.

import type { BrokerName, BrokerOptions, Observer } from '@sluice/broker'
import type { Clock } from '@sluice/clock'
import type { Deliverer } from '@sluice/delivery'
import type { SourceDriver } from '@sluice/source'
import type { DataDirectory, Discarded } from './data.ts'
import type { Secrets } from './secrets.ts'
import type { ChannelKind, Drivers, StorageProblem, StorageRecovery } from './drivers.ts'

/** What every broker that the controller opens is given. */
export interface ControllerOptions {
  clock: Clock
  deliverer: Deliverer
  observer: Observer
  /** Most bytes that an in-memory channel holds. */
  memoryBytes: number
  /** Most bytes of a broker's dead-letter box; a trigger may have a quarter. Default 1 GiB on disk, 64 MiB in memory. */
  boxBytes?: number
  /** Hops that an event may take through brokers. Default 255. */
  hopsMax?: number
  /** Uniform in [0, 1). Default Math.random. */
  random?: () => number
  /** The channel of a Broker that names none. Default `memory`. */
  channel?: ChannelKind
  /** Where Brokers keep what outlives the process. Needed for a log. Whoever opened it closes it, after the controller. */
  data?: DataDirectory
  storage?: StorageObserver
  /** How channels and boxes are opened. Default, for each kind: the driver that Sluice comes with. */
  drivers?: Partial<Drivers>
  /** Whether a Broker or channel is refused that asks senders for no token: strangers reach the ingress. */
  tokensRequired?: boolean
  /** Sources beside those that Sluice comes with. */
  sources?: readonly SourceDriver[]
  /** A Broker or channel has as many EventTypes as are made: why, in words. Told once, until some of them are gone. */
  eventTypesLimited?: (broker: BrokerName, why: string) => void
}

/** What a broker is run with beside that. */
export interface RunOptions extends ControllerOptions {
  /** What a server's Secret holds. */
  secrets: Secrets
  /** Judges the data of its events. Default: nobody does. */
  judge?: (broker: BrokerName) => BrokerOptions['judge']
}

/** Is told what concerns the storage of Brokers. */
export interface StorageObserver {
  /** A log has made one write and its sync, in so many ms. */
  synced?(ms: number): void
  /** A Broker's storage is open, and held something of a process that is gone. */
  recovered?(broker: BrokerName, recovery: StorageRecovery): void
  /** The disk has failed a write, in words; it is made once more, in a new file. */
  retrying?(broker: BrokerName, what: string): void
  /** Its channel doesn't work as it should, for this reason; or (`undefined`) it does again. */
  degraded?(broker: BrokerName, why: string | undefined): void
  /** Something of its storage turned out to be damaged while it is open. */
  damaged?(broker: BrokerName, problem: StorageProblem): void
  /** The data of a Broker that was deleted waits in the trash. */
  discarded?(data: Discarded): void
  /** A Broker has a log, and its channel is in memory now, so that nobody reads the log. */
  unread?(broker: BrokerName, folder: string): void
}
