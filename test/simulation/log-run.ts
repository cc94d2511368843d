// The real log by itself, from a seed: who publishes, subscribes, settles, seeks and removes, how the disk fails, and when
// the process or the power ends. The ledger is asked after every step.

import type { Channel } from '@sluice/channel'
import { openLogChannel, type OpenedLog } from '@sluice/channel-log'
import { Event } from '@sluice/event'
import type { Problem } from '@sluice/segments'
import { accepting, TYPES } from './filters.ts'
import { Ledger } from './ledger.ts'
import { LogSubscriptions } from './log-subscriptions.ts'
import { WatchedChannel } from './watched.ts'
import { World, type Result } from './world.ts'

const STEPS = 130

/** Runs the course that belongs to a seed; the same seed gives the same one. */
export async function simulateLog(seed: number): Promise<Result> {
  const run = new LogRun(seed)
  try {
    await run.go()
  } catch (error) {
    run.ledger.wrong(`it threw: ${(error as Error).stack}`)
  }
  run.world.leave()
  const { problem, deliveries, life, sent } = run.ledger
  return { problem, history: run.world.history, deliveries, lives: life + 1, events: sent.size }
}

class LogRun {
  readonly world: World
  readonly ledger: Ledger
  readonly #options: Parameters<typeof openLogChannel>[0]
  #channel: WatchedChannel | undefined
  readonly #subscriptions: LogSubscriptions
  #ids = 0
  /** Publishes whose end nobody has seen yet. */
  #underWay = 0

