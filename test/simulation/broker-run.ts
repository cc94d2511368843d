// One simulated life of a broker after the other, from a seed: the real broker on the real log and the real dead-letter
// box, which share a disk that fails; subscribers that answer as they like; and the process or the power may end at any
// moment. The ledger is asked after every step.

import { setImmediate } from 'node:timers/promises'
import { diskBox, NO_OBSERVER, openBroker, type Broker, type Observer, type TriggerConfig } from '@sluice/broker'
import { openLogChannel, type LogChannelOptions } from '@sluice/channel-log'
import { manualClock, type ManualClock } from '@sluice/clock'
import type { DeliveryPolicy, Target } from '@sluice/delivery'
import { Event } from '@sluice/event'
import { compileTrigger, type Filter } from '@sluice/filter'
import { BrokerLedger, type Trigger } from './broker-ledger.ts'
import { chanceOf, type Chance } from './chance.ts'
import { lifeClock, type LifeClock } from './life.ts'
import { network, type Mood } from './network.ts'
import { Trouble } from './trouble.ts'

/** What came of a run. */
export interface BrokerResult {
  readonly problem: string
  /** The last operations, in words. */
  readonly history: readonly string[]
  readonly attempts: number
  readonly lives: number
  readonly events: number
}

const STEPS = 110
/** Real turns of the event loop after each simulated moment: enough for whatever follows from it without the disk. */
const TURNS = 2
const SLICE_MS = 4
/** Nothing that opens or closes a broker takes longer, however slow the disk. */
const SLICES_MAX = 100_000
const TYPES = 'abc'
const HOPS_MAX = 3
const MOODS: readonly Mood[] = ['well', 'flaky', 'flaky', 'slow', 'refusing', 'down']

/** Runs the life that belongs to a seed; the same seed gives the same run. */
export async function simulateBroker(seed: number): Promise<BrokerResult> {
  const run = new BrokerRun(seed)
  try {
    await run.go()
  } catch (error) {
    run.ledger.wrong(`it threw: ${(error as Error).stack}`)
  }
  run.leave()
  const { problem, attempts, life, sent } = run.ledger
  return { problem, history: run.history, attempts, lives: life + 1, events: sent.size }
}

class BrokerRun {
  readonly history: string[] = []
  readonly clock: ManualClock = manualClock()
  readonly ledger: BrokerLedger
  readonly #chance: Chance
  readonly #trouble: Trouble
  readonly #log: Partial<LogChannelOptions>
  readonly #boxBytesMax: number
  readonly #configs = new Map<string, TriggerConfig>()
  readonly #moods = new Map<string, Mood>()
  #life: LifeClock
  #broker: Broker | undefined
  #ids = 0
  /** Calls whose end nobody has seen yet. */
  #underWay = 0
  #isEnding = false
  #isOver = false

  constructor(seed: number) {
    const { clock } = this
    const said = (what: string): void => this.#say(what)
    this.#chance = chanceOf(seed)
    const paths = [/./, /segments/, /progress/, /box/]
    this.#trouble = new Trouble({ seed, clock, chance: this.#chance, paths, said })
    this.ledger = new BrokerLedger(
      () => clock.monotonic(),
      () => this.#trouble.until,
      said,
    )
    this.ledger.savedAfterMs = 120 + 60 * (this.#trouble.latencyMs + SLICE_MS)
    this.#life = lifeClock(clock)
    const { pick } = this.#chance
    const first = pick([2048, 8192])
    this.#log = {
      segmentBytes: { first, max: first * 4 },
      bytesMax: pick([12_000, 1_000_000, 1_000_000]),
      retentionBytes: pick([0, 1_000_000]),
      parkedMax: pick([4, 1000, 1000]),
    }
    this.#boxBytesMax = pick([3000, 1_000_000])
    for (const [i, types] of ['a', 'b', TYPES].entries()) this.#declare(`t${i}`, types)
  }

