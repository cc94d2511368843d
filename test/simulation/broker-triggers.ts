// The triggers of a simulated broker: declared, changed, sought, removed, and declared again, as a controller would do it.

import type { Broker, TriggerConfig } from '@sluice/broker'
import type { Position, Start } from '@sluice/channel'
import type { DeliveryPolicy, Target } from '@sluice/delivery'
import type { BrokerLedger, Trigger } from './broker-ledger.ts'
import { accepting, ALL_TYPES } from './filters.ts'
import type { World } from './world.ts'

/** Waits for the end of a call without holding up the course. */
export type During = (work: Promise<unknown>, what: string, done?: () => void, refused?: () => void) => void

export const NAMES = ['t0', 't1', 't2'] as const

export class BrokerTriggers {
  readonly #world: World
  readonly #ledger: BrokerLedger
  readonly #during: During
  /** Those that there should be. */
  readonly #declared = new Map<string, Trigger>()
  /** By the hosts of their addresses; those too that are gone. */
  readonly #byHost = new Map<string, Trigger>()
  /** Of these, those whose last change was refused: it is asked for again. */
  readonly #refused = new Set<Trigger>()
  /** Removals of what a process that is gone has left, while they are under way. */
  readonly #leaving = new Map<string, Promise<void>>()
  /** Where those stood that were removed. */
  readonly #places = new Map<string, Position>()
  #numbers = 0

  constructor(world: World, ledger: BrokerLedger, during: During) {
    this.#world = world
    this.#ledger = ledger
    this.#during = during
    for (const [i, types] of ['a', 'b', ALL_TYPES].entries()) this.#declare(NAMES[i]!, types, 'latest')
  }

  /** The one whose addresses are at that host. */
  at(host: string): Trigger {
    return this.#byHost.get(host)!
  }

  get size(): number {
    return this.#declared.size
  }

  /** A process has begun: it sets most of them. */
  begin(broker: Broker): void {
    this.#leaving.clear()
    for (const trigger of this.#declared.values()) {
      if (this.#world.chance() < 0.9) this.#set(broker, trigger, trigger.config)
    }
  }

  /** One of them is changed, or removed, or declared again. */
  change(broker: Broker): void {
    const { chance } = this.#world
    const name = chance.pick(NAMES)
    const trigger = this.#declared.get(name)
    if (trigger === undefined) return this.#declareAgain(broker, name)
    if (broker.status(name) === undefined) return
    const dice = chance()
    if (dice < 0.3) this.#pauseOrResume(broker, trigger)
    else if (dice < 0.45) this.#reroute(broker, trigger)
    else if (dice < 0.55) this.#widen(broker, trigger)
    else if (dice < 0.7) this.#refilter(broker, trigger)
    else if (dice < 0.85) this.#seek(broker, trigger)
    else this.#remove(broker, trigger)
  }

  /** Sets those that could not be set before, and removes what a process that is gone has left. */
  complete(broker: Broker): void {
    for (const trigger of this.#declared.values()) {
      const isMissing = broker.status(trigger.name) === undefined || this.#refused.has(trigger)
      if (isMissing) this.#set(broker, trigger, trigger.config)
    }
    for (const id of broker.channel.subscriptions()) if (!this.#declared.has(id)) this.#removeLeft(broker, id)
  }

  /** From here on none is paused, and all are there. */
  settle(broker: Broker): void {
    for (const trigger of this.#declared.values()) {
      if (trigger.config.paused) this.#set(broker, trigger, { ...trigger.config, paused: false })
    }
    this.complete(broker)
  }

  // --- What happens to one of them ---

  #declare(name: string, types: string, start: Start): Trigger {
    const { chance } = this.#world
    const number = ++this.#numbers
    const host = `${name}-${number}`
    const deadLetterSink = chance() < 0.5 ? target(`${host}.sink`) : undefined
    const config: TriggerConfig = {
      id: name,
      namespace: 'default',
      name,
      filter: accepting(types),
      route: { subscriber: target(`${host}.one`), deadLetterSink, policy: this.#policy(), concurrency: 3 },
      order: chance.pick(['none', 'key']),
      window: { events: chance.pick([1, 5, 20]), bytes: 1e9 },
      paused: false,
      start,
    }
    const trigger = { name, number, config, isPaused: false, pausedAt: 0, isGone: false, tried: new Map() }
    this.#declared.set(name, trigger)
    this.#byHost.set(host, trigger)
    this.#ledger.triggers.set(name, trigger)
    return trigger
  }

  #policy(): DeliveryPolicy {
    const { pick } = this.#world.chance
    const backoffPolicy = pick(['linear', 'exponential'] as const)
    const backoffDelayMs = pick([0, 20, 200])
    const retry = pick([0, 1, 3])
    return { retry, backoffPolicy, backoffDelayMs, timeoutMs: 400, retryAfterMaxMs: 2000, format: 'binary' }
  }

  #set(broker: Broker, trigger: Trigger, config: TriggerConfig): void {
    trigger.config = config
    if (!config.paused) trigger.isPaused = false
    this.#refused.delete(trigger)
    const done = (): void => {
      if (trigger.config.paused && !trigger.isPaused) trigger.pausedAt = this.#world.clock.monotonic()
      trigger.isPaused = trigger.config.paused
      for (const { name } of broker.triggers()) this.#ledger.named(name)
    }
    const removal = this.#leaving.get(trigger.name)?.catch(() => {})
    const set = removal === undefined ? broker.setTrigger(config) : removal.then(() => broker.setTrigger(config))
    this.#during(set, `${trigger.name} set`, done, () => this.#refused.add(trigger))
  }

