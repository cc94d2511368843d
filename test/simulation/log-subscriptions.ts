// The subscriptions of a simulated log: opened, changed, sought, closed, removed and opened again; and what they do with what
// they are handed.

import type { Delivery, Start, Subscription } from '@sluice/channel'
import { accepting, TYPES } from './filters.ts'
import type { Ledger } from './ledger.ts'
import { lagInWords, lagOf, missingOf, type Subscriber } from './subscriber.ts'
import type { WatchedChannel } from './watched.ts'
import type { World } from './world.ts'

const SUBSCRIBERS = 3

export class LogSubscriptions {
  /** All is settled from here on. */
  isEnding = false
  readonly #world: World
  readonly #ledger: Ledger
  readonly #handles = new Map<string, Subscription>()
  /** What each was handed and has not settled. */
  readonly #out = new Map<string, Delivery[]>()
  /** How often they settle what they get at once. */
  readonly #atOnce: number

  constructor(world: World, ledger: Ledger) {
    this.#world = world
    this.#ledger = ledger
    this.#atOnce = world.chance.pick([0, 0, 0.5, 0.9])
  }

  /** A process has begun: it takes up most of them, and removes what was refused and is there all the same. */
  begin(channel: WatchedChannel): void {
    const { subscribers } = this.#ledger
    for (const id of [...channel.subscriptions()]) {
      if (!subscribers.has(id)) void channel.remove(id).catch(() => {})
    }
    for (const subscriber of subscribers.values()) {
      if (this.#world.chance() < 0.8) this.#subscribe(channel, subscriber.id, subscriber)
    }
  }

  /** The process has ended. */
  end(): void {
    this.#handles.clear()
    this.#out.clear()
  }

  // --- Receiving ---

  #deliver(id: string, delivery: Delivery): void {
    if (this.#ledger.problem !== '') return
    const out = this.#out.get(id)!
    out.push(delivery)
    if (this.#world.chance() < this.#atOnce) this.#end(out, out.length - 1)
  }

  #end(out: Delivery[], index: number): void {
    const { chance } = this.#world
    const [delivery] = out.splice(index, 1) as [Delivery]
    if (this.isEnding || chance() < 0.75) return delivery.settle()
    const attempt = chance() < 0.7 ? 'used' : 'unused'
    delivery.release(chance.pick([0, 20, 200, 2000]), attempt)
  }

  /** They settle some of what they have, and release some. */
  work(): void {
    const { chance } = this.#world
    for (const out of this.#out.values()) {
      let count = chance.pick([0, 1, 2, 5, 100])
      for (; count > 0 && out.length > 0; count--) this.#end(out, chance.below(out.length))
    }
  }

  // --- Subscriptions ---

  /** One of them is opened that is not. */
  subscribe(channel: WatchedChannel): void {
    const { chance } = this.#world
    const id = `s${chance.below(SUBSCRIBERS)}`
    const known = this.#ledger.subscribers.get(id)
    if (known !== undefined) {
      if (known.state === 'absent' || known.state === 'closed') this.#subscribe(channel, id, known)
    } else if ([...channel.subscriptions()].includes(id)) {
      void channel.remove(id).catch(() => {}) // it was refused, and is there all the same
    } else this.#subscribe(channel, id)
  }

  /** `known`: it is there, and goes on. */
  #subscribe(channel: WatchedChannel, id: string, known?: Subscriber): void {
    const { chance, say } = { chance: this.#world.chance, say: (what: string): void => this.#world.say(what) }
    const keepsFilter = known !== undefined && chance() < 0.8
    const keepsOrder = known !== undefined && chance() < 0.8
    const filter = keepsFilter ? known.filter : accepting(this.types())
    const order = keepsOrder ? known.order : chance.pick(['none', 'key'] as const)
    const window = windowOf(chance.pick([1, 2, 5, 30]))
    const start = known === undefined ? this.start(true) : 'latest'
    const paused = chance() < 0.1
    const { life } = this.#ledger
    say(`${known ? 'take up' : 'subscribe'} ${id} from ${JSON.stringify(start)}, ${order}, window ${window.events}`)
    this.#out.set(id, this.#out.get(id) ?? [])
    channel
      .subscribe({ id, filter, start, order, window, paused }, (delivery) => this.#deliver(id, delivery))
      .then(
        (subscription) => {
          if (life !== this.#ledger.life) return
          say(`  ${id} is subscribed`)
          this.#handles.set(id, subscription)
        },
        (error: Error) => {
          if (life !== this.#ledger.life) return
          say(`  ${id} is refused: ${error.message}`)
          if (known !== undefined) this.#ledger.wrong(`${id} can't be taken up: ${error.message}`)
        },
      )
  }

  types(): string {
    const bits = 1 + this.#world.chance.below(7)
    return TYPES.filter((_, i) => (bits & (1 << i)) !== 0).join('')
  }

  start(isNew: boolean): Start {
    const { chance } = this.#world
    const stored = [...this.#ledger.sent.values()].filter(({ status }) => status === 'stored')
    const some = stored[chance.below(stored.length)]
    const dice = chance()
    if (dice < (isNew ? 0.6 : 0.15) || some === undefined) return 'latest'
    if (dice < 0.8) return 'earliest'
    return dice < 0.9 ? { after: String(some.position) } : { time: some.time }
  }

  /** One that is open is changed. */
  change(): void {
    const { chance, say } = { chance: this.#world.chance, say: (what: string): void => this.#world.say(what) }
    const subscriber = this.#subscriber('open')
    const subscription = subscriber && this.#handles.get(subscriber.id)
    if (subscriber === undefined || subscription === undefined) return
    const { id } = subscriber
    const dice = chance()
    if (dice < 0.2) {
      say(`${subscriber.paused ? 'resume' : 'pause'} ${id}`)
      if (subscriber.paused) subscription.resume()
      else subscription.pause()
    } else if (dice < 0.3) {
      say(`close ${id}`)
      void subscription.close()
    } else if (dice < 0.55) {
      const types = this.types()
      say(`types ${types} for ${id}`)
      void subscription.update({ filter: accepting(types) })
    } else if (dice < 0.65) {
      const window = windowOf(chance.pick([1, 2, 5, 30]))
      say(`window ${window.events} for ${id}`)
      void subscription.update({ window })
    } else if (dice < 0.72) {
      const order = subscriber.order === 'key' ? 'none' : 'key'
      say(`order ${order} for ${id}`)
      void subscription.update({ order })
    } else if (dice < 0.77) {
      say(`hurry ${id}`)
      subscription.hurry!()
    } else {
      const start = this.start(false)
      say(`seek ${id} to ${JSON.stringify(start)}`)
      subscription.seek(start).catch((error: Error) => say(`  ${id} did not seek: ${error.message}`))
    }
  }

  remove(channel: WatchedChannel): void {
    const subscriber = this.#subscriber('open') ?? this.#subscriber('closed')
    if (subscriber === undefined) return
    const { id } = subscriber
    this.#world.say(`remove ${id}`)
    channel.remove(id).then(
      () => channel.say(`${id} is removed`),
      (error: Error) => channel.say(`${id} is not removed: ${error.message}`),
    )
  }

  #subscriber(state: Subscriber['state']): Subscriber | undefined {
    const found = [...this.#ledger.subscribers.values()].filter((subscriber) => subscriber.state === state)
    return found[this.#world.chance.below(found.length)]
  }

  // --- In the end ---

  /** In a quiet moment: whether what they say of their lag is true. */
  check(): void {
    const ledger = this.#ledger
    for (const subscriber of ledger.subscribers.values()) {
      const subscription = this.#handles.get(subscriber.id)
      if (subscriber.state !== 'open' || subscription === undefined || subscriber.seeking > 0) continue
      const { events, bound, inFlight } = subscription.lag()
      const { least, most } = lagOf(subscriber, ledger.life)
      const isWrong = events < least || (bound === 'exact' && events > most) || inFlight < subscriber.out.length
      if (!isWrong) continue
      const where = lagInWords(subscriber)
      ledger.wrong(`${subscriber.id} has a lag of ${events} (${bound}), and it is ${least} to ${most}: ${where}`)
    }
  }

  /** Opens, resumes and settles all. */
  settle(channel: WatchedChannel): void {
    for (const subscriber of this.#ledger.subscribers.values()) {
      const { id, state, paused } = subscriber
      if (state === 'absent' || state === 'closed') this.#subscribe(channel, id, subscriber)
      if (paused && state === 'open') this.#handles.get(id)?.resume()
    }
    for (const out of this.#out.values()) while (out.length > 0) this.#end(out, 0)
  }

  /** Whether all of them are open, and have nothing left. */
  get areDone(): boolean {
    return [...this.#ledger.subscribers.values()].every(
      ({ id, out, state }) => out.length === 0 && this.#handles.get(id)?.lag().events === 0 && state === 'open',
    )
  }

  /** Whether any has something that has to come. */
  get areOwed(): boolean {
    const { subscribers, life } = this.#ledger
    return [...subscribers.values()].some((subscriber) => lagOf(subscriber, life).least > 0)
  }

  /** Nothing may be left. */
  checkEnd(): void {
    for (const subscriber of this.#ledger.subscribers.values()) {
      const { id } = subscriber
      for (const { id: event, position } of missingOf(subscriber)) {
        this.#ledger.wrong(`${id} never got ${event} (${position}), which was stored`)
      }
      const lag = this.#handles.get(id)?.lag()
      if (lag === undefined || lag.events > 0) this.#ledger.wrong(`${id} has a lag of ${lag?.events} in the end`)
    }
  }
}

function windowOf(events: number): { events: number; bytes: number } {
  return { events, bytes: 1e9 }
}
