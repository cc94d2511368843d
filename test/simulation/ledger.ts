// The ledger of a simulated channel: what was sent, what was told to be stored, what each subscription is owed, and what it
// got, over all lives of the process. It knows nothing of how a channel works, only what the contract promises. ./watched.ts
// tells it of every call.

import { orderingKey, WINDOW_DEFAULT, type Delivery, type StoredEvent, type SubscriptionSpec } from '@sluice/channel'
import type { Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import { Losses } from './losses.ts'
import { Saves } from './saves.ts'
import { newSubscriber, type Owed, type Sent, type Subscriber } from './subscriber.ts'
import type { World } from './world.ts'

/** A disk that fails for a while is read again by then. */
const READ_AGAIN_MS = 5000

export class Ledger {
  readonly sent: Map<string, Sent> = new Map()
  readonly subscribers: Map<string, Subscriber> = new Map()
  /** Subscriptions that were refused: where the process ends, one may be there all the same. */
  readonly ghosts: Set<string> = new Set()
  readonly losses: Losses
  /** What is wrong, the first of it. */
  problem = ''
  life = 0
  deliveries = 0
  /** Of these, of events that were not refused. */
  promised = 0
  readonly world: World
  readonly #saves: Saves
  /** Which event was seen at which position. */
  readonly #positions = new Map<number, Sent>()

  /** @param syncMs what was stored may be gone after a power loss for so long; `undefined`: never */
  constructor(world: World, syncMs?: number) {
    this.world = world
    this.#saves = new Saves(world)
    this.losses = new Losses(this, syncMs)
  }

  get #now(): number {
    return this.world.clock.monotonic()
  }

  wrong(what: string): void {
    if (this.problem === '') this.world.say(`!! ${what}`)
    this.problem ||= what
  }

  // --- Publishing ---

  send(event: Event): Sent {
    const known = this.sent.get(event.id)
    if (known !== undefined && (known.status !== 'refused' || known.life !== this.life)) return this.#sendAgain(known)
    const sent: Sent = {
      id: event.id,
      event,
      key: orderingKey(event),
      time: this.world.clock.now(),
      status: 'open',
      life: this.life,
      position: undefined,
      isManifold: false,
      mayBeLost: false,
    }
    this.sent.set(sent.id, sent)
    for (const subscriber of this.subscribers.values()) {
      const { state, filter, isCertain, seeking } = subscriber
      const matches = filter.matches(event)
      const judged = state === 'absent' || seeking > 0 ? 'only' : state === 'opening' ? 'also' : 'no'
      if (!matches && judged === 'no') continue
      const must = matches && state !== 'opening' && state !== 'leaving' && isCertain && seeking === 0
      this.owe(subscriber, sent, { must, may: matches, judged })
    }
    return sent
  }

  #sendAgain(sent: Sent): Sent {
    sent.isManifold = true
    for (const subscriber of this.subscribers.values()) {
      const owed = subscriber.owed.get(sent.id)
      if (owed !== undefined) Object.assign(owed, { must: false, may: true })
      else this.owe(subscriber, sent, { must: false, may: true, judged: 'also' })
    }
    return sent
  }

  owe(subscriber: Subscriber, sent: Sent, { must, may, judged }: Pick<Owed, 'must' | 'may' | 'judged'>): void {
    const known = subscriber.owed.get(sent.id)
    const state = 'waiting'
    // Sought again it is as new, unless the seek is forgotten.
    const most = Math.max(0, ...(known?.tries ?? []).map(({ made }) => made))
    const tries = [
      { made: most, at: -Infinity },
      { made: 0, at: this.#now },
    ]
    subscriber.exemptSettled.delete(sent.id)
    const at = this.#now
    subscriber.owed.set(sent.id, { sent, must, may, state, tries, at, due: undefined, judged, isDoubtful: false })
  }

  stored(sent: Sent, position: number): void {
    sent.status = 'stored'
    this.#at(sent, position)
    this.losses.stored(sent)
  }

  refused(sent: Sent): void {
    if (sent.isManifold) return
    sent.status = 'refused'
    for (const { owed } of this.subscribers.values()) {
      const each = owed.get(sent.id)
      if (each !== undefined) each.must = false
    }
  }

  #at(sent: Sent, position: number): void {
    if (sent.isManifold) return
    if (sent.position !== undefined && sent.position !== position) {
      this.wrong(`${sent.id} was at ${sent.position}, and is at ${position} now`)
    }
    sent.position = position
    const before = this.#positions.get(position)
    if (before !== undefined && before !== sent && before.status === 'stored' && !before.mayBeLost) {
      this.wrong(`position ${position} was that of ${before.id}, and is that of ${sent.id} now`)
    }
    this.#positions.set(position, sent)
  }

  at(position: number): Sent | undefined {
    return this.#positions.get(position)
  }

  // --- Deliveries ---

  deliver(subscriber: Subscriber, delivery: Delivery): void {
    this.deliveries++
    const { id } = delivery.event
    const where = `${subscriber.id} was handed ${id} (${delivery.position}, attempt ${delivery.attempt})`
    const sent = this.sent.get(id)
    if (sent === undefined) return this.wrong(`${where}, which nobody sent`)
    this.#checkEvent(sent, delivery, where)
    if (sent.status !== 'refused') this.promised++
    if (sent.status === 'refused' && sent.life === this.life) this.wrong(`${where}, which was refused`)
    const owed = subscriber.owed.get(id)
    if (owed === undefined || !owed.may) return this.wrong(`${where}, which is not for it: ${inWords(owed, sent)}`)
    if (subscriber.state !== 'open' && subscriber.state !== 'opening') {
      this.wrong(`${where} while it is ${subscriber.state}`)
    }
    if (subscriber.paused) this.wrong(`${where} while it is paused`)
    if (subscriber.seeking === 0 && !sent.isManifold) this.#checkState(owed, delivery.attempt, where)
    if (subscriber.out.length >= subscriber.window && !this.#mayBeNarrowed(subscriber)) {
      this.wrong(`${where} beyond its window of ${subscriber.window}`)
    }
    if (subscriber.order === 'key' && !sent.isManifold) this.#checkOrder(subscriber, owed, where)
    const made = delivery.attempt - 1
    if (owed.tries.at(-1)!.made !== made) owed.tries.push({ made, at: this.#now })
    if (subscriber.seeking > 0) subscriber.exempt.add(id) // it may be out when the seek takes effect
    owed.state = 'out'
    owed.isDoubtful = false
    subscriber.out.push({ delivery, owed })
  }

  /** What was being read when the window became smaller still comes: later, where the disk fails. */
  #mayBeNarrowed({ narrowedAt }: Subscriber): boolean {
    const { savedAfterMs, trouble } = this.world
    return this.#now < narrowedAt + savedAfterMs + (trouble.until > narrowedAt ? READ_AGAIN_MS : 0)
  }

  #checkEvent(sent: Sent, { event, position }: Delivery, where: string): void {
    const { data, type } = sent.event
    if (event.type !== type || (data ? !event.data?.equals(data) : event.data !== undefined)) {
      this.wrong(`${where}, and something else was sent`)
    }
    if (orderingKey(event) !== sent.key) this.wrong(`${where} with another key`)
    this.#at(sent, Number(position))
  }

  #checkState({ state, at, due, tries, isDoubtful }: Owed, attempt: number, where: string): void {
    const now = this.#now
    if (state === 'out') this.wrong(`${where} while it is out`)
    if (state === 'settled') this.wrong(`${where} after it was settled ${now - at} ms ago`)
    if (state === 'parked' && due !== undefined && now < due - 0.001) {
      this.wrong(`${where} ${due - now} ms before it is due`)
    }
    if (isDoubtful) return
    const most = Math.max(...tries.map(({ made }) => made)) + 1
    const least = this.#saves.least(tries) + 1
    if (attempt > most || attempt < least) this.wrong(`${where}, where its attempt is ${least} to ${most}`)
  }

  #checkOrder(subscriber: Subscriber, { sent }: Owed, where: string): void {
    for (const id of subscriber.exempt) {
      const owed = subscriber.owed.get(id)
      if (owed !== undefined && owed.state !== 'settled' && owed.may) continue
      subscriber.exempt.delete(id)
      subscriber.exemptSettled.add(id)
    }
    if (subscriber.exempt.size > 0) return
    for (const other of subscriber.owed.values()) {
      if (other.sent.key !== sent.key || other.state === 'settled' || !other.must || other.sent === sent) continue
      if (other.sent.status !== 'stored' || other.sent.position! > sent.position!) continue
      this.wrong(`${where} before ${other.sent.id} (${other.sent.position}), which has the same key`)
    }
  }

  settle(subscriber: Subscriber, owed: Owed): void {
    this.#leaves(subscriber, owed)
    owed.state = 'settled'
    owed.at = this.#now
  }

  release(subscriber: Subscriber, owed: Owed, delayMs: number, tries: number): void {
    this.#leaves(subscriber, owed)
    const now = this.#now
    Object.assign(owed, { state: 'parked', at: now, due: now + delayMs })
    owed.tries.push({ made: tries, at: now })
  }

  #leaves(subscriber: Subscriber, owed: Owed): void {
    const index = subscriber.out.findIndex((each) => each.owed === owed)
    if (index >= 0) subscriber.out.splice(index, 1)
  }

  /** Whatever is parked may come at once. */
  hurry({ owed }: Subscriber): void {
    for (const each of owed.values()) if (each.state === 'parked') each.due = undefined
  }

  /** What a read has found. */
  browsed(found: readonly StoredEvent[], filter: Filter, limit: number): void {
    if (found.length > limit) this.wrong(`a read has found ${found.length}, and was asked for ${limit}`)
    let last = 0
    for (const { position, time, event } of found) {
      const sent = this.sent.get(event.id)
      if (sent === undefined) return this.wrong(`a read has found ${event.id}, which nobody sent`)
      if (!filter.matches(event)) this.wrong(`a read has found ${event.id}, which does not match`)
      if (Number(position) <= last) this.wrong(`a read has found ${event.id} out of order`)
      if (time !== sent.time) this.wrong(`a read has found ${event.id} of ${time}, and it was sent at ${sent.time}`)
      last = Number(position)
      this.#at(sent, last)
    }
  }

  // --- Subscriptions: opened, changed, sought ---

  subscribing(spec: SubscriptionSpec): Subscriber {
    const subscriber = newSubscriber(spec, this.#now)
    this.subscribers.set(spec.id, subscriber)
    return subscriber
  }

  /** It goes on where it stood: in this life, or the one before. */
  takingUp(
    subscriber: Subscriber,
    { filter, order = 'none', window = WINDOW_DEFAULT, paused }: SubscriptionSpec,
  ): void {
    this.setOrder(subscriber, order)
    this.setFilter(subscriber, filter)
    this.setWindow(subscriber, window.events)
    subscriber.paused = paused ?? false
    subscriber.state = 'open'
    subscriber.openedAt = this.#now
  }

  setOrder(subscriber: Subscriber, order: 'none' | 'key'): void {
    if (order !== subscriber.order || subscriber.exempt.size > 0) {
      for (const owed of subscriber.owed.values()) if (owed.state !== 'settled') subscriber.exempt.add(owed.sent.id)
    }
    subscriber.order = order
  }

  setWindow(subscriber: Subscriber, window: number): void {
    if (window < subscriber.window) subscriber.narrowedAt = this.#now
    subscriber.window = window
  }

  /** Another filter: what it judges when it reads is judged by the new one, unless it has been read. */
  setFilter(subscriber: Subscriber, filter: Filter): void {
    subscriber.filter = filter
    for (const owed of subscriber.owed.values()) {
      if (owed.judged === 'no' || owed.state !== 'waiting') continue
      const matches = filter.matches(owed.sent.event)
      owed.may ||= matches
      if (owed.judged === 'only') owed.must &&= matches
    }
  }

  /** It may stand anywhere from now on: whatever was for it, or is by its filter of now, may come. */
  moveAnywhere(subscriber: Subscriber): void {
    for (const sent of this.sent.values()) {
      const owed = subscriber.owed.get(sent.id)
      if (owed?.state === 'out') continue
      const may = owed?.may === true || subscriber.filter.matches(sent.event)
      this.owe(subscriber, sent, { must: false, may, judged: 'only' })
    }
    for (const { owed } of subscriber.out) subscriber.exempt.add(owed.sent.id)
  }

  /** It has been moved, at some time since then. */
  hasMoved(subscriber: Subscriber, since: number): void {
    for (const owed of subscriber.owed.values()) {
      if ((owed.state !== 'settled' && owed.state !== 'parked') || owed.at < since) continue
      Object.assign(owed, { state: 'waiting', must: false, may: true, due: undefined, isDoubtful: true })
    }
  }

  /** It stands at its start now. Of what was sent before it was asked to, `isAfter` lies behind that, and is stored. */
  moved(subscriber: Subscriber, before: ReadonlySet<string>, isAfter: (sent: Sent) => boolean): void {
    for (const owed of subscriber.owed.values()) {
      const { sent, state, isDoubtful } = owed
      if (isDoubtful || sent.isManifold) continue
      if (state !== 'waiting' || sent.status !== 'stored' || !before.has(sent.id)) continue
      const matches = subscriber.filter.matches(sent.event)
      owed.may = matches
      owed.must = matches && !sent.mayBeLost && isAfter(sent)
    }
  }

  // --- Lives ---

  /** A process is there again. `known`: the subscriptions that its channel has. */
  begin(known: ReadonlySet<string>): void {
    for (const subscriber of this.subscribers.values()) {
      const { id, isCertain } = subscriber
      if (known.has(id)) subscriber.isCertain = true
      else if (isCertain) this.wrong(`${id} is forgotten`)
      else this.subscribers.delete(id)
    }
    for (const id of known) {
      if (!this.subscribers.has(id) && !this.ghosts.has(id)) this.wrong(`${id} was removed, and is there again`)
    }
  }

  /** The process ended. `savedUntil`: what happened up to then was saved, for it closed its channel. */
  end(savedUntil: number, power: boolean): void {
    this.#saves.end()
    for (const sent of this.sent.values()) if (sent.status === 'open') sent.status = 'unknown'
    this.losses.end(savedUntil, power)
    for (const subscriber of this.subscribers.values()) {
      if (subscriber.openedAt > savedUntil && this.#saves.mayForget(subscriber.openedAt))
        this.#mayHaveMissed(subscriber)
      for (const owed of subscriber.owed.values()) this.#forget(subscriber, owed, savedUntil)
      if (subscriber.state === 'opening' || subscriber.state === 'leaving') subscriber.isCertain = false
      Object.assign(subscriber, { state: 'absent', out: [], seeking: 0, isSeekCertain: true })
    }
    this.life++
  }

  /** Where nobody knows any more that it was open, it judges what was stored in this life once more. */
  #mayHaveMissed(subscriber: Subscriber): void {
    for (const sent of this.sent.values()) {
      if (sent.life !== this.life) continue
      const owed = subscriber.owed.get(sent.id)
      const may = subscriber.filter.matches(sent.event)
      if (owed === undefined) this.owe(subscriber, sent, { must: false, may, judged: 'also' })
      else if (owed.judged === 'no') owed.judged = 'also'
    }
  }

  #forget(subscriber: Subscriber, owed: Owed, savedUntil: number): void {
    const { sent } = owed
    if (sent.status !== 'stored' || sent.mayBeLost) owed.must = false
    const isUnsaved = owed.at > savedUntil && this.#saves.mayForget(owed.at)
    if (owed.state === 'settled') {
      if (!isUnsaved && !sent.isManifold) return
      Object.assign(owed, { state: 'waiting', must: false })
      if (subscriber.exemptSettled.delete(sent.id)) subscriber.exempt.add(sent.id)
      return
    }
    if (owed.state === 'out') owed.state = 'waiting'
    if (owed.state === 'parked' && isUnsaved) Object.assign(owed, { state: 'waiting', due: undefined })
    if (owed.judged === 'only') {
      // Where nobody knows any more that it was read, it is judged again.
      owed.must &&= subscriber.filter.matches(sent.event)
    }
    // Whether it moved or not: only what has to come by both has to.
    if (!subscriber.isSeekCertain) Object.assign(owed, { must: false, state: 'waiting', due: undefined })
  }
}

function inWords(owed: Owed | undefined, { id, status, event }: Sent): string {
  return `${id} of type ${event.type} is ${status}${owed === undefined ? '' : `, ${owed.state}, judged ${owed.judged}`}`
}
