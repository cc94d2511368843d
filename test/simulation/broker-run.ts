// The real broker on the real log and the real dead-letter box, from a seed: they share a disk that fails; subscribers
// answer as they like; triggers come, change and go; and the process or the power may end at any moment. Two ledgers are
// asked after every step: that of the channel, and that of what the broker does.

import { diskBox, NO_OBSERVER, openBroker, type Broker, type Observer } from '@sluice/broker'
import { openLogChannel, type LogChannelOptions } from '@sluice/channel-log'
import { Event } from '@sluice/event'
import { BrokerLedger, type Place, type Trigger } from './broker-ledger.ts'
import { BrokerTriggers } from './broker-triggers.ts'
import { TYPES } from './filters.ts'
import { Ledger } from './ledger.ts'
import { network, type Mood } from './network.ts'
import { missingOf } from './subscriber.ts'
import { WatchedChannel } from './watched.ts'
import { World, type Result } from './world.ts'

const STEPS = 110
const HOPS_MAX = 3
const MOODS: readonly Mood[] = ['well', 'flaky', 'flaky', 'slow', 'refusing', 'down']
/** Of what ingress may fill: so much is free where events are given up, at most, and something more. */
const TIGHT_SHARE = 0.2

/** Runs the course that belongs to a seed; the same seed gives the same one. */
export async function simulateBroker(seed: number): Promise<Result> {
  const run = new BrokerRun(seed)
  const { ledger, world, broken } = run
  try {
    await run.go()
  } catch (error) {
    ledger.wrong(`it threw: ${(error as Error).stack}`)
  }
  world.leave()
  const { problem, life, sent } = ledger
  return { problem, history: world.history, deliveries: broken.attempts, lives: life + 1, events: sent.size }
}

class BrokerRun {
  readonly world: World
  readonly ledger: Ledger
  readonly broken: BrokerLedger
  readonly #triggers: BrokerTriggers
  readonly #log: Partial<LogChannelOptions> & { bytesMax: number }
  readonly #whenFull: 'reject' | 'deadLetter'
  readonly #boxBytesMax: number
  readonly #moods = new Map<string, Mood>()
  #channel: WatchedChannel | undefined
  #broker: Broker | undefined
  #ids = 0
  /** Calls whose end nobody has seen yet. */
  #underWay = 0
  #isEnding = false

