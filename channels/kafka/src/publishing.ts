// Publishing: an event becomes a record of the partition of its key, and waits there until the records before it are
// acknowledged. What has gathered meanwhile goes as one batch, so one partition has one under way and many go at once.
// Hot path.
//
// From: channel.ts. Next: the server, by the client's producer.

import {
  channelUnavailable,
  eventTooLarge,
  Fifo,
  orderingKey,
  type PublishOptions,
  type PublishResult,
} from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { encodeKafka, type Event, type KafkaRecord, type SluiceError } from '@sluice/event'
import { Partitioners, type Message, type Producer } from 'kafkajs'
import { reasonOf, typeOf } from './client.ts'

/** How long a publish waits for the server. */
const PUBLISH_MS = 5000
/** What may be under way, from the call to the answer. */
const UNDER_WAY_MAX = { events: 16_384, bytes: 64 * 1024 * 1024 }
const RETRY_AFTER_MS = 1000
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

/** One call, and what is still open of it. */
interface Call {
  readonly results: PublishResult[]
  open: number
  readonly resolve: (results: PublishResult[]) => void
  isOver: boolean
}

interface Waiting {
  readonly call: Call
  readonly slot: number
  readonly message: Message
  readonly bytes: number
}

interface Lane {
  readonly partition: number
  readonly waiting: Fifo<Waiting>
  isBusy: boolean
}

export class Publisher {
  readonly #parts: PublisherParts
  readonly #lanes: Lane[]
  readonly #partitionOf = Partitioners.DefaultPartitioner()
  readonly #partitionMetadata: never[]
  #events = 0
  #bytes = 0
  #isFlushing = false
  #isClosed = false

  constructor(parts: PublisherParts) {
    this.#parts = parts
    const numbers = Array.from({ length: parts.partitions }, (_, partition) => partition)
    this.#lanes = numbers.map((partition) => ({ partition, waiting: new Fifo(), isBusy: false }))
    this.#partitionMetadata = numbers.map((partitionId) => ({ partitionId, leader: 0 })) as never[]
  }

  /** Takes nothing more; what is under way goes on. */
  close(): void {
    this.#isClosed = true
  }

  publish(events: readonly Event[], { signal }: PublishOptions): Promise<PublishResult[]> {
    if (events.length === 0) return Promise.resolve([])
    return new Promise((resolve) => {
      const call: Call = { results: [], open: events.length, resolve, isOver: false }
      const refusal = this.#isClosed ? closed() : this.#parts.trouble()
      for (let slot = 0; slot < events.length; slot++) this.#put(call, slot, events[slot]!, refusal)
      if (call.open === 0) return
      const timer = this.#parts.clock.setTimer(PUBLISH_MS, () =>
        end(call, this.#parts.troubled(`it has not answered for ${PUBLISH_MS / 1000} s`)),
      )
      const abort = (): void => end(call, channelUnavailable('The publisher gave up waiting.', RETRY_AFTER_MS))
      signal?.addEventListener('abort', abort)
      const done = call.resolve
      Object.assign(call, {
        resolve: (results: PublishResult[]) => {
          timer.cancel()
          signal?.removeEventListener('abort', abort)
          done(results)
        },
      })
      if (signal?.aborted === true) abort()
      this.#flushSoon()
    })
  }

