// The one table of channel drivers: nothing else names one. Each is loaded when the first channel of its kind opens.

import { diskBox, memoryBox, type DiskBoxOptions } from '@sluice/broker'
import type { Channel, DeadLetterBox, Lag } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { KafkaSettings, LogChannelLimits, NatsSettings, PubsubSettings } from '@sluice/resource'
import type { Disk, Problem } from '@sluice/segments'
import type { BrokerIdentity, DataDirectory } from './data.ts'
import { kafkaAccess } from './kafka-access.ts'
import { pubsubAccess } from './pubsub-access.ts'
import type { Secrets } from './secrets.ts'

/** What a driver is told to open. */
export interface StorageSettings {
  readonly clock: Clock
  /** Whose it is. A Broker that is declared again under its name has its `uid` again. */
  readonly broker: BrokerIdentity
  /** Most bytes that an in-memory channel holds. */
  readonly memoryBytes: number
  /** Most bytes of the dead-letter box, of which a trigger may have a quarter. Default: the box's. */
  readonly boxBytes: number | undefined
  /** Of a log; what is absent is the driver's default. */
  readonly limits: LogChannelLimits
  /** Of one at a NATS server. */
  readonly nats: NatsSettings | undefined
  /** Of one at a Kafka server. */
  readonly kafka: KafkaSettings | undefined
  /** Of one at Google Pub/Sub. */
  readonly pubsub: PubsubSettings | undefined
  readonly secrets: Secrets
  /** Where a log keeps its files. */
  readonly data: DataDirectory | undefined
  /** One write and sync took so many ms. */
  readonly synced: ((ms: number) => void) | undefined
  /** A write has failed, in words; it is made once more, in a new file. */
  readonly retrying: ((what: string) => void) | undefined
  /** Something turned out to be damaged after it was opened. */
  readonly damaged: ((problem: StorageProblem) => void) | undefined
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
  /** What is left to deliver; an event counts once for each trigger that it is for. */
  readonly toDeliver: Pick<Lag, 'events' | 'bound'>
  /** Entries of the dead-letter box. */
  readonly deadLetters: number
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
  /** Events, or dead letters, that it held at most. */
  readonly events: number
  /** Sequence numbers of what it held, first and last; the last is before the first where nothing is lost. */
  readonly lost: readonly [number, number]
}

/**
 * Opens both for a broker, or rejects and leaves neither open; it is asked again then. The message of a SluiceError says
 * what is wrong and what to do, to whoever reads the Broker's status and to its senders. Any other error is taken for a
 * bug or for the machine's trouble: senders are told that there is one, and not which.
 */
export type OpenStorage = (settings: StorageSettings) => Promise<BrokerStorage>

/** The channels that a Broker may have. */
export type ChannelKind = 'log' | 'memory' | 'nats' | 'kafka' | 'pubsub'

/** How storage is opened, by the driver's name. */
export type Drivers = Readonly<Record<ChannelKind, OpenStorage>>

/** Those that Sluice comes with. */
export const DRIVERS: Drivers = {
  memory: openInMemory,
  log: openLog,
  nats: openNats,
  kafka: openKafka,
  pubsub: openPubsub,
}

async function openInMemory({ clock, memoryBytes, boxBytes }: StorageSettings): Promise<BrokerStorage> {
  const { memoryChannel } = await import('@sluice/channel-memory')
  return {
    channel: memoryChannel({ clock, bytesMax: memoryBytes }),
    box: memoryBox({ clock, ...(boxBytes !== undefined && { bytesMax: boxBytes }) }),
  }
}

/** In the data directory, in the Broker's folder. */
async function openLog({ data, broker, ...settings }: StorageSettings): Promise<BrokerStorage> {
  if (data === undefined) throw new Error('A log needs a data directory.')
  return openLogIn(await data.makeBrokerFolder(broker), settings)
}

/** Of {@link openLogIn}. */
export interface LogSettings extends Pick<StorageSettings, 'clock'> {
  readonly boxBytes?: StorageSettings['boxBytes']
  readonly limits?: StorageSettings['limits']
  readonly synced?: StorageSettings['synced']
  readonly retrying?: StorageSettings['retrying']
  readonly damaged?: StorageSettings['damaged']
  /** Default: the machine's. */
  readonly disk?: Disk
}

