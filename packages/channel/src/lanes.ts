// Publishing in lanes, for drivers whose server keeps the order of what it is sent one after another: an event waits in the
// lane of its key until the batch before it is answered. What has gathered meanwhile goes as one batch, so one lane has one
// under way, and many lanes go at once. Hot path.
//
// From: a driver's publish. Next: its `send`.

import type { Clock } from '@sluice/clock'
import type { Event, SluiceError } from '@sluice/event'
import type { PublishOptions, PublishResult } from './channel.ts'
import { channelUnavailable } from './errors.ts'
import { Fifo } from './fifo.ts'

/** How long a publish waits for the server. */
export const PUBLISH_MS = 5000
/** What may be under way, from the call to the answer. */
const UNDER_WAY_MAX = { events: 16_384, bytes: 64 * 1024 * 1024 }
const RETRY_AFTER_MS = 1000

export interface LanesParts<Message> {
  /** What people call the server. */
  readonly server: string
  readonly lanes: number
  /** Of one batch. A message that is larger goes alone. */
  readonly batchMax: { readonly events: number; readonly bytes: number }
  readonly clock: Clock
  /** Why nothing can be stored now; `undefined`: it can. */
  readonly trouble: () => SluiceError | undefined
  /** The server does not answer. `why`: a clause. */
  readonly troubled: (why: string) => SluiceError
  /** What is sent of an event, or why it can't be. */
  readonly place: (event: Event) => Placed<Message> | SluiceError
  /** Whether what gathered in several lanes is sent at once, and these wait for each other; else each lane by itself. */
  readonly together: boolean
  /** Sends batches of different lanes, and calls {@link Lanes.answer} for every message of them. Never rejects. */
  readonly send: (batches: readonly (readonly Waiting<Message>[])[]) => Promise<void>
}

/** What is sent of an event. */
export interface Placed<Message> {
  readonly lane: number
  readonly message: Message
  readonly bytes: number
  /** Only what has the same goes in one batch. Default: everything does. */
  readonly group?: string
}

/** A message on its way. */
export interface Waiting<Message> extends Placed<Message> {
  readonly call: Call
  readonly slot: number
}

/** One call, and what is still open of it. */
interface Call {
  readonly results: PublishResult[]
  open: number
  resolve: (results: PublishResult[]) => void
  isOver: boolean
}

interface Lane<Message> {
  readonly waiting: Fifo<Waiting<Message>>
  isBusy: boolean
}

export class Lanes<Message> {
  readonly #parts: LanesParts<Message>
  readonly #lanes: readonly Lane<Message>[]
  #events = 0
  #bytes = 0
  #isFlushing = false
  #isClosed = false

  constructor(parts: LanesParts<Message>) {
    this.#parts = parts
    this.#lanes = Array.from({ length: parts.lanes }, () => ({ waiting: new Fifo(), isBusy: false }))
  }

  /** Takes nothing more; what is under way goes on. */
  close(): void {
    this.#isClosed = true
  }

  /** As {@link Channel.publish}. */
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
      call.resolve = (results) => {
        timer.cancel()
        signal?.removeEventListener('abort', abort)
        resolve(results)
      }
      if (signal?.aborted === true) abort()
      this.#flushSoon()
    })
  }

  #put(call: Call, slot: number, event: Event, refusal: SluiceError | undefined): void {
    const placed = refusal ?? this.#parts.place(event)
    if (placed instanceof Error) return give(call, slot, { stored: false, error: placed })
    if (this.#events >= UNDER_WAY_MAX.events || this.#bytes >= UNDER_WAY_MAX.bytes) {
      return give(call, slot, { stored: false, error: this.#slow() })
    }
    this.#events++
    this.#bytes += placed.bytes
    this.#lanes[placed.lane]!.waiting.push({ ...placed, call, slot })
  }

  #slow(): SluiceError {
    return channelUnavailable(
      `${this.#parts.server} is slow: ${this.#events} events wait for its answer. Nothing was stored.`,
      RETRY_AFTER_MS,
    )
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
    const going: { lane: Lane<Message>; batch: Waiting<Message>[] }[] = []
    for (const lane of this.#lanes) {
      const batch = lane.isBusy ? [] : this.#take(lane)
      if (batch.length > 0) going.push({ lane, batch })
    }
    if (going.length === 0) return
    if (this.#parts.together) this.#send(going)
    else for (const each of going) this.#send([each])
  }

  #send(going: readonly { lane: Lane<Message>; batch: Waiting<Message>[] }[]): void {
    for (const { lane } of going) lane.isBusy = true
    void this.#parts.send(going.map(({ batch }) => batch)).then(() => {
      for (const { lane } of going) lane.isBusy = false
      this.#flush()
    })
  }

  /** As many as go into one batch. What nobody waits for any more is not sent. */
  #take(lane: Lane<Message>): Waiting<Message>[] {
    const { batchMax } = this.#parts
    const batch: Waiting<Message>[] = []
    let bytes = 0
    for (let next = lane.waiting.peek(); next !== undefined; next = lane.waiting.peek()) {
      const isRoom = batch.length < batchMax.events && bytes + next.bytes <= batchMax.bytes
      if (batch.length > 0 && !(isRoom && next.group === batch[0]!.group)) break
      lane.waiting.shift()
      if (next.call.isOver) this.#leave(next)
      else {
        batch.push(next)
        bytes += next.bytes
      }
    }
    return batch
  }

  #leave({ bytes }: Waiting<Message>): void {
    this.#events--
    this.#bytes -= bytes
  }

  /** From `send`: what became of a message. */
  answer(waiting: Waiting<Message>, result: PublishResult): void {
    this.#leave(waiting)
    give(waiting.call, waiting.slot, result)
  }
}

function give(call: Call, slot: number, result: PublishResult): void {
  if (call.isOver) return
  call.results[slot] = result
  if (--call.open > 0) return
  call.isOver = true
  call.resolve(call.results)
}

/** What has no answer yet has this one. */
function end(call: Call, error: SluiceError): void {
  if (call.isOver) return
  for (let slot = 0, left = call.open; left > 0; slot++) {
    if (call.results[slot] !== undefined) continue
    left--
    give(call, slot, { stored: false, error })
  }
}

function closed(): SluiceError {
  return channelUnavailable('The channel is closed.', RETRY_AFTER_MS)
}