  constructor(seed: number) {
    this.world = new World(seed, [/./, /segments/, /progress/])
    const { pick } = this.world.chance
    const first = pick([1024, 2048, 8192])
    const syncMs = pick([undefined, undefined, undefined, undefined, 200, 5000])
    this.ledger = new Ledger(this.world, syncMs)
    this.#subscriptions = new LogSubscriptions(this.world, this.ledger)
    this.#options = {
      folder: '/log',
      segmentBytes: { first, max: first * pick([1, 4]) },
      bytesMax: pick([30_000, 1_000_000, 1_000_000]),
      retentionBytes: pick([0, 4000, 1_000_000]),
      retentionMs: pick([500, 3_600_000]),
      parkedMax: pick([4, 1000]),
      pendingBytesMax: pick([4000, 1_000_000, 1_000_000, 1_000_000]),
      ...(syncMs !== undefined && { syncMs }),
    }
  }

  // --- The course ---

  async go(): Promise<void> {
    await this.#open()
    for (let step = 0; step < STEPS && this.ledger.problem === ''; step++) {
      await this.#step()
      await this.world.turn()
      this.#check()
    }
    if (this.ledger.problem === '') await this.#finish()
  }

  async #step(): Promise<void> {
    const { chance, trouble } = this.world
    const dice = chance() * 100
    if (this.#channel === undefined) return await this.#open()
    if (dice < 24) this.#publish(this.#channel)
    else if (dice < 50) this.#subscriptions.work()
    else if (dice < 70) await this.world.pass(chance.pick([1, 3, 10, 10, 60, 60, 300, 1500]))
    else if (dice < 77) this.#subscriptions.subscribe(this.#channel)
    else if (dice < 86) this.#subscriptions.change()
    else if (dice < 89) trouble.begin()
    else if (dice < 93) trouble.end()
    else if (dice < 97) await this.#restart()
    else if (dice < 98) this.#read(this.#channel)
    else this.#subscriptions.remove(this.#channel)
  }

  // --- Publishing ---

  #publish(channel: Channel): void {
    const { chance } = this.world
    const count = chance() < 0.1 ? 100 : 1 + chance.below(6)
    const lane = chance() < 0.3 ? 'reply' : 'ingress'
    const events = Array.from({ length: count }, () => {
      const id = `e${++this.#ids}`
      const partitionkey = `k${chance.below(3)}`
      const attributes = { specversion: '1.0', id, source: '/sim', type: chance.pick(TYPES), partitionkey }
      const size = chance.pick([0, 10, 10, 200, 900, 3000])
      return new Event(new Map(Object.entries(attributes)), size === 0 ? undefined : Buffer.alloc(size, id))
    })
    this.world.say(`publish ${events[0]!.id} to ${events.at(-1)!.id} (${lane})`)
    const { life } = this.ledger
    this.#underWay++
    void channel.publish(events, { lane }).then(() => {
      if (life === this.ledger.life) this.#underWay--
    })
  }

  // --- Reading ---

  /** Browses: whatever comes is in order, whole, and what was asked for. */
  #read(channel: WatchedChannel): void {
    const from = this.#subscriptions.start(false)
    if (from === 'latest') return
    const limit = this.world.chance.pick([1, 5, 1000])
    this.world.say(`read from ${JSON.stringify(from)}, ${limit} at most`)
    channel
      .read({ from, filter: accepting(this.#subscriptions.types()), limit })
      .catch((error: Error) => channel.say(error.message))
  }

  // --- Lives ---

  async #open(): Promise<void> {
    const { world, ledger } = this
    const { life } = ledger
    world.say(`open, life ${life}`)
    let isDone = false
    const { disk } = world.trouble
    openLogChannel({
      ...this.#options,
      disk,
      clock: world.life,
      damaged: (problem) => this.#damaged(life, problem),
    }).then(
      (opened) => {
        isDone = true
        if (life === ledger.life) this.#isOpen(opened)
      },
      (error: Error) => {
        isDone = true
        if (life === ledger.life) world.say(`  does not open: ${error.message}`)
      },
    )
    const { chance } = world
    const isPatient = chance() >= 0.15
    await world.until(() => isDone, isPatient ? undefined : chance.below(12))
    if (this.#channel !== undefined || ledger.life !== life) return
    if (!isDone && isPatient) ledger.wrong('it does not open, and does not say why')
    world.say('  the process ends')
    // One that can't open its log is started again.
    if (isDone && chance() < 0.5) world.trouble.end()
    this.#crash(chance() < 0.5)
  }

  #damaged(life: number, { what, lost }: Problem): void {
    if (life === this.ledger.life) this.ledger.losses.told(what, ...lost)
  }

  #isOpen({ channel, recovery }: OpenedLog): void {
    const { ledger, world } = this
    const { events, toDeliver, isRewound } = recovery
    world.say(`  is open: ${events.segments} segments, torn ${events.tornBytes}, ${toDeliver.events} to deliver`)
    const watched = (this.#channel = new WatchedChannel(channel, ledger))
    if (isRewound) ledger.wrong('it is rewound')
    ledger.begin(new Set(channel.subscriptions()))
    ledger.losses.begin(events.problems)
    if (ledger.losses.areExpected) this.#lookForLosses(watched)
    this.#subscriptions.begin(watched)
  }

  #lookForLosses(channel: WatchedChannel): void {
    const found = channel.read({ limit: Infinity }).then((all) => {
      if (!channel.isPast) this.ledger.losses.found(new Set(all.map(({ position }) => Number(position))))
    })
    found.catch(() => {}) // it is closed meanwhile
  }

  async #restart(): Promise<void> {
    const dice = this.world.chance()
    if (dice < 0.25) await this.#close()
    else this.#crash(dice < 0.6)
  }

  #crash(power: boolean): void {
    this.world.say(power ? 'power off' : 'kill -9')
    this.#end1(power, -Infinity)
  }

  #end1(power: boolean, savedUntil: number): void {
    this.world.crash(power)
    this.#channel = undefined
    this.#subscriptions.end()
    this.#underWay = 0
    this.ledger.end(savedUntil, power)
  }

  async #close(): Promise<void> {
    const { world, ledger } = this
    const { chance, trouble, clock } = world
    world.say('close')
    const wasFaulty = trouble.until >= clock.monotonic()
    const hadWork = this.#underWay > 0
    let isDone = false
    void this.#channel!.close({ deadlineMs: chance.pick([0, 50]) }).then(() => (isDone = true))
    if (!(await world.until(() => isDone))) ledger.wrong('it does not close')
    this.#end1(chance() < 0.5, wasFaulty || hadWork ? -Infinity : clock.monotonic())
  }

  // --- In the end ---

  #check(): void {
    if (this.#channel !== undefined && this.#underWay === 0 && this.ledger.problem === '') this.#subscriptions.check()
  }

  /** Everything works again: whatever has to come comes, and in the end nothing is left. */
  async #finish(): Promise<void> {
    const { world, ledger } = this
    world.say('the end')
    this.#subscriptions.isEnding = true
    world.trouble.end()
    await this.#openAtLast()
    await this.#settled()
    await world.pass(4000) // what failed is tried again by now
    await this.#close()
    if (ledger.problem !== '') return
    const before = ledger.promised
    const { areOwed } = this.#subscriptions
    await this.#openAtLast()
    await this.#settled()
    if (!areOwed && ledger.promised > before) ledger.wrong('something came after all was settled and closed')
    await this.#close()
  }

  async #openAtLast(): Promise<void> {
    while (this.#channel === undefined && this.ledger.problem === '') await this.#open()
  }

  async #settled(): Promise<void> {
    for (let round = 0; round < 3000 && this.ledger.problem === ''; round++) {
      this.#subscriptions.settle(this.#channel!)
      await this.world.pass(20)
      this.#check()
      if (this.#subscriptions.areDone && this.#underWay === 0) break
    }
    this.#subscriptions.checkEnd()
  }
}
