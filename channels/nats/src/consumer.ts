// A durable pull consumer at the server, and the pulling: one request at a time, for as much as there is room for.
//
// From: subscription.ts says how much it can take. Next: the server; each message goes back to subscription.ts.

import type { Start } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import { ApiError, type Connection, type Message } from './connection.ts'
import { NS_PER_MS } from './stream.ts'

export interface ConsumerInfo {
  readonly name: string
  readonly config: { readonly metadata?: Readonly<Record<string, string>> }
  readonly delivered: { readonly consumer_seq: number; readonly stream_seq: number }
  readonly ack_floor: { readonly consumer_seq: number; readonly stream_seq: number }
  readonly num_ack_pending: number
  readonly num_pending: number
}

/** In a consumer's metadata: the subscription that it keeps the progress of. */
export const SUBSCRIPTION = 'sluice.dev/subscription'
export const CONSUMER_NOT_FOUND = 10014

/** How long the server waits before it hands an event out again that nobody has said a word about. */
export const ACK_WAIT_MS = 30_000

export interface ConsumerSpec {
  readonly stream: string
  readonly name: string
  /** The subscription's id. */
  readonly id: string
  readonly ackWaitMs: number
  readonly maxAckPending: number
}

/** The consumer's info; made at `start` where there is none. */
export async function ensureConsumer(connection: Connection, spec: ConsumerSpec, start: Start): Promise<ConsumerInfo> {
  const found = await findConsumer(connection, spec.stream, spec.name)
  return found ?? createConsumer(connection, spec, start)
}

export async function createConsumer(connection: Connection, spec: ConsumerSpec, start: Start): Promise<ConsumerInfo> {
  const { stream, name, id, ackWaitMs, maxAckPending } = spec
  return connection.api<ConsumerInfo>(`CONSUMER.CREATE.${stream}.${name}`, {
    stream_name: stream,
    action: 'create',
    config: {
      name,
      durable_name: name,
      ack_policy: 'explicit',
      ack_wait: ackWaitMs * NS_PER_MS,
      max_deliver: -1,
      max_ack_pending: maxAckPending,
      replay_policy: 'instant',
      metadata: { [SUBSCRIPTION]: id },
      ...startPolicy(start),
    },
  })
}

function startPolicy(start: Start): Record<string, unknown> {
  if (start === 'latest') return { deliver_policy: 'new' }
  if (start === 'earliest') return { deliver_policy: 'all' }
  if ('time' in start) {
    return { deliver_policy: 'by_start_time', opt_start_time: new Date(start.time).toISOString() }
  }
  return { deliver_policy: 'by_start_sequence', opt_start_seq: Number(start.after) + 1 }
}

/** `undefined`: there is none of that name. */
export async function findConsumer(
  connection: Connection,
  stream: string,
  name: string,
): Promise<ConsumerInfo | undefined> {
  try {
    return await connection.api<ConsumerInfo>(`CONSUMER.INFO.${stream}.${name}`)
  } catch (error) {
    if (error instanceof ApiError && error.code === CONSUMER_NOT_FOUND) return undefined
    throw error
  }
}

/** Returns whether there was one. */
export async function deleteConsumer(connection: Connection, stream: string, name: string): Promise<boolean> {
  try {
    await connection.api(`CONSUMER.DELETE.${stream}.${name}`)
    return true
  } catch (error) {
    if (error instanceof ApiError && error.code === CONSUMER_NOT_FOUND) return false
    throw error
  }
}

/** All of a stream. */
export async function listConsumers(connection: Connection, stream: string): Promise<ConsumerInfo[]> {
  const all: ConsumerInfo[] = []
  for (;;) {
    const page = await connection.api<{ total: number; consumers?: ConsumerInfo[] }>(`CONSUMER.LIST.${stream}`, {
      offset: all.length,
    })
    const consumers = page.consumers ?? []
    all.push(...consumers)
    if (consumers.length === 0 || all.length >= page.total) return all
  }
}

