// Who is subscribed: those that are open here or were, and those that a process which is gone has left, until they are
// opened.

import {
  alreadySubscribed,
  channelUnavailable,
  unsupported,
  type Delivery,
  type Position,
  type Subscription,
  type SubscriptionSpec,
} from '@sluice/channel'
import { FilterIndex } from '@sluice/filter'
import type { LogChannel } from './log.ts'
import { within } from './ranges.ts'
import { RETRY_AFTER_MS } from './refusals.ts'
import { unopenedSaver, type SavedPending, type SavedState, type Saver } from './saved.ts'
import type { Saving } from './saving.ts'
import type { Ref } from './pending.ts'
import { LogSubscription } from './subscription.ts'

/** What an open has found of them. */
export interface FoundSubscribers {
  /** Those of processes that are gone. */
  readonly saved: readonly SavedState[]
  /** The next number that no subscription has had. */
  readonly nextNumber: number
  /** Progress was lost: whoever is not known begins at the earliest event. */
  readonly isRewound: boolean
}

export class Subscribers implements Iterable<LogSubscription> {
  /** Whom an event is for. */
  readonly filters: FilterIndex<LogSubscription> = new FilterIndex()
  nextNumber: number
  readonly #channel: LogChannel
  readonly #saving: Saving
  readonly #all = new Map<string, LogSubscription>()
  /** Of a process that is gone, until they are opened. */
  readonly #saved: Map<string, SavedState>
  readonly #isRewound: boolean
  /** Ids that are being subscribed for the first time. */
  readonly #opening = new Set<string>()

  constructor(channel: LogChannel, saving: Saving, { saved, nextNumber, isRewound }: FoundSubscribers) {
    this.#channel = channel
    this.#saving = saving
    this.#saved = new Map(saved.map((state) => [state.id, state]))
    this.nextNumber = nextNumber
    this.#isRewound = isRewound
  }

  [Symbol.iterator](): Iterator<LogSubscription> {
    return this.#all.values()
  }

  /** Those that nobody has opened yet. */
  get unopened(): number {
    return this.#saved.size
  }

  has(subscription: LogSubscription): boolean {
    return this.#all.get(subscription.id) === subscription
  }

  /** All of them, opened or not. */
  savers(): Saver[] {
    return [...this.#all.values(), ...Array.from(this.#saved.values(), unopenedSaver)]
  }

  /** The lowest sequence number that anybody still needs; Infinity: nobody needs any. */
  lowest(): number {
    let lowest = Infinity
    for (const subscription of this) lowest = Math.min(lowest, subscription.lowest())
    for (const saved of this.#saved.values()) lowest = Math.min(lowest, lowestOf(saved))
    return lowest
  }

  /** As {@link Channel.place} of the contract. */
  place(id: string): Position | undefined {
    const saved = this.#saved.get(id)
    const lowest = saved === undefined ? this.#all.get(id)?.lowest() : lowestOf(saved)
    return lowest === undefined ? undefined : String(Math.min(lowest, this.#channel.committedSeq + 1) - 1)
  }

  async subscribe(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription> {
    const known = this.#all.get(spec.id)
    if (known !== undefined) {
      if (known.open) throw alreadySubscribed(spec.id)
      this.filters.add(known, spec.filter)
      known.start(spec, deliver)
      return known
    }
    const saved = this.#saved.get(spec.id)
    return saved === undefined ? await this.#subscribeNew(spec, deliver) : this.#takeUp(saved, spec, deliver)
  }

  async #subscribeNew(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription> {
    const { id } = spec
    const { maxSubscriptions } = this.#channel.capabilities
    if (this.#all.size >= maxSubscriptions) {
      throw unsupported('maxSubscriptions', `This channel takes at most ${maxSubscriptions} subscriptions.`)
    }
    if (this.#opening.has(id)) throw alreadySubscribed(id)
    this.#opening.add(id)
    try {
      const start = this.#isRewound ? 'earliest' : (spec.start ?? 'latest')
      const position = start === 'latest' ? undefined : await this.#channel.reader.findStart(start)
      const subscription = new LogSubscription(this.#channel, spec, this.nextNumber++, deliver)
      if (position !== undefined) subscription.cursor.moveTo(position)
      this.#join(subscription)
      subscription.open = true
      await this.#storeStart(subscription)
      if (!this.#channel.isClosing) subscription.start(spec, deliver) // else the next process hands out
      return subscription
    } finally {
      this.#opening.delete(id)
    }
  }

  async #storeStart(subscription: LogSubscription): Promise<void> {
    try {
      await this.#channel.saved()
    } catch (error) {
      this.#leave(subscription)
      this.#saving.forget(subscription.number)
      throw channelUnavailable(`The subscription can't be stored: ${(error as Error).message}`, RETRY_AFTER_MS, error)
    }
  }

  #takeUp(saved: SavedState, spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Subscription {
    this.#saved.delete(spec.id)
    const subscription = new LogSubscription(this.#channel, spec, saved.number, deliver)
    const refs: Ref[] = []
    const gone: number[] = []
    for (const pending of [...saved.pending.values()].toSorted((one, other) => one.seq - other.seq)) {
      const ref = this.#refOf(pending)
      if (ref === undefined) gone.push(pending.seq)
      else refs.push(ref)
    }
    // From here on it is judged for as all others are.
    subscription.restore({ ...saved, missed: within(saved.missed, 0, this.#channel.nextSeq) }, refs, gone)
    this.#join(subscription)
    if (saved.isRewound) subscription.saveAll()
    subscription.start(spec, deliver)
    return subscription
  }

  #join(subscription: LogSubscription): void {
    this.#all.set(subscription.id, subscription)
    this.filters.add(subscription, subscription.filter)
    this.#channel.progressChanged(subscription)
  }

  #leave(subscription: LogSubscription): number {
    this.#all.delete(subscription.id)
    this.filters.remove(subscription)
    return subscription.discard()
  }

  judge(subscription: LogSubscription): void {
    this.filters.add(subscription, subscription.filter)
  }

  async remove(id: string): Promise<{ discarded: number }> {
    const number = this.#all.get(id)?.number ?? this.#saved.get(id)?.number
    if (number === undefined) return { discarded: 0 }
    void this.#all.get(id)?.close()
    let discarded = 0
    try {
      await this.#saving.remove(number, () => (discarded = this.#discard(id)))
    } catch (error) {
      this.#all.get(id)?.saveFailed()
      throw error
    }
    return { discarded }
  }

  #discard(id: string): number {
    const subscription = this.#all.get(id)
    if (subscription !== undefined) return this.#leave(subscription)
    const saved = this.#saved.get(id)
    this.#saved.delete(id)
    return saved === undefined ? 0 : saved.pending.size + saved.waiting
  }

  ids(): string[] {
    return [...this.#all.keys(), ...this.#saved.keys()]
  }

  /** `undefined`: its segment is gone. */
  #refOf(pending: SavedPending): Ref | undefined {
    const { reader } = this.#channel
    const segment = reader.segmentOf(pending.seq)
    if (segment === undefined || pending.seq < segment.first) return undefined
    const time = reader.timeFrom(pending.seq) ?? segment.created
    return { ...pending, segment, time, event: undefined, isSaved: true }
  }
}

/** The lowest sequence number that it still needs. */
function lowestOf({ position, pending }: SavedState): number {
  let lowest = position
  for (const seq of pending.keys()) lowest = Math.min(lowest, seq)
  return lowest
}