  #put(call: Call, slot: number, event: Event, refusal: SluiceError | undefined): void {
    const record = encodeKafka(event)
    const bytes = recordBytes(record)
    const refused = refusal ?? this.#refusal(event, bytes)
    if (refused !== undefined) return answer(call, slot, { stored: false, error: refused })
    const partition = this.#partition(event)
    const message: Message = { partition, key: record.key, value: record.value, headers: record.headers }
    this.#events++
    this.#bytes += bytes
    this.#lanes[partition]!.waiting.push({ call, slot, message, bytes })
  }

  #refusal(event: Event, bytes: number): SluiceError | undefined {
    const { eventBytesMax, batchBytesMax } = this.#parts
    if ((event.data?.length ?? 0) > eventBytesMax || bytes > eventBytesMax + HEADERS_ROOM) {
      return eventTooLarge(bytes, eventBytesMax)
    }
    if (bytes + BATCH_OVERHEAD > batchBytesMax) return eventTooLarge(bytes, batchBytesMax - BATCH_OVERHEAD)
    if (this.#events < UNDER_WAY_MAX.events && this.#bytes < UNDER_WAY_MAX.bytes) return undefined
    return channelUnavailable(
      `Kafka is slow: ${this.#events} events wait for its answer. Nothing was stored.`,
      RETRY_AFTER_MS,
    )
  }

  /** By the key's hash, as Kafka's own producers do; without `partitionkey` by source and subject. */
  #partition(event: Event): number {
    if (this.#lanes.length === 1) return 0
    const message = { key: orderingKey(event), value: null }
    return this.#partitionOf({ topic: this.#parts.topic, partitionMetadata: this.#partitionMetadata, message })
  }

  /** After the events of this turn are there. */
  #flushSoon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      this.#flush()
    })
  }

  #flush(): void {
    const batches: Waiting[][] = []
    const lanes: Lane[] = []
    for (const lane of this.#lanes) {
      if (lane.isBusy) continue
      const batch = this.#take(lane)
      if (batch.length === 0) continue
      lane.isBusy = true
      lanes.push(lane)
      batches.push(batch)
    }
    if (batches.length === 0) return
    void this.#send(batches).then(() => {
      for (const lane of lanes) lane.isBusy = false
      this.#flush()
    })
  }

  /** As many as go into one batch. What nobody waits for any more is not sent. */
  #take(lane: Lane): Waiting[] {
    const batch: Waiting[] = []
    let bytes = BATCH_OVERHEAD
    for (let first = lane.waiting.peek(); first !== undefined; first = lane.waiting.peek()) {
      if (batch.length > 0 && bytes + first.bytes > this.#parts.batchBytesMax) break
      lane.waiting.shift()
      if (first.call.isOver) this.#leave(first)
      else {
        batch.push(first)
        bytes += first.bytes
      }
    }
    return batch
  }

  #leave({ bytes }: Waiting): void {
    this.#events--
    this.#bytes -= bytes
  }

  /** Never rejects. */
  async #send(batches: readonly Waiting[][]): Promise<void> {
    const messages = batches.flat().map(({ message }) => message)
    try {
      const answers = await this.#parts.producer.sendBatch({
        acks: -1,
        timeout: PUBLISH_MS,
        topicMessages: [{ topic: this.#parts.topic, messages }],
      })
      const bases = new Map(answers.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]))
      for (const batch of batches) this.#stored(batch, bases.get(batch[0]!.message.partition!))
    } catch (error) {
      const isTooLarge = TOO_LARGE.includes(typeOf(error) ?? '')
      if (isTooLarge && messages.length > 1) return this.#sendParts(batches)
      const refusal = isTooLarge
        ? eventTooLarge(batches[0]![0]!.bytes, this.#parts.eventBytesMax)
        : this.#parts.troubled(reasonOf(error), error)
      for (const batch of batches) this.#failed(batch, refusal)
    }
  }

  /** The topic takes less than it did: each batch by itself, and then each half. */
  async #sendParts(batches: readonly Waiting[][]): Promise<void> {
    for (const batch of batches) {
      if (batches.length > 1) await this.#send([batch])
      else {
        const half = Math.ceil(batch.length / 2)
        await this.#send([batch.slice(0, half)])
        await this.#send([batch.slice(half)])
      }
    }
  }

  #stored(batch: readonly Waiting[], base: number | undefined): void {
    const partition = batch[0]!.message.partition!
    let bytes = 0
    for (let i = 0; i < batch.length; i++) {
      const waiting = batch[i]!
      bytes += waiting.bytes
      this.#leave(waiting)
      const position = base === undefined ? undefined : `${partition}-${base + i}`
      answer(waiting.call, waiting.slot, { stored: true, position })
    }
    if (base !== undefined) this.#parts.stored(partition, base + batch.length, bytes)
  }

  #failed(batch: readonly Waiting[], error: SluiceError): void {
    for (const waiting of batch) {
      this.#leave(waiting)
      answer(waiting.call, waiting.slot, { stored: false, error })
    }
  }
}

const TOO_LARGE: readonly string[] = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']

function answer(call: Call, slot: number, result: PublishResult): void {
  if (call.isOver) return
  call.results[slot] = result
  if (--call.open > 0) return
  call.isOver = true
  call.resolve(call.results)
}

/** What has no answer yet has this one. */
function end(call: Call, error: SluiceError): void {
  if (call.isOver) return
  const { open } = call
  for (let slot = 0, left = open; left > 0; slot++) {
    if (call.results[slot] !== undefined) continue
    left--
    answer(call, slot, { stored: false, error })
  }
}

function closed(): SluiceError {
  return channelUnavailable('The channel is closed.', RETRY_AFTER_MS)
}

/** In a batch, at most. */
function recordBytes({ key, headers, value }: KafkaRecord): number {
  let bytes = RECORD_OVERHEAD + (value?.length ?? 0) + (key === null ? 0 : Buffer.byteLength(key))
  for (const name in headers) bytes += name.length + Buffer.byteLength(headers[name]!) + 8
  return bytes
}