  #declare(name: string, types: string): void {
    const order = this.#chance.pick(['none', 'key'] as const)
    const sink = this.#chance() < 0.5 ? target(`${name}.sink`) : undefined
    this.ledger.triggers.set(name, { name, types, order, isCertain: false, isPaused: false, owed: new Map() })
    const window = { events: this.#chance.pick([1, 5, 20]), bytes: 1e9 }
    this.#configs.set(name, {
      id: name,
      namespace: 'default',
      name,
      filter: accepting(types),
      route: { subscriber: target(`${name}.one`), deadLetterSink: sink, policy: this.#policy(), concurrency: 3 },
      order,
      window,
      paused: false,
      start: 'latest',
    })
  }

  #policy(): DeliveryPolicy {
    const { pick } = this.#chance
    const backoffPolicy = pick(['linear', 'exponential'] as const)
    const backoffDelayMs = pick([0, 20, 200])
    return {
      retry: pick([0, 1, 3]),
      backoffPolicy,
      backoffDelayMs,
      timeoutMs: 400,
      retryAfterMaxMs: 2000,
      format: 'binary',
    }
  }

  // --- The course ---

  async go(): Promise<void> {
    await this.#open()
    for (let step = 0; step < STEPS && this.ledger.problem === ''; step++) {
      await this.#step()
      await this.#turn()
    }
    if (this.ledger.problem === '') await this.#finish()
  }

  /** Lets go of everything. */
  leave(): void {
    this.#isOver = true
    this.#life.end()
  }

  async #step(): Promise<void> {
    const dice = this.#chance() * 100
    if (this.#broker === undefined) return await this.#open()
    if (dice < 28) this.#accept(this.#broker)
    else if (dice < 62) await this.#pass(this.#chance.pick([1, 3, 10, 60, 60, 300, 1500]))
    else if (dice < 72) this.#feel()
    else if (dice < 80) this.#change()
    else if (dice < 84) this.#redrive(this.#broker)
    else if (dice < 88) this.#trouble.begin()
    else if (dice < 93) this.#trouble.end()
    else if (dice < 97) await this.#restart()
    else this.#setMissing()
  }

  /** Lets time pass, in slices: what the disk has done is gone on with between them. */
  async #pass(ms: number): Promise<void> {
    this.#say(`pass ${ms}`)
    for (let left = ms; left > 0; left -= SLICE_MS) {
      this.clock.advance(Math.min(left, SLICE_MS))
      await this.#turn()
    }
  }

  async #turn(): Promise<void> {
    for (let i = 0; i < TURNS; i++) await setImmediate()
  }

  // --- Events ---

  #accept(broker: Broker): void {
    const events = Array.from({ length: this.#chance.pick([1, 1, 3, 20]) }, () => this.#event('e'))
    const all = events.map(({ id, type, source }) => this.ledger.send(id, type, source, Number(id.slice(1))))
    this.#say(`accept ${events[0]!.id} to ${events.at(-1)!.id}`)
    this.#during(
      broker.accept(events).finally(() => all.forEach((sent) => this.ledger.refused(sent))),
      `${events[0]!.id} accepted`,
    )
  }

  #event(letter: 'e' | 'r'): Event {
    const { pick, below } = this.#chance
    const id = `${letter}${++this.#ids}`
    const attributes = { specversion: '1.0', id, source: `k${below(3)}`, type: TYPES[below(TYPES.length)]! }
    return new Event(new Map(Object.entries(attributes)), Buffer.alloc(pick([0, 10, 200, 900]), id))
  }

  /** Waits for the end of a call without holding up the run; what is refused is told, and no problem. */
  #during(work: Promise<unknown>, what: string, done: () => void = () => {}): void {
    const { life } = this.ledger
    const isPast = (): boolean => life !== this.ledger.life || this.#isOver
    this.#underWay++
    work.then(
      () => {
        if (isPast()) return
        this.#underWay--
        this.#say(`  ${what}`)
        done()
      },
      (error: Error & { code?: string }) => {
        if (isPast()) return
        this.#underWay--
        this.#say(`  not ${what}: ${error.message}`)
        if (error.code === undefined) this.ledger.wrong(`${what} rejects: ${error.stack}`)
      },
    )
  }

  // --- Subscribers ---

  /** The mood of an address changes. */
  #feel(): void {
    const host = `t${this.#chance.below(3)}.${this.#chance.pick(['one', 'two', 'sink'])}`
    const mood = this.#chance.pick(MOODS)
    this.#say(`${host} is ${mood}`)
    this.#moods.set(host, mood)
  }

  #network(): ReturnType<typeof network> {
    return network({
      clock: this.#life,
      chance: this.#chance,
      moodOf: (host) => (this.#isEnding ? 'well' : (this.#moods.get(host) ?? 'flaky')),
      reply: () => {
        const reply = this.#event('r')
        this.ledger.send(reply.id, reply.type, reply.source)
        return reply
      },
      began: (host, event) => {
        this.#say(`  ${host} ◀ ${event.id}`)
        const { trigger, at } = this.#addressee(host)
        this.ledger.began(trigger, event, at)
      },
      answered: (host, event, outcome) => {
        this.#say(`  ${host} answers ${event.id}: ${outcome.status}${outcome.reply ? ` ${outcome.reply.id}` : ''}`)
        const { trigger, at } = this.#addressee(host)
        this.ledger.answered(trigger, event, at, outcome)
      },
    })
  }

  #addressee(host: string): { trigger: Trigger; at: 'subscriber' | 'sink' } {
    const [name, place] = host.split('.') as [string, string]
    return { trigger: this.ledger.triggers.get(name)!, at: place === 'sink' ? 'sink' : 'subscriber' }
  }

  #observer(): Observer {
    const { ledger } = this
    const { life } = ledger
    const trigger = ({ id }: { id: string }): Trigger => ledger.triggers.get(id)!
    const heard: Partial<Observer> = {
      accepted: (_broker, { id }) => ledger.accepted(id),
      attempted: (of, event, _outcome, at, attempt) =>
        at === 'reply'
          ? ledger.wrong(`${of.id} sends a reply somewhere, and a Trigger's go to its broker`)
          : ledger.attempted(trigger(of), event, at, attempt),
      parked: (of, event, delayMs) => ledger.parked(trigger(of), event, delayMs),
      settled: (of, event) => ledger.settled(trigger(of), event),
      deadLettered: (of, event, into, reason) => ledger.deadLettered(trigger(of), event, into, reason === 'loop'),
      lost: (of, { range }) => ledger.wrong(`${of.id} is told a loss of ${range?.join(' to ')}, and there is none`),
    }
    const observer: Observer = { ...NO_OBSERVER, ...heard }
    const silent = new Proxy(observer, {
      get: (all, name: keyof Observer) => (life === ledger.life && !this.#isOver ? all[name] : NO_OBSERVER[name]),
    })
    return silent
  }

  // --- Triggers ---

  #set(trigger: Trigger, config: TriggerConfig): void {
    this.#configs.set(trigger.name, config)
    if (!config.paused) trigger.isPaused = false
    this.#during(this.#broker!.setTrigger(config), `${trigger.name} set`, () => {
      trigger.isCertain = true
      trigger.isPaused = this.#configs.get(trigger.name)!.paused
    })
  }

  /** Those that could not be set before. */
  #setMissing(): void {
    for (const trigger of this.ledger.triggers.values()) {
      if (this.#broker!.status(trigger.name) === undefined) this.#set(trigger, this.#configs.get(trigger.name)!)
    }
  }

  #change(): void {
    const trigger = this.ledger.triggers.get(`t${this.#chance.below(3)}`)!
    const config = this.#configs.get(trigger.name)!
    if (this.#broker!.status(trigger.name) === undefined) return
    const { route } = config
    const dice = this.#chance()
    if (dice < 0.4) {
      this.#say(`${config.paused ? 'resume' : 'pause'} ${trigger.name}`)
      this.#set(trigger, { ...config, paused: !config.paused })
    } else if (dice < 0.7) {
      const subscriber = target(`${trigger.name}.${this.#chance.pick(['one', 'two'])}`)
      const changed = { ...route, subscriber, policy: this.#policy(), concurrency: this.#chance.pick([1, 3]) }
      this.#say(`${trigger.name} goes to ${subscriber.url}, retry ${changed.policy.retry}`)
      this.#set(trigger, { ...config, route: changed })
    } else {
      const window = { events: this.#chance.pick([1, 5, 20]), bytes: 1e9 }
      this.#say(`window ${window.events} for ${trigger.name}`)
      this.#set(trigger, { ...config, window })
    }
  }

  #redrive(broker: Broker): void {
    if (this.#chance() < 0.2) return this.#purge(broker)
    const name = `t${this.#chance.below(3)}`
    this.#say(`redrive ${name}`)
    this.#during(broker.redrive({ trigger: `default/${name}` }), `redriving ${name}`)
  }

  #purge(broker: Broker): void {
    this.#say('purge')
    this.ledger.purge()
    this.#during(broker.purge('all'), 'purged', () => this.ledger.purged())
  }

  // --- Lives ---

  async #open(): Promise<void> {
    const { life } = this.ledger
    this.#say(`open, life ${life}`)
    let isDone = false
    this.#opening().then(
      (broker) => {
        isDone = true
        if (life !== this.ledger.life) return
        this.#broker = broker
        this.#isOpen(broker)
      },
      (error: Error & { code?: string }) => {
        isDone = true
        if (life !== this.ledger.life) return
        this.#say(`  does not open: ${error.message}`)
        if (error.code === undefined) this.ledger.wrong(`open rejects: ${error.stack}`)
      },
    )
    const patience = this.#chance() < 0.15 ? this.#chance.below(12) : SLICES_MAX
    for (let i = 0; i < patience && !isDone; i++) {
      this.clock.advance(SLICE_MS)
      await this.#turn()
    }
    if (this.#broker !== undefined || this.ledger.life !== life) return
    if (!isDone && patience === SLICES_MAX) this.ledger.wrong('it does not open, and does not say why')
    if (isDone && this.#chance() < 0.5) this.#trouble.end()
    this.#crash(this.#chance() < 0.5)
  }

  async #opening(): Promise<Broker> {
    const { disk } = this.#trouble
    const clock = this.#life
    const { channel, recovery } = await openLogChannel({ ...this.#log, folder: '/log', disk, clock })
    for (const problem of recovery.events.problems) this.ledger.wrong(`damage is told: ${JSON.stringify(problem)}`)
    if (recovery.isRewound) this.ledger.wrong('progress is lost')
    const { box, recovery: found } = await diskBox({
      folder: '/box',
      disk,
      clock,
      bytesMax: this.#boxBytesMax,
      deadBytesMax: 4000,
      segmentBytes: { first: 2048, max: 8192 },
    })
    for (const problem of found.problems) this.ledger.wrong(`damage is told: ${JSON.stringify(problem)}`)
    this.ledger.found(await box.list({ limit: Infinity }))
    const observer = this.#observer()
    const random = this.#chance
    const deliverer = this.#network()
    const names = { namespace: 'default', name: 'simulated' }
    return openBroker({ ...names, channel, box, deliverer, observer, clock, random, hopsMax: HOPS_MAX })
  }

  #isOpen(broker: Broker): void {
    this.#say('  is open')
    const known = new Set(broker.channel.subscriptions())
    for (const trigger of this.ledger.triggers.values()) {
      if (known.has(trigger.name)) trigger.isCertain = true
      else if (trigger.isCertain) this.ledger.wrong(`${trigger.name} is forgotten`)
      if (this.#chance() < 0.9) this.#set(trigger, this.#configs.get(trigger.name)!)
    }
  }

  async #restart(): Promise<void> {
    const dice = this.#chance()
    if (dice < 0.25) await this.#close()
    else this.#crash(dice < 0.6)
  }

  #crash(power: boolean): void {
    this.#say(power ? 'power off' : 'kill -9')
    this.#end(power, -Infinity)
  }

  #end(power: boolean, savedUntil: number): void {
    this.#life.end()
    this.#trouble.crash(power)
    this.#life = lifeClock(this.clock)
    this.#broker = undefined
    this.#underWay = 0
    this.ledger.end(savedUntil)
    for (const trigger of this.ledger.triggers.values()) trigger.isPaused = false
  }

  async #close(): Promise<void> {
    this.#say('close')
    const wasFaulty = this.#trouble.until >= this.clock.monotonic()
    const hadWork = this.#underWay > 0
    const deadlineMs = this.#chance.pick([0, 200])
    const deadline = this.clock.monotonic() + deadlineMs
    let isDone = false
    void this.#broker!.close({ deadlineMs }).then(() => (isDone = true))
    for (let i = 0; i < SLICES_MAX && !isDone; i++) {
      this.clock.advance(SLICE_MS)
      await this.#turn()
    }
    if (!isDone) this.ledger.wrong('it does not close')
    this.#end(this.#chance() < 0.5, wasFaulty || hadWork ? -Infinity : deadline)
  }

  // --- In the end ---

  /** Everything works again: whatever has to end ends, and then nothing is left. */
  async #finish(): Promise<void> {
    this.#say('the end')
    this.#isEnding = true
    this.#trouble.end()
    for (const [name, config] of this.#configs) this.#configs.set(name, { ...config, paused: false })
    if (this.#broker === undefined) await this.#openAtLast()
    await this.#ended()
    await this.#pass(4000) // what failed is tried again by now
    await this.#close()
    if (this.ledger.problem === '') await this.#openAtLast()
    await this.#ended()
    for (const each of this.ledger.missing()) this.ledger.wrong(`${each} never ended, and it was stored`)
  }

  async #openAtLast(): Promise<void> {
    while (this.#broker === undefined && this.ledger.problem === '') await this.#open()
  }

  async #ended(): Promise<void> {
    for (let round = 0; round < 2000 && this.ledger.problem === ''; round++) {
      const broker = this.#broker!
      if (round % 10 === 0) this.#nudge(broker)
      await this.#pass(40)
      const all = [...broker.triggers()]
      const isQuiet = all.every(({ status }) => status.lag.events === 0 && status.redriving === 0)
      if (isQuiet && all.length === this.ledger.triggers.size && this.#underWay === 0) return
    }
    const lags = Array.from(this.#broker!.triggers(), ({ name, status }) => `${name.id} ${JSON.stringify(status)}`)
    this.ledger.wrong(`it is never done: ${lags.join(', ')}`)
  }

  /** Sets what is not set, resumes what is paused, and makes room in the box. */
  #nudge(broker: Broker): void {
    for (const trigger of this.ledger.triggers.values()) {
      if (trigger.isPaused || broker.status(trigger.name) === undefined) {
        this.#set(trigger, { ...this.#configs.get(trigger.name)!, paused: false })
      }
    }
    if ([...broker.triggers()].some(({ status }) => status.boxFull)) this.#purge(broker)
  }

  #say(what: string): void {
    if (this.#isOver || this.history.at(-1)?.includes(' !! ')) return
    this.history.push(`${this.clock.monotonic().toFixed(1)} ${what}`)
  }
}

function target(host: string): Target {
  return { url: `http://${host}/`, origin: `http://${host}`, path: '/' }
}

function accepting(types: string): Filter {
  return compileTrigger({ filters: [{ any: Array.from(types, (type) => ({ exact: { type } })) }] })
}
