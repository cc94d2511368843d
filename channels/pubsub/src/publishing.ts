// Publishing: an event becomes a message with its key as ordering key. The service takes one key in a request, so what has
// gathered for a key goes as one batch, and many keys go at once (packages/channel/src/lanes.ts). Hot path.
//
// From: channel.ts. Next: the server, by the client's publisher.

import { createHash } from 'node:crypto'
import {
  eventTooLarge,
  Lanes,
  orderingKey,
  type Placed,
  type PublishOptions,
  type PublishResult,
  type Waiting,
} from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { encodePubsub, type Event, type PubsubMessage, type SluiceError } from '@sluice/event'
import { isTooLarge, ONCE, reasonOf, type Clients } from './client.ts'

/** Keys that go at once. */
const LANES = 256
/** The service's: messages of a request, and bytes, of which some are for what stands beside the messages. */
const REQUEST_MAX = { events: 1000, bytes: 9 * 1024 * 1024 }
/** The service's longest ordering key. */
const KEY_BYTES_MAX = 1024
const MESSAGE_OVERHEAD = 64
/** What a message may have beside its data. */
export const ATTRIBUTES_ROOM: number = 64 * 1024

export interface PublisherParts {
  readonly clients: Clients
  readonly topic: string
  readonly eventBytesMax: number
  readonly clock: Clock
  /** Why nothing can be stored now; `undefined`: it can. */
  readonly trouble: () => SluiceError | undefined
  /** The server does not answer, or not as it should. */
  readonly troubled: (why: string, error?: unknown) => SluiceError
}

interface Message extends PubsubMessage {
  readonly orderingKey: string
}

export class Publisher {
  readonly #parts: PublisherParts
  readonly #lanes: Lanes<Message>

  constructor(parts: PublisherParts) {
    this.#parts = parts
    this.#lanes = new Lanes({
      ...parts,
      server: 'Google Pub/Sub',
      lanes: LANES,
      together: false,
      batchMax: REQUEST_MAX,
      place: (event) => this.#place(event),
      send: ([batch]) => this.#send(batch!),
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
    const message = encodePubsub(event)
    const bytes = messageBytes(message)
    const { eventBytesMax } = this.#parts
    if ((event.data?.length ?? 0) > eventBytesMax || bytes > eventBytesMax + ATTRIBUTES_ROOM) {
      return eventTooLarge(bytes, eventBytesMax)
    }
    const key = keyOf(event)
    return { lane: laneOf(key), group: key, message: { ...message, orderingKey: key }, bytes }
  }

  /** Never rejects. */
  async #send(batch: readonly Waiting<Message>[]): Promise<void> {
    const { clients, topic, eventBytesMax, troubled } = this.#parts
    try {
      const messages = batch.map(({ message }) => message)
      const [{ messageIds }] = await clients.publisher.publish({ topic, messages }, ONCE)
      for (const [i, waiting] of batch.entries()) {
        this.#lanes.answer(waiting, { stored: true, position: messageIds?.[i] ?? undefined })
      }
    } catch (error) {
      if (isTooLarge(error) && batch.length > 1) {
        const half = Math.ceil(batch.length / 2)
        await this.#send(batch.slice(0, half))
        return this.#send(batch.slice(half))
      }
      const refusal = isTooLarge(error)
        ? eventTooLarge(batch[0]!.bytes, eventBytesMax)
        : troubled(reasonOf(error), error)
      for (const waiting of batch) this.#lanes.answer(waiting, { stored: false, error: refusal })
    }
  }
}

/** `partitionkey`, or source and subject; what is too long by its digest. */
function keyOf(event: Event): string {
  const key = orderingKey(event)
  return Buffer.byteLength(key) <= KEY_BYTES_MAX ? key : createHash('sha256').update(key).digest('hex')
}

function laneOf(key: string): number {
  let hash = 0
  for (let at = 0; at < key.length; at++) hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0
  return (hash >>> 0) % LANES
}

/** In a request, at most. */
function messageBytes({ attributes, data }: PubsubMessage): number {
  let bytes = MESSAGE_OVERHEAD + data.length
  for (const name in attributes) bytes += name.length + Buffer.byteLength(attributes[name]!) + 8
  return bytes
}
