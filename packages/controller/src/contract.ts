// What a controller does for the server and the command. controller.ts keeps these promises.

import type { Broker, BrokerName } from '@sluice/broker'
import type { ChannelState } from '@sluice/channel'
import { SluiceError } from '@sluice/event'
import type {
  ApplyOptions,
  Changes,
  Declared,
  Identity,
  Origin,
  Problem,
  Resource,
  ResourceStore,
  ResourceWriter,
} from '@sluice/resource'
import type { Consents } from './consents.ts'
import type { EventTypes } from './event-types/event-types.ts'
import type { Gate } from './gate.ts'
import type { Operations } from './operations.ts'
import type { Sources } from './sources.ts'

/** Where the events of a Broker or channel come in. */
export interface Entrance {
  /** What takes them now. */
  readonly broker: Broker | undefined
  /** Whom it lets in; absent: everybody. */
  readonly gate: Gate | undefined
  /** Why nothing takes them; `undefined` where {@link broker} does. */
  unavailable(): SluiceError | undefined
}

/** Runs what is declared. One of its kind in a process. */
export interface Controller {
  /** Read it through {@link get} and {@link list}, which bring the statuses up to now. */
  readonly store: ResourceStore
  /** Writes one resource at a time, as the API does. What it writes runs as what is applied does, from its commit on. */
  readonly writer: ResourceWriter
  /** Where the events of the Broker, or of the channel of whichever kind, of this name come in; absent: there is none. */
  entrance(of: 'Broker' | 'Channel', namespace: string, name: string): Entrance | undefined
  /** The broker that takes events of the Broker of this name now. */
  broker(namespace: string, name: string): Broker | undefined
  /** The one that takes events of the channel of this name now, of whichever kind. */
  channel(namespace: string, name: string): Broker | undefined
  /**
   * Why what is declared takes no events now: `SLUICE_CHANNEL_UNAVAILABLE`, 503, with the time until it is
   * tried again. `undefined` where none is declared, and where it takes them.
   */
  unavailable(namespace: string, name: string, of?: 'Broker' | 'Channel'): SluiceError | undefined
  /** Those that take requests. */
  readonly sources: Pick<Sources, 'mounted'>
  /** What takes the callbacks of subscribers that consent to be sent events, at `CONSENT_PATH`. */
  readonly consents: Pick<Consents, 'callBack'>
  /** Which types of events there are. */
  readonly eventTypes: Pick<EventTypes, 'usage' | 'settled'>
  /** Those that take events now. */
  brokers(): Iterable<Broker>
  /** Those that are declared and take no events now, as {@link unavailable} says. */
  waiting(): Iterable<BrokerName>
  /** Whether its channel works; where not, why. */
  channelState(broker: Broker): ChannelState
  /**
   * Makes `declared` all that the files say. Resolves once every broker takes events and every trigger is subscribed,
   * or says in its conditions why not: what can't be done now is tried again by itself, and what takes longer than 10 s
   * goes on by itself. With problems, and nothing changed, where something immutable changed. Applies are made in turn.
   * Rejects with `SLUICE_DRAINING`, and changes nothing, once {@link close} was called.
   */
  apply(declared: readonly Declared[], options: ApplyFiles): Promise<readonly Problem[]>
  /** As {@link apply}, of what has changed in the files: what is not named stays as it is, and costs nothing. */
  change(changes: FilesChanges, options: ApplyFiles): Promise<readonly Problem[]>
  /**
   * Who vouches for where brokers are reached, in PEM: it stands in their addresses (`CACerts`), and deliveries from one to
   * another trust it.
   */
  trust(caCerts: string | undefined): void
  /** The resource with its status as of now. */
  get(identity: Identity): Resource | undefined
  /** All of a kind, with their statuses as of now. */
  list(of: { group: string; kind: string }): Resource[]
  /** Brings the statuses in {@link store} up to now, all but what {@link shown} adds. */
  refresh(): void
  /** A resource of {@link store} as {@link get} and {@link list} have it: with what changes with every event. */
  shown(resource: Resource): Resource
  /** What people do to triggers beside changing their resources. */
  readonly operations: Operations
  /** A line for each broker and trigger: where it is or goes, and if it isn't ready, why. */
  summary(): string[]
  /** Drains and closes every broker, as its `close`. Removed ones that need longer than `deadlineMs` are left. */
  close(options: { deadlineMs: number }): Promise<void>
}

/** Of {@link Controller.change}. */
export interface FilesChanges extends Changes {
  /** Those with the same content that stand elsewhere now. */
  readonly moved: Iterable<readonly [key: string, origin: Origin]>
}

/** Of {@link Controller.apply}. */
export interface ApplyFiles extends Pick<ApplyOptions, 'locate'> {
  /** Where brokers are reached: their addresses are `{base}/{namespace}/{name}`. */
  base: string
}

/** What a write is answered while what was written before is not known yet. */
export function starting(): SluiceError {
  const message = 'Sluice is starting: nothing can be written yet. Nothing was changed.'
  return new SluiceError('SLUICE_STARTING', message, { status: 503, retryable: true, retryAfterMs: 1000 })
}

/** What is answered once it closes. */
export function draining(): SluiceError {
  return new SluiceError('SLUICE_DRAINING', 'Sluice is shutting down and applies nothing any more.', { status: 503 })
}