/** In one folder: `segments` and `progress` of the log, `dead-letters` of the box. */
export async function openLogIn(folder: string, settings: LogSettings): Promise<Required<BrokerStorage>> {
  const { openLogChannel } = await import('@sluice/channel-log')
  const { clock, limits, synced, retrying, damaged, disk } = settings
  const opened = await diskBox(boxOptions(`${folder}/dead-letters`, settings))
  try {
    const given = {
      ...(synced !== undefined && { synced }),
      ...(retrying !== undefined && { retrying: ({ message }: Error) => retrying(message) }),
      ...(damaged !== undefined && {
        damaged: (problem: Problem, store: 'events' | 'progress') =>
          damaged(store === 'events' ? withEvents(problem) : { ...problem, events: 0 }),
      }),
      ...(disk !== undefined && { disk }),
    }
    const log = await openLogChannel({ folder, clock, ...limits, ...given })
    const { events, progress, toDeliver, isRewound } = log.recovery
    const { box, recovery } = opened
    return {
      channel: log.channel,
      box,
      recovery: {
        events: log.channel.usage().events,
        toDeliver,
        deadLetters: recovery.entries,
        tornBytes: events.tornBytes + progress.tornBytes + recovery.tornBytes,
        isRewound,
        problems: [
          ...[...events.problems, ...recovery.problems].map(withEvents),
          ...progress.problems.map((problem) => ({ ...problem, events: 0 })),
        ],
      },
    }
  } catch (error) {
    await opened.box.close()
    throw error
  }
}

/** At a NATS server; the dead letters are kept here, on disk where there is a data directory. */
async function openNats({ nats, data, broker, ...settings }: StorageSettings): Promise<BrokerStorage> {
  const { openNatsChannel, brokerNames, channelNames } = await import('@sluice/channel-nats')
  const { servers, stream, ackWaitMs, names } = nats!
  const { namespace, name } = broker
  const channel = await openNatsChannel({
    ...{ servers, stream, clock: settings.clock },
    names: names === 'broker' ? brokerNames(namespace, name) : channelNames(namespace, channelName(broker)),
    ...(ackWaitMs !== undefined && { ackWaitMs }),
  })
  return { channel, box: await boxBeside(channel, { data, broker, ...settings }) }
}

/** At a Kafka server; the dead letters are kept here, as of NATS. */
async function openKafka({ kafka, secrets, broker, ...settings }: StorageSettings): Promise<BrokerStorage> {
  const { openKafkaChannel, brokerNames, channelNames } = await import('@sluice/channel-kafka')
  const { servers, names, externalTopic, topic, secret } = kafka!
  const { namespace, name } = broker
  const channel = await openKafkaChannel({
    servers,
    clock: settings.clock,
    topic: { ...topic, isGiven: externalTopic !== undefined },
    names:
      names === 'broker' ? brokerNames(namespace, name, externalTopic) : channelNames(namespace, channelName(broker)),
    ...(secret !== undefined && kafkaAccess(secret, secrets)),
  })
  return { channel, box: await boxBeside(channel, { broker, ...settings }) }
}

/** At Google Pub/Sub; the dead letters are kept here, as of NATS. */
async function openPubsub({ pubsub, secrets, broker, ...settings }: StorageSettings): Promise<BrokerStorage> {
  const { openPubsubChannel, brokerNames, channelNames } = await import('@sluice/channel-pubsub')
  const { namespace, name, uid } = broker
  const channel = await openPubsubChannel({
    ...pubsubAccess(namespace, secrets),
    clock: settings.clock,
    names:
      pubsub!.names === 'broker'
        ? brokerNames(namespace, name, uid)
        : channelNames(namespace, channelName(broker), uid),
  })
  return { channel, box: await boxBeside(channel, { broker, ...settings }) }
}

/** Knative calls the channel of a Broker so. */
function channelName({ kind, name }: BrokerIdentity): string {
  return kind === 'Broker' ? `${name}-kne-trigger` : name
}

/** The dead letters of a channel at a server: on disk where there is a data directory. */
async function boxBeside(
  channel: Channel,
  { data, broker, ...settings }: Pick<StorageSettings, 'data' | 'broker'> & LogSettings,
): Promise<DeadLetterBox> {
  const { clock, boxBytes } = settings
  if (data === undefined) return memoryBox({ clock, ...(boxBytes !== undefined && { bytesMax: boxBytes }) })
  try {
    const { box } = await diskBox(boxOptions(`${await data.makeBrokerFolder(broker)}/dead-letters`, settings))
    return box
  } catch (error) {
    await channel.close({ deadlineMs: 0 })
    throw error
  }
}

function boxOptions(folder: string, { clock, boxBytes, damaged, disk }: LogSettings): DiskBoxOptions {
  return {
    folder,
    clock,
    ...(disk !== undefined && { disk }),
    ...(boxBytes !== undefined && { bytesMax: boxBytes, triggerBytesMax: boxBytes / 4 }),
    ...(damaged !== undefined && { problem: (problem) => damaged(withEvents(problem)) }),
  }
}

function withEvents(problem: Problem): StorageProblem {
  const [first, last] = problem.lost
  return { ...problem, events: Math.max(0, last - first + 1) }
}