/** What the server says of a message that it hands out, in its reply subject. */
export interface DeliveredAs {
  readonly streamSeq: number
  readonly consumerSeq: number
  /** 1 at the first time. */
  readonly deliveries: number
  /** Wall-clock ms at which it was stored. */
  readonly time: number
}

/** `$JS.ACK.[domain.account.]stream.consumer.deliveries.stream seq.consumer seq.time.pending[.token]` */
export function deliveredAs(reply: string): DeliveredAs {
  const tokens = reply.split('.')
  const at = tokens.length >= 11 ? 6 : 4
  return {
    deliveries: Number(tokens[at]),
    streamSeq: Number(tokens[at + 1]),
    consumerSeq: Number(tokens[at + 2]),
    time: Number(tokens[at + 3]!.slice(0, -6)),
  }
}

/** Of a pull: how long the server may keep it, and how often it says meanwhile that it does. */
const [EXPIRES_MS, HEARTBEAT_MS] = [30_000, 5000]
const RETRY_MS = 500

export interface PullerOptions {
  readonly connection: Connection
  readonly clock: Clock
  readonly stream: string
  readonly consumer: string
  /** How much may come now: events, and bytes of the largest pull. 0 events: none. */
  readonly room: () => { events: number; bytes: number }
  readonly receive: (message: Message) => void
  /** The server has no such consumer, or nobody answers for it. */
  readonly gone: () => void
}

export class Puller {
  readonly #options: PullerOptions
  readonly #inbox: string
  readonly #unlisten: () => void
  /** Messages of the pull that is under way which have still to come; 0 = there is none. */
  #expected = 0
  #silence: Timer | undefined
  #retry: Timer | undefined
  #closed = false

  constructor(options: PullerOptions) {
    this.#options = options
    this.#inbox = options.connection.newInbox()
    this.#unlisten = options.connection.listen(this.#inbox, (message) => this.#receive(message))
  }

  /** Pulls, if there is room and nothing under way. */
  pull(): void {
    if (this.#closed || this.#expected > 0 || this.#retry !== undefined) return
    const { connection, room, stream, consumer } = this.#options
    if (connection.trouble !== undefined) return
    const { events, bytes } = room()
    if (events <= 0) return
    this.#expected = events
    const ask = {
      batch: events,
      max_bytes: bytes,
      expires: EXPIRES_MS * NS_PER_MS,
      idle_heartbeat: HEARTBEAT_MS * NS_PER_MS,
    }
    connection.send(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(ask), this.#inbox)
    this.#heard()
  }

  /** The connection was cut: what was under way is gone. */
  reset(): void {
    this.#expected = 0
    this.#retry?.cancel()
    this.#retry = undefined
    this.pull()
  }

  close(): void {
    this.#closed = true
    this.#silence?.cancel()
    this.#retry?.cancel()
    this.#unlisten()
  }

  #receive(message: Message): void {
    if (this.#closed) return
    this.#heard()
    if (message.status === 0) {
      if (this.#expected > 0) this.#expected--
      this.#options.receive(message)
      return this.pull()
    }
    if (message.status === 100) return
    this.#expected = 0
    if (message.status === 503 || /consumer (deleted|is push)|not found/i.test(message.description)) {
      this.#closed = true
      return this.#options.gone()
    }
    // 404 and 408: nothing came. 409: full by bytes, a leader that changed, a server that stops.
    if (message.status === 409 && !/bytes|batch/i.test(message.description)) return this.#later()
    this.pull()
  }

  #later(): void {
    this.#retry ??= this.#options.clock.setTimer(RETRY_MS, () => {
      this.#retry = undefined
      this.pull()
    })
  }

  /** A pull that is answered by nothing at all, not even a heartbeat, got lost. */
  #heard(): void {
    this.#silence?.cancel()
    this.#silence = this.#options.clock.setTimer(HEARTBEAT_MS * 3, () => this.reset())
  }
}