  constructor(seed: number) {
    this.world = new World(seed, [/./, /segments/, /progress/, /box/])
    this.ledger = new Ledger(this.world)
    this.broken = new BrokerLedger(this.ledger)
    const { pick } = this.world.chance
    const first = pick([2048, 8192])
    this.#whenFull = pick(['reject', 'reject', 'deadLetter'])
    this.#log = {
      segmentBytes: { first, max: first * 4 },
      bytesMax: this.#whenFull === 'reject' ? pick([12_000, 1_000_000, 1_000_000]) : pick([12_000, 30_000]),
      retentionBytes: pick([0, 1_000_000]),
      parkedMax: pick([4, 1000, 1000]),
    }
    this.#boxBytesMax = pick([3000, 1_000_000])
    this.#triggers = new BrokerTriggers(this.world, this.broken, (...call) => this.#during(...call))
    this.broken.mayGiveUp = () => this.#isTight()
  }

  /** Whether the channel is about to fill up, where events are given up then. */
  #isTight(): boolean {
    if (this.#whenFull === 'reject' || this.#channel === undefined) return false
    const { bytes, bytesMax } = this.#channel.usage()
    return bytes > bytesMax * 0.8 * (1 - TIGHT_SHARE) - 1000
  }

  // --- The course ---

  async go(): Promise<void> {
    await this.#open()
    for (let step = 0; step < STEPS && this.ledger.problem === ''; step++) {
      await this.#step()
      await this.world.turn()
      this.broken.look()
    }
    if (this.ledger.problem === '') await this.#finish()
  }

  async #step(): Promise<void> {
    const { chance, trouble } = this.world
    const dice = chance() * 100
    if (this.#broker === undefined) return await this.#open()
    if (dice < 28) this.#accept(this.#broker)
    else if (dice < 60) await this.world.pass(chance.pick([1, 3, 10, 60, 60, 300, 1500]))
    else if (dice < 69) this.#feel()
    else if (dice < 80) this.#triggers.change(this.#broker)
    else if (dice < 84) this.#redrive(this.#broker)
    else if (dice < 88) trouble.begin()
    else if (dice < 93) trouble.end()
    else if (dice < 97) await this.#restart()
    else this.#triggers.complete(this.#broker)
  }

  // --- Events ---

  /** As ingress does it, which asks for room first. */
  #accept(broker: Broker): void {
    const { pick } = this.world.chance
    const events = Array.from({ length: pick([1, 1, 3, 20]) }, () => this.#event('e'))
    const bytes = events.reduce((sum, { data }) => sum + data!.length, 0)
    this.broken.look()
    const retryAfterMs = broker.room(bytes)
    this.world.say(`accept ${events[0]!.id} to ${events.at(-1)!.id}${retryAfterMs > 0 ? ': no room' : ''}`)
    if (retryAfterMs === 0) this.#during(broker.accept(events), `${events[0]!.id} accepted`)
  }

  #event(letter: 'e' | 'r'): Event {
    const { pick, below } = this.world.chance
    const id = `${letter}${++this.#ids}`
    const attributes = { specversion: '1.0', id, source: `k${below(3)}`, type: pick(TYPES) }
    return new Event(new Map(Object.entries(attributes)), Buffer.alloc(pick([0, 10, 200, 900]), id))
  }

  /** Waits for the end of a call without holding up the course; what is refused is told, and no problem. */
  #during(work: Promise<unknown>, what: string, done?: () => void, refused?: () => void): void {
    const { life } = this.ledger
    const isPast = (): boolean => life !== this.ledger.life || this.world.isOver
    this.#underWay++
    work.then(
      () => {
        if (isPast()) return
        this.#underWay--
        this.world.say(`  ${what}`)
        done?.()
      },
      (error: Error & { code?: string }) => {
        if (isPast()) return
        this.#underWay--
        this.world.say(`  not ${what}: ${error.message}`)
        refused?.()
        if (error.code === undefined) this.ledger.wrong(`${what} rejects: ${error.stack}`)
      },
    )
  }

  // --- Subscribers ---

  /** The mood of the addresses of one name changes. */
  #feel(): void {
    const { pick, below } = this.world.chance
    const host = `t${below(3)}.${pick(['one', 'two', 'sink'])}`
    const mood = pick(MOODS)
    this.world.say(`${host} is ${mood}`)
    this.#moods.set(host, mood)
  }

  #network(): ReturnType<typeof network> {
    const { world, broken } = this
    return network({
      clock: world.life,
      chance: world.chance,
      moodOf: (host) => (this.#isEnding ? 'well' : (this.#moods.get(host.replace(/-\d+/, '')) ?? 'flaky')),
      reply: () => {
        const reply = this.#event('r')
        broken.replied(reply.id)
        return reply
      },
      began: (host, event) => {
        world.say(`  ${host} ◀ ${event.id}`)
        const { trigger, at } = this.#addressee(host)
        broken.began(trigger, event, at)
      },
      answered: (host, event, outcome) => {
        world.say(`  ${host} answers ${event.id}: ${outcome.status}${outcome.reply ? ` ${outcome.reply.id}` : ''}`)
        const { trigger, at } = this.#addressee(host)
        broken.answered(trigger, event, at, outcome)
      },
    })
  }

  #addressee(host: string): { trigger: Trigger; at: Place } {
    const [name, place] = host.split('.') as [string, string]
    return { trigger: this.#triggers.at(name), at: place === 'sink' ? 'sink' : 'subscriber' }
  }

  #observer(): Observer {
    const { ledger, broken, world } = this
    const { life } = ledger
    const heard: Partial<Observer> = {
      accepted: (_broker, { id }) => broken.routed(id),
      matched: (of) => void broken.named(of),
      attempted: (of, event, _outcome, at, attempt) =>
        at === 'reply'
          ? ledger.wrong(`${of.id} sends a reply somewhere, and a Trigger's go to its broker`)
          : broken.attempted(broken.named(of), event, at, attempt),
      settled: (of, event) => broken.settled(broken.named(of), event),
      deadLettered: (of, event, into, reason) => broken.deadLettered(broken.named(of), event, into, reason === 'loop'),
    }
    const observer: Observer = { ...NO_OBSERVER, ...heard }
    return new Proxy(observer, {
      get: (all, name: keyof Observer) => (life === ledger.life && !world.isOver ? all[name] : NO_OBSERVER[name]),
    })
  }

  // --- Dead letters ---

  #redrive(broker: Broker): void {
    const { chance } = this.world
    if (chance() < 0.2) return this.#purge(broker)
    const name = `t${chance.below(3)}`
    this.world.say(`redrive ${name}`)
    this.#during(broker.redrive({ trigger: `default/${name}` }), `redriving ${name}`)
  }

  #purge(broker: Broker): void {
    this.world.say('purge')
    this.broken.purge()
    this.#during(broker.purge('all'), 'purged', () => this.broken.purged())
  }

  // --- Lives ---

  async #open(): Promise<void> {
    const { world, ledger } = this
    const { life } = ledger
    world.say(`open, life ${life}`)
    let isDone = false
    this.#opening().then(
      (broker) => {
        isDone = true
        if (life !== ledger.life) return
        world.say('  is open')
        this.#broker = broker
        this.#triggers.begin(broker)
      },
      (error: Error & { code?: string }) => {
        isDone = true
        if (life !== ledger.life) return
        world.say(`  does not open: ${error.message}`)
        if (error.code === undefined) ledger.wrong(`open rejects: ${error.stack}`)
      },
    )
    const { chance } = world
    const isPatient = chance() >= 0.15
    await world.until(() => isDone, isPatient ? undefined : chance.below(12))
    if (this.#broker !== undefined || ledger.life !== life) return
    if (!isDone && isPatient) ledger.wrong('it does not open, and does not say why')
    if (isDone && chance() < 0.5) world.trouble.end()
    this.#crash(chance() < 0.5)
  }

  async #opening(): Promise<Broker> {
    const { world, ledger, broken } = this
    const { life } = ledger
    const { disk } = world.trouble
    const clock = world.life
    const { channel, recovery } = await openLogChannel({ ...this.#log, folder: '/log', disk, clock })
    const { box, recovery: found } = await diskBox({
      folder: '/box',
      disk,
      clock,
      bytesMax: this.#boxBytesMax,
      deadBytesMax: 4000,
      segmentBytes: { first: 2048, max: 8192 },
    })
    const entries = await box.list({ limit: Infinity })
    const watched = new WatchedChannel(channel, ledger, (id, delivery) => broken.handed(id, delivery))
    if (life === ledger.life) {
      for (const problem of [...recovery.events.problems, ...found.problems]) {
        ledger.wrong(`damage is told: ${JSON.stringify(problem)}`)
      }
      if (recovery.isRewound) ledger.wrong('progress is lost')
      broken.found(entries)
      ledger.begin(new Set(channel.subscriptions()))
      this.#channel = watched
    }
    return openBroker({
      namespace: 'default',
      name: 'simulated',
      channel: watched,
      box,
      deliverer: this.#network(),
      observer: this.#observer(),
      clock,
      random: world.chance,
      hopsMax: HOPS_MAX,
      whenFull: () => this.#whenFull,
    })
  }

  async #restart(): Promise<void> {
    const dice = this.world.chance()
    if (dice < 0.25) await this.#close()
    else this.#crash(dice < 0.6)
  }

  #crash(power: boolean): void {
    this.world.say(power ? 'power off' : 'kill -9')
    this.#end(power, -Infinity)
  }

  #end(power: boolean, savedUntil: number): void {
    this.world.crash(power)
    this.#channel = undefined
    this.#broker = undefined
    this.#underWay = 0
    this.ledger.end(savedUntil, power)
    this.broken.end()
  }

  async #close(): Promise<void> {
    const { world, ledger } = this
    const { chance, trouble, clock } = world
    world.say('close')
    const wasFaulty = trouble.until >= clock.monotonic()
    const hadWork = this.#underWay > 0
    const deadlineMs = chance.pick([0, 200])
    const deadline = clock.monotonic() + deadlineMs
    let isDone = false
    void this.#broker!.close({ deadlineMs }).then(() => (isDone = true))
    if (!(await world.until(() => isDone))) ledger.wrong('it does not close')
    this.#end(chance() < 0.5, wasFaulty || hadWork ? -Infinity : deadline)
  }

  // --- In the end ---

  /** Everything works again: whatever has to end ends, and then nothing is left. */
  async #finish(): Promise<void> {
    const { world, ledger } = this
    world.say('the end')
    this.#isEnding = true
    world.trouble.end()
    await this.#openAtLast()
    await this.#ended()
    await world.pass(4000) // what failed is tried again by now
    await this.#close()
    await this.#openAtLast()
    await this.#ended()
    for (const subscriber of ledger.subscribers.values()) {
      for (const sent of missingOf(subscriber)) {
        ledger.wrong(`${subscriber.id} never settled ${sent.id} (${sent.position}), which was stored`)
      }
    }
  }

  async #openAtLast(): Promise<void> {
    while (this.#broker === undefined && this.ledger.problem === '') await this.#open()
  }

  async #ended(): Promise<void> {
    const { world, ledger } = this
    for (let round = 0; round < 2000 && ledger.problem === ''; round++) {
      const broker = this.#broker!
      if (round % 10 === 0) this.#triggers.settle(broker)
      if ([...broker.triggers()].some(({ status }) => status.boxFull)) this.#purge(broker)
      await world.pass(40)
      const all = [...broker.triggers()]
      const isQuiet = all.every(({ status }) => status.lag.events === 0 && status.redriving === 0)
      if (isQuiet && all.length === this.#triggers.size && this.#underWay === 0) return
    }
    const lags = Array.from(this.#broker!.triggers(), ({ name, status }) => `${name.id} ${JSON.stringify(status)}`)
    ledger.wrong(`it is never done: ${lags.join(', ')}`)
  }
}
