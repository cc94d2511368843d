// Publishing: an event becomes a message, waits for room where it may, and has the server's answer. Many at once.
//
// From: channel.ts. Next: connection.ts sends.

import {
  channelFull,
  channelUnavailable,
  eventTooLarge,
  INGRESS_SHARE,
  type Capabilities,
  type PublishOptions,
  type PublishResult,
} from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { encodeNats, recordBytes, SluiceError, type Event } from '@sluice/event'
import { ApiError, headerBlock, NO_RESPONDERS, type Connection, type PublishAck } from './connection.ts'
import type { StreamNames } from './names.ts'
import type { Room } from './room.ts'
import { storedBytes } from './stream.ts'

/** How long a publish waits for the server. */
const PUBLISH_MS = 5000
/** How often a reply that waits for room looks for it. */
const ROOM_MS = 25
const RETRY_AFTER_MS = 1000

export interface PublisherParts {
  readonly connection: Connection
  readonly names: StreamNames
  readonly clock: Clock
  readonly capabilities: Capabilities
  readonly messageBytesMax: number | undefined
  readonly room: Room
  /** An event is stored under this sequence. */
  readonly sawSeq: (seq: number) => void
  /** Makes the stream again. Rejects where that can't be. */
  readonly ensureStream: () => Promise<void>
}

export class Publisher {
  readonly #parts: PublisherParts
  #closed = false

  constructor(parts: PublisherParts) {
    this.#parts = parts
  }

  close(): void {
    this.#closed = true
  }

  async publish(events: readonly Event[], { lane, signal }: PublishOptions): Promise<PublishResult[]> {
    const until = this.#parts.clock.monotonic() + PUBLISH_MS
    const share = lane === 'ingress' ? INGRESS_SHARE : 1
    const answers: Promise<PublishResult>[] = []
    for (const event of events) {
      const message = this.#messageOf(event, lane)
      const refusal = this.#refusal(event, message)
      if (refusal !== undefined) {
        answers.push(Promise.resolve({ stored: false, error: refusal }))
        continue
      }
      // Others may take what was made before this one goes on.
      let mayWait = this.#parts.room.left(share) < message.bytes
      while (this.#parts.room.left(share) < message.bytes && mayWait) mayWait = await this.#makeRoom(lane, until)
      if (this.#parts.room.left(share) < message.bytes) {
        answers.push(Promise.resolve({ stored: false, error: this.#full() }))
        continue
      }
      answers.push(this.#store(message, { lane, until, signal }))
    }
    return Promise.all(answers)
  }

  #messageOf(event: Event, lane: 'ingress' | 'reply'): Outgoing {
    const headers = encodeNats(event)
    // The pair of both, never the id alone (CloudEvents "id"). A reply that keeps the id of what it answers is none of these.
    if (lane === 'ingress') headers.push('Nats-Msg-Id', messageId(event))
    const block = headerBlock(headers)
    const payload = event.data ?? EMPTY
    const subject = this.#parts.names.subjectOf(event.type)
    return { subject, headers: block, payload, bytes: storedBytes(subject, block, payload) }
  }

  #refusal(event: Event, { headers, payload }: Outgoing): SluiceError | undefined {
    if (this.#closed) return channelUnavailable('The channel is closed.', RETRY_AFTER_MS)
    const size = Math.max(recordBytes(event), headers.length + payload.length)
    const { maxEventBytes } = this.#parts.capabilities
    if (size > maxEventBytes && recordBytes(event) > maxEventBytes)
      return eventTooLarge(recordBytes(event), maxEventBytes)
    const { payloadBytesMax } = this.#parts.connection
    return headers.length + payload.length > payloadBytesMax
      ? eventTooLarge(headers.length + payload.length, payloadBytesMax)
      : undefined
  }

  async #store(message: Outgoing, options: StoreOptions): Promise<PublishResult> {
    const { subject, headers, payload, bytes } = message
    for (let rebuilt = false; ;) {
      this.#parts.room.take(bytes)
      const ack = await this.#parts.connection.publish(subject, headers, payload, options)
      if (!(ack instanceof Error)) return this.#stored(ack, bytes)
      this.#parts.room.give(bytes)
      if (!(ack instanceof ApiError)) return { stored: false, error: ack as SluiceError }
      const isFull = FULL.test(ack.message)
      if (isFull && (await this.#makeRoom(options.lane, options.until))) continue // its count lags behind what it removes
      if (ack.code !== NO_RESPONDERS || rebuilt || this.#closed) {
        return { stored: false, error: this.#ofAck(ack, message) }
      }
      rebuilt = true
      try {
        await this.#parts.ensureStream()
      } catch (error) {
        return {
          stored: false,
          error: error instanceof SluiceError ? error : this.#parts.connection.unavailable(`${String(error)}.`, error),
        }
      }
    }
  }

  #stored({ seq, duplicate }: PublishAck, bytes: number): PublishResult {
    if (duplicate === true) this.#parts.room.give(bytes)
    else this.#parts.room.stored(seq, bytes)
    this.#parts.sawSeq(seq)
    return { stored: true, position: String(seq) }
  }

  #ofAck(error: ApiError, { headers, payload }: Outgoing): SluiceError {
    if (FULL.test(error.message)) return this.#full()
    if (/message size exceeds/.test(error.message)) {
      return eventTooLarge(headers.length + payload.length, this.#parts.messageBytesMax ?? 0)
    }
    return this.#parts.connection.unavailable(`it refuses to store: ${error.message}.`, error)
  }

  /**
   * Returns whether to look again. A reply waits for room: nothing settles without it, and by what settles room is made.
   */
  async #makeRoom(lane: 'ingress' | 'reply', until: number): Promise<boolean> {
    await this.#parts.room.make()
    if (lane === 'ingress' || this.#closed || this.#parts.clock.monotonic() >= until) return false
    await new Promise<void>((resolve) => this.#parts.clock.setTimer(ROOM_MS, resolve))
    return true
  }

  #full(): SluiceError {
    return channelFull(
      `The NATS stream ${this.#parts.names.stream} is full. It empties as its triggers' subscribers take their events. ` +
        'Nothing was stored.',
      RETRY_AFTER_MS,
    )
  }
}

interface Outgoing {
  readonly subject: string
  readonly headers: Buffer
  readonly payload: Uint8Array
  /** In the stream. */
  readonly bytes: number
}

interface StoreOptions {
  readonly lane: 'ingress' | 'reply'
  /** `clock.monotonic()` at which nobody waits any more. */
  readonly until: number
  readonly signal: AbortSignal | undefined
}

const EMPTY = Buffer.alloc(0)
/** What the server says where a stream of `discard: new` takes no more. */
const FULL = /maximum (bytes|messages) exceeded/

/** Source and id, so that no two pairs are one: neither can hold a line break. */
function messageId(event: Event): string {
  return Buffer.from(`${event.source}\n${event.id}`).toString('base64url')
}
