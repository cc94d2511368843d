// How full the stream is, by this process's own count between two measurements, and making room in it: what every consumer
// has settled is history, and history gives way.
//
// From: channel.ts asks before it publishes. Next: the server's API.

import type { ChannelUsage } from '@sluice/channel'
import type { Connection } from './connection.ts'
import { listConsumers, type ConsumerInfo } from './consumer.ts'
import { streamInfo, type StreamState } from './stream.ts'

/** Room is made down to this share, not for one event alone. */
const FREED_TO = 0.6
/** After a try that found nothing to remove. */
const AGAIN_MS = 100

/** Sequences from `first` on, at most `limit`, that all of these consumers have settled, as far as that is sure. */
export type SettledBehind = (consumers: readonly ConsumerInfo[], first: number, limit: number) => number[]

export class Room {
  readonly #connection: Connection
  readonly #stream: string
  readonly #bytesMax: number
  #bytes: number
  #underWay = 0
  #events: number
  /** The last one that was measured. */
  #lastSeq: number
  #making: Promise<void> | undefined
  #notBefore = 0
  readonly #settledBehind: SettledBehind

  constructor(
    connection: Connection,
    stream: string,
    bytesMax: number,
    state: StreamState,
    settledBehind: SettledBehind,
  ) {
    this.#settledBehind = settledBehind
    this.#connection = connection
    this.#stream = stream
    this.#bytesMax = bytesMax
    this.#bytes = state.bytes
    this.#events = state.messages
    this.#lastSeq = state.last_seq
  }

  /** Bytes until `share` of the whole. */
  left(share: number): number {
    return this.#bytesMax * share - this.#bytes - this.#underWay
  }

  /** It goes to the server: until that has answered, it counts beside what was measured. */
  take(bytes: number): void {
    this.#underWay += bytes
  }

  /** It is not stored, or was already. */
  give(bytes: number): void {
    this.#underWay -= bytes
  }

  stored(seq: number, bytes: number): void {
    this.#underWay -= bytes
    if (seq <= this.#lastSeq) return // the measurement has it
    this.#bytes += bytes
    this.#events++
  }

  measured(state: StreamState): void {
    this.#bytes = state.bytes
    this.#events = state.messages
    this.#lastSeq = state.last_seq
  }

  usage(): ChannelUsage {
    return { bytes: this.#bytes + this.#underWay, bytesMax: this.#bytesMax, events: this.#events }
  }

  /** Removes the oldest events that everybody has settled, where there are any. Never rejects. */
  make(): Promise<void> {
    if (this.#bytesMax === Infinity || performance.now() < this.#notBefore) return Promise.resolve()
    this.#making ??= this.#make()
      .catch(() => {})
      .finally(() => (this.#making = undefined))
    return this.#making
  }

  async #make(): Promise<void> {
    // First the stream: what comes after it is settled by nobody yet.
    const { state } = await streamInfo(this.#connection, this.#stream)
    this.measured(state)
    const consumers = await listConsumers(this.#connection, this.#stream)
    const settled = Math.min(state.last_seq, ...consumers.map(settledUpTo))
    const surplus = state.bytes - this.#bytesMax * FREED_TO
    const wanted = Math.ceil(surplus / (state.bytes / Math.max(1, state.messages)))
    const last = Math.min(settled, state.first_seq + wanted - 1)
    if (surplus <= 0) return this.#later()
    if (last >= state.first_seq) await this.#connection.api(`STREAM.PURGE.${this.#stream}`, { seq: last + 1 })
    else if (!(await this.#removeBehind(consumers, state, wanted))) return this.#later()
    this.measured((await streamInfo(this.#connection, this.#stream)).state)
  }

  /**
   * The oldest event is not settled, and may wait for just this room to be: what is settled behind it goes one by one.
   * Returns whether anything went.
   */
  async #removeBehind(
    consumers: readonly ConsumerInfo[],
    { first_seq }: StreamState,
    wanted: number,
  ): Promise<boolean> {
    const seqs = this.#settledBehind(consumers, first_seq, Math.min(wanted, REMOVED_AT_ONCE_MAX))
    const removals = seqs.map((seq) =>
      this.#connection.api(`STREAM.MSG.DELETE.${this.#stream}`, { seq, no_erase: true }),
    )
    const ended = await Promise.allSettled(removals)
    return ended.some(({ status }) => status === 'fulfilled')
  }

  #later(): void {
    this.#notBefore = performance.now() + AGAIN_MS
  }
}

const REMOVED_AT_ONCE_MAX = 500

/** The last sequence of which it has nothing open, nor anything before it. */
function settledUpTo({ num_ack_pending, num_pending, ack_floor, delivered }: ConsumerInfo): number {
  if (num_ack_pending > 0) return ack_floor.stream_seq
  return num_pending > 0 ? delivered.stream_seq : Infinity
}
