// Publishing: an event becomes a record of the partition of its key, and what has gathered for a partition goes as one batch
// (packages/channel/src/lanes.ts). Hot path.
//
// From: channel.ts. Next: the server, by the client's producer.

import {
  eventTooLarge,
  Lanes,
  orderingKey,
  PUBLISH_MS,
  type Placed,
  type PublishOptions,
  type PublishResult,
  type Waiting,
} from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { encodeKafka, type Event, type KafkaRecord, type SluiceError } from '@sluice/event'
import { Partitioners, type Message, type Producer } from 'kafkajs'
import { reasonOf, typeOf } from './client.ts'

/** What a batch has beside its records, and a record beside its parts, at most. */
const BATCH_OVERHEAD = 128
const RECORD_OVERHEAD = 32
/** What a record may have beside its data, within the largest batch that the topic takes. */
export const HEADERS_ROOM = 4096

export interface PublisherParts {
  readonly producer: Producer
  readonly topic: string
  readonly partitions: number
  /** Bytes of the largest batch that the topic takes. */
  readonly batchBytesMax: number
  readonly eventBytesMax: number
  readonly clock: Clock
  /** Why nothing can be stored now; `undefined`: it can. */
  readonly trouble: () => SluiceError | undefined
  /** The server does not answer, or not as it should. */
  readonly troubled: (why: string, error?: unknown) => SluiceError
  /** Stored: records of that partition before this offset. */
  readonly stored: (partition: number, end: number, bytes: number) => void
}

type Batch = readonly Waiting<Message>[]

export class Publisher {
  readonly #parts: PublisherParts
  readonly #lanes: Lanes<Message>
  readonly #partitionOf = Partitioners.DefaultPartitioner()
  readonly #partitionMetadata: never[]

  constructor(parts: PublisherParts) {
    this.#parts = parts
    const numbers = Array.from({ length: parts.partitions }, (_, partition) => partition)
    this.#partitionMetadata = numbers.map((partitionId) => ({ partitionId, leader: 0 })) as never[]
    this.#lanes = new Lanes({
      ...parts,
      server: 'Kafka',
      lanes: parts.partitions,
      together: true,
      batchMax: { events: Infinity, bytes: parts.batchBytesMax - BATCH_OVERHEAD },
      place: (event) => this.#place(event),
      send: (batches) => this.#send(batches),
    })
  }

  /** Takes nothing more; what is under way goes on. */
  close(): void {
    this.#lanes.close()
  }

  publish(events: readonly Event[], options: PublishOptions): Promise<PublishResult[]> {
    return this.#lanes.publish(events, options)
  }

  #place(event: Event): Placed<Message> | SluiceError {
    const record = encodeKafka(event)
    const bytes = recordBytes(record)
    const { eventBytesMax, batchBytesMax } = this.#parts
    if ((event.data?.length ?? 0) > eventBytesMax || bytes > eventBytesMax + HEADERS_ROOM) {
      return eventTooLarge(bytes, eventBytesMax)
    }
    if (bytes + BATCH_OVERHEAD > batchBytesMax) return eventTooLarge(bytes, batchBytesMax - BATCH_OVERHEAD)
    const partition = this.#partition(event)
    return { lane: partition, message: { ...record, partition }, bytes }
  }

  /** By the key's hash, as Kafka's own producers do; without `partitionkey` by source and subject. */
  #partition(event: Event): number {
    if (this.#parts.partitions === 1) return 0
    const message = { key: orderingKey(event), value: null }
    return this.#partitionOf({ topic: this.#parts.topic, partitionMetadata: this.#partitionMetadata, message })
  }

  /** Never rejects. */
  async #send(batches: readonly Batch[]): Promise<void> {
    const messages = batches.flat().map(({ message }) => message)
    try {
      const answers = await this.#parts.producer.sendBatch({
        acks: -1,
        timeout: PUBLISH_MS,
        topicMessages: [{ topic: this.#parts.topic, messages }],
      })
      const bases = new Map(answers.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]))
      for (const batch of batches) this.#stored(batch, bases.get(batch[0]!.lane))
    } catch (error) {
      const isTooLarge = TOO_LARGE.includes(typeOf(error) ?? '')
      if (isTooLarge && messages.length > 1) return this.#sendParts(batches)
      const refusal = isTooLarge
        ? eventTooLarge(batches[0]![0]!.bytes, this.#parts.eventBytesMax)
        : this.#parts.troubled(reasonOf(error), error)
      for (const waiting of batches.flat()) this.#lanes.answer(waiting, { stored: false, error: refusal })
    }
  }

  /** The topic takes less than it did: each batch by itself, and then each half. */
  async #sendParts(batches: readonly Batch[]): Promise<void> {
    for (const batch of batches) {
      if (batches.length > 1) await this.#send([batch])
      else {
        const half = Math.ceil(batch.length / 2)
        await this.#send([batch.slice(0, half)])
        await this.#send([batch.slice(half)])
      }
    }
  }

  #stored(batch: Batch, base: number | undefined): void {
    const partition = batch[0]!.lane
    let bytes = 0
    for (const [i, waiting] of batch.entries()) {
      bytes += waiting.bytes
      const position = base === undefined ? undefined : `${partition}-${base + i}`
      this.#lanes.answer(waiting, { stored: true, position })
    }
    if (base !== undefined) this.#parts.stored(partition, base + batch.length, bytes)
  }
}

const TOO_LARGE: readonly string[] = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']

/** In a batch, at most. */
function recordBytes({ key, headers, value }: KafkaRecord): number {
  let bytes = RECORD_OVERHEAD + (value?.length ?? 0) + (key === null ? 0 : Buffer.byteLength(key))
  for (const name in headers) bytes += name.length + Buffer.byteLength(headers[name]!) + 8
  return bytes
}
