// A channel whose every call the ledger sees, whoever makes it: the course of a log by itself, or a broker.

import type {
  Channel,
  ChannelState,
  Delivery,
  Lag,
  Loss,
  Position,
  PublishOptions,
  PublishResult,
  ReadRange,
  Start,
  StoredEvent,
  Subscription,
  SubscriptionSpec,
  Window,
} from '@sluice/channel'
import type { Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import type { Ledger } from './ledger.ts'
import { missingOf, type Owed, type Sent, type Subscriber } from './subscriber.ts'

/** Hears of what is handed over to the subscription `id`, before whoever takes it; returns who hears that it settles. */
export type Handed = (id: string, delivery: Delivery) => () => void

export class WatchedChannel implements Channel {
  readonly capabilities: Channel['capabilities']
  readonly ledger: Ledger
  readonly #handed: Handed
  readonly #channel: Channel
  /** The one that it belongs to: what comes of it later nobody looks at. */
  readonly #life: number
  /** The last move of each. */
  readonly #moves = new WeakMap<Subscriber, symbol>()

  constructor(channel: Channel, ledger: Ledger, handed: Handed = () => () => {}) {
    this.capabilities = channel.capabilities
    this.ledger = ledger
    this.#handed = handed
    this.#channel = channel
    this.#life = ledger.life
  }

  get isPast(): boolean {
    return this.#life !== this.ledger.life || this.ledger.world.isOver
  }

  say(what: string): void {
    if (!this.isPast) this.ledger.world.say(`  ${what}`)
  }

  // --- Events ---

  room(bytes: number): number {
    return this.#channel.room(bytes)
  }

  async publish(events: readonly Event[], options: PublishOptions): Promise<PublishResult[]> {
    if (this.isPast) return this.#channel.publish(events, options)
    const all = events.map((event) => this.ledger.send(event))
    const results = await this.#channel.publish(events, options)
    if (this.isPast) return results
    results.forEach((result, i) => {
      if (result.stored) this.ledger.stored(all[i]!, Number(result.position))
      else this.ledger.refused(all[i]!)
    })
    const refused = results.filter(({ stored }) => !stored).length
    this.say(`${all[0]!.id} and so on: ${all.length - refused} stored, ${refused} refused`)
    return results
  }

  async read(range: ReadRange): Promise<StoredEvent[]> {
    const found = await this.#channel.read(range)
    const { filter = ALL, limit = 100 } = range
    if (!this.isPast) this.ledger.browsed(found, filter, limit)
    return found
  }

  // --- Subscriptions ---

  async subscribe(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription> {
    const { ledger } = this
    const { id, start = 'latest' } = spec
    if (this.isPast) return this.#channel.subscribe(spec, deliver)
    const known = ledger.subscribers.get(id)
    const subscriber = known ?? ledger.subscribing(spec)
    if (known !== undefined) ledger.takingUp(known, spec)
    // Until it is known where it stands, anything that matches may come, and nothing has to.
    const moving = known === undefined && start !== 'latest' ? this.move(subscriber, start) : undefined
    try {
      const subscription = await this.#channel.subscribe(spec, (delivery) => {
        if (this.isPast) return deliver(delivery)
        this.say(`${id} ◀ ${delivery.event.id} (${delivery.position}), attempt ${delivery.attempt}`)
        ledger.deliver(subscriber, delivery)
        deliver(new WatchedDelivery(this, subscriber, delivery, this.#handed(id, delivery)))
      })
      if (this.isPast) return subscription
      if (known === undefined) Object.assign(subscriber, { state: 'open', isCertain: true })
      moving?.done()
      subscription.onLoss((loss) => this.#isTold(subscriber, loss))
      return new WatchedSubscription(this, subscriber, subscription)
    } catch (error) {
      if (this.isPast) throw error
      if (known !== undefined) subscriber.state = 'closed'
      else {
        ledger.subscribers.delete(id)
        ledger.ghosts.add(id)
      }
      throw error
    }
  }

  #isTold({ id }: Subscriber, { events, range, cause }: Loss): void {
    if (this.isPast) return
    this.say(`${id} lost ${events}: ${range?.join(' to ')}`)
    this.ledger.losses.told(`${id} by ${cause}`, Number(range![0]), Number(range![1]))
  }

  /** It is on its way to a start. */
  move(subscriber: Subscriber, start: Start): { done: () => void; failed: () => void } {
    const { ledger } = this
    const before = new Set(ledger.sent.keys())
    const since = ledger.world.clock.monotonic()
    const { filter } = subscriber
    subscriber.seeking++
    subscriber.isSeekCertain = false
    ledger.moveAnywhere(subscriber)
    const move = Symbol(JSON.stringify(start))
    this.#moves.set(subscriber, move)
    return {
      done: () => {
        ledger.hasMoved(subscriber, since)
        if (--subscriber.seeking > 0) return
        subscriber.isSeekCertain = true
        const read = this.#channel.read({ limit: 1 }).then(([first]) => {
          if (this.isPast || this.#moves.get(subscriber) !== move || subscriber.filter !== filter) return
          if (subscriber.state === 'leaving' || ledger.subscribers.get(subscriber.id) !== subscriber) return
          const oldest = first === undefined ? Infinity : Number(first.position)
          ledger.moved(subscriber, before, (sent) => isAtOrAfter(sent, start) && sent.position! >= oldest)
        })
        read.catch(() => {}) // it is closed meanwhile
      },
      failed: () => {
        ledger.hasMoved(subscriber, since)
        subscriber.seeking--
      },
    }
  }

  async remove(id: string): Promise<{ discarded: number }> {
    const { ledger } = this
    const subscriber = ledger.subscribers.get(id)
    if (subscriber === undefined || this.isPast) return this.#channel.remove(id)
    Object.assign(subscriber, { state: 'leaving', isCertain: false })
    try {
      const removed = await this.#channel.remove(id)
      if (!this.isPast && ledger.subscribers.get(id) === subscriber) ledger.subscribers.delete(id)
      return removed
    } catch (error) {
      if (this.isPast) throw error
      subscriber.state = 'closed'
      // Where the process ends, it may be removed all the same. It was closed at once, and what was out then may have
      // ended as if it were gone.
      for (const owed of subscriber.owed.values()) owed.must = false
      throw error
    }
  }

  place(id: string): Position | undefined {
    const place = this.#channel.place?.(id)
    const subscriber = this.ledger.subscribers.get(id)
    if (place === undefined || subscriber === undefined || this.isPast || subscriber.seeking > 0) return place
    for (const sent of missingOf(subscriber)) {
      if (sent.position! <= Number(place))
        this.ledger.wrong(`${id} stands at ${place}, and lacks ${sent.id} (${sent.position})`)
    }
    return place
  }

  subscriptions(): Iterable<string> {
    return this.#channel.subscriptions()
  }

  // --- State, and the end ---

  onState(listener: (state: ChannelState) => void): () => void {
    return this.#channel.onState(listener)
  }

  usage(): ReturnType<Channel['usage']> {
    return this.#channel.usage()
  }

  close(options: { deadlineMs: number }): Promise<void> {
    return this.#channel.close(options)
  }
}

class WatchedDelivery implements Delivery {
  readonly event: Event
  readonly position: Position
  readonly attempt: number
  readonly #channel: WatchedChannel
  readonly #subscriber: Subscriber
  readonly #owed: Owed | undefined
  readonly #delivery: Delivery
  readonly #settles: () => void

  constructor(channel: WatchedChannel, subscriber: Subscriber, delivery: Delivery, settles: () => void) {
    this.event = delivery.event
    this.position = delivery.position
    this.attempt = delivery.attempt
    this.#channel = channel
    this.#subscriber = subscriber
    this.#owed = subscriber.out.findLast((each) => each.delivery === delivery)?.owed
    this.#delivery = delivery
    this.#settles = settles
  }

  settle(): void {
    const channel = this.#channel
    if (this.#owed !== undefined && !channel.isPast) {
      channel.say(`${this.#subscriber.id} settles ${this.event.id}`)
      this.#settles()
      channel.ledger.settle(this.#subscriber, this.#owed)
    }
    this.#delivery.settle()
  }

  release(delayMs: number, attempt: 'used' | 'unused' = 'used'): void {
    const channel = this.#channel
    if (this.#owed !== undefined && !channel.isPast) {
      channel.say(`${this.#subscriber.id} releases ${this.event.id} for ${delayMs.toFixed(1)}, ${attempt}`)
      const tries = attempt === 'used' ? this.attempt : this.attempt - 1
      channel.ledger.release(this.#subscriber, this.#owed, delayMs, tries)
    }
    this.#delivery.release(delayMs, attempt)
  }
}

class WatchedSubscription implements Subscription {
  readonly id: string
  readonly #channel: WatchedChannel
  readonly #subscriber: Subscriber
  readonly #subscription: Subscription

  constructor(channel: WatchedChannel, subscriber: Subscriber, subscription: Subscription) {
    this.id = subscription.id
    this.#channel = channel
    this.#subscriber = subscriber
    this.#subscription = subscription
  }

  update(change: { filter?: Filter; window?: Window; order?: 'none' | 'key' }): Promise<void> {
    const { ledger } = this.#channel
    const { filter, window, order } = change
    if (!this.#channel.isPast) {
      if (order !== undefined) ledger.setOrder(this.#subscriber, order)
      if (filter !== undefined) ledger.setFilter(this.#subscriber, filter)
      if (window !== undefined) ledger.setWindow(this.#subscriber, window.events)
    }
    return this.#subscription.update(change)
  }

  pause(): void {
    this.#subscription.pause()
    this.#subscriber.paused = true
  }

  resume(): void {
    this.#subscriber.paused = false
    this.#subscription.resume()
  }

  hurry(): void {
    this.#channel.ledger.hurry(this.#subscriber)
    this.#subscription.hurry!()
  }

  async seek(start: Start): Promise<void> {
    const channel = this.#channel
    if (channel.isPast) return this.#subscription.seek(start)
    const moving = channel.move(this.#subscriber, start)
    try {
      await this.#subscription.seek(start)
      channel.say(`${this.id} is at ${JSON.stringify(start)}`)
      if (!channel.isPast) moving.done()
    } catch (error) {
      if (!channel.isPast) moving.failed()
      throw error
    }
  }

  lag(): Lag {
    return this.#subscription.lag()
  }

  onLoss(listener: (loss: Loss) => void): () => void {
    return this.#subscription.onLoss(listener)
  }

  async close(): Promise<void> {
    if (!this.#channel.isPast && this.#subscriber.state === 'open') this.#subscriber.state = 'closed'
    await this.#subscription.close()
  }
}

function isAtOrAfter(sent: Sent, start: Start): boolean {
  if (start === 'earliest') return true
  if (start === 'latest') return false
  return 'after' in start ? sent.position! > Number(start.after) : sent.time >= start.time
}

const ALL: Filter = { ast: { kind: 'all', of: [] }, needsData: false, matches: () => true }