  #pauseOrResume(broker: Broker, trigger: Trigger): void {
    const { config, name } = trigger
    this.#world.say(`${config.paused ? 'resume' : 'pause'} ${name}`)
    this.#set(broker, trigger, { ...config, paused: !config.paused })
  }

  #reroute(broker: Broker, trigger: Trigger): void {
    const { chance, say } = { chance: this.#world.chance, say: (what: string): void => this.#world.say(what) }
    const { config, name, number } = trigger
    const subscriber = target(`${name}-${number}.${chance.pick(['one', 'two'])}`)
    const route = { ...config.route, subscriber, policy: this.#policy(), concurrency: chance.pick([1, 3]) }
    say(`${name} goes to ${subscriber.url}, retry ${route.policy.retry}`)
    this.#set(broker, trigger, { ...config, route })
  }

  #widen(broker: Broker, trigger: Trigger): void {
    const { pick } = this.#world.chance
    const window = { events: pick([1, 5, 20]), bytes: 1e9 }
    const order = pick(['none', 'key'] as const)
    this.#world.say(`window ${window.events} and order ${order} for ${trigger.name}`)
    this.#set(broker, trigger, { ...trigger.config, window, order })
  }

  #refilter(broker: Broker, trigger: Trigger): void {
    const types = this.#world.chance.pick(['a', 'b', 'c', 'ab', 'bc', ALL_TYPES])
    this.#world.say(`types ${types} for ${trigger.name}`)
    this.#set(broker, trigger, { ...trigger.config, filter: accepting(types) })
  }

  #seek(broker: Broker, { name }: Trigger): void {
    const start = this.#start()
    this.#world.say(`seek ${name} to ${JSON.stringify(start)}`)
    this.#during(broker.seekTrigger(name, start), `${name} sought`)
  }

  #start(): Start {
    const { chance } = this.#world
    const stored = [...this.#ledger.ledger.sent.values()].filter(({ status }) => status === 'stored')
    const some = stored[chance.below(stored.length)]
    const dice = chance()
    if (dice < 0.3 || some === undefined) return 'latest'
    if (dice < 0.6) return 'earliest'
    return dice < 0.8 ? { after: String(some.position) } : { time: some.time }
  }

  #remove(broker: Broker, trigger: Trigger): void {
    const { name } = trigger
    this.#world.say(`remove ${name}`)
    this.#declared.delete(name)
    this.#places.delete(name)
    trigger.isGone = true
    const forgetting = async (place: Position | undefined): Promise<void> => this.#keepPlace(name, place)
    this.#during(broker.removeTrigger(name, forgetting), `${name} removed`)
  }

  #keepPlace(name: string, place: Position | undefined): void {
    this.#world.say(`  ${name} stood at ${place}`)
    if (place !== undefined) this.#places.set(name, place)
  }

  /** Nobody runs it: only its channel knows it, and by its id alone. Or its removal was refused, and is asked for again. */
  #removeLeft(broker: Broker, id: string): void {
    if (this.#leaving.has(id)) return
    const removal = this.#forget(broker, id).finally(() => {
      if (this.#leaving.get(id) === removal) this.#leaving.delete(id)
    })
    this.#leaving.set(id, removal)
    this.#during(removal, `${id} is not left`)
  }

  async #forget(broker: Broker, id: string): Promise<void> {
    const forgetting = async (place: Position | undefined): Promise<void> => this.#keepPlace(id, place)
    await broker.removeTrigger(id, forgetting) // after an opening of it that is under way
    const { channel } = broker
    if (![...channel.subscriptions()].includes(id)) return
    this.#keepPlace(id, channel.place!(id))
    await channel.remove(id)
  }

  /** `resume` is for one that is gone: until then nobody knows where it stood. */
  #declareAgain(broker: Broker, name: string): void {
    const { chance } = this.#world
    const place = broker.status(name) === undefined ? this.#places.get(name) : undefined
    const start = chance.pick<Start>(['latest', 'earliest', place === undefined ? 'latest' : { after: place }])
    const types = chance.pick(['a', 'b', ALL_TYPES])
    this.#world.say(`declare ${name} again, for ${types} from ${JSON.stringify(start)}`)
    const trigger = this.#declare(name, types, start)
    this.#set(broker, trigger, trigger.config)
  }
}

function target(host: string): Target {
  return { url: `http://${host}/`, origin: `http://${host}`, path: '/' }
}
