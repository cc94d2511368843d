// One simulated life of a log after the other, from a seed: who publishes, subscribes, settles, seeks and removes, how
// the disk fails, and when the process or the power ends. The ledger is asked after every step.

import { setImmediate } from 'node:timers/promises'
import type { Channel, Delivery, Start, Subscription, SubscriptionSpec } from '@sluice/channel'
import { openLogChannel } from '@sluice/channel-log'
import { manualClock, type ManualClock } from '@sluice/clock'
import { Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import { chanceOf, type Chance } from '../../../../test/simulation/chance.ts'
import { lifeClock, type LifeClock } from '../../../../test/simulation/life.ts'
import { Trouble } from '../../../../test/simulation/trouble.ts'
import { Ledger, TYPES, type Sent, type Subscriber } from './ledger.ts'

/** What came of a run. */
export interface Result {
  readonly seed: number
  readonly problem: string
  /** The last operations, in words. */
  readonly history: readonly string[]
  readonly deliveries: number
  readonly lives: number
  readonly events: number
}

const SUBSCRIBERS = 3
const STEPS = 130
/** Real turns of the event loop after each simulated moment: enough for whatever follows from it without the disk. */
const TURNS = 2
const SLICE_MS = 4
/** Nothing that opens or closes a log takes longer, however many segments and however slow the disk. */
const SLICES_MAX = 100_000

/** Runs the life that belongs to a seed; the same seed gives the same run. */
export async function simulate(seed: number): Promise<Result> {
  const run = new Run(seed)
  try {
    await run.go()
  } catch (error) {
    run.ledger.wrong(`it threw: ${(error as Error).stack}`)
  }
  run.leave()
  return {
    seed,
    problem: run.ledger.problem,
    history: run.history,
    deliveries: run.ledger.deliveries,
    lives: run.ledger.life + 1,
    events: run.ledger.sent.size,
  }
}

class Run {
  readonly history: string[] = []
  readonly clock: ManualClock = manualClock()
  readonly ledger: Ledger = new Ledger(
    () => this.clock.monotonic(),
    () => this.#trouble.until,
    (what) => this.#say(what),
  )
  readonly #chance: Chance
  readonly #trouble: Trouble
  readonly #options: Parameters<typeof openLogChannel>[0]
  #life: LifeClock
  #channel: Channel | undefined
  readonly #handles = new Map<string, Subscription>()
  #ids = 0
  /** Whether receivers settle what they get at once, how often. */
  readonly #atOnce: number
  /** Publishes and the like whose end nobody has seen yet. */
  #underWay = 0
  #isOver = false
  #isEnding = false

  constructor(seed: number) {
    const { clock } = this
    this.#chance = chanceOf(seed)
    const said = (what: string): void => this.#say(what)
    this.#trouble = new Trouble({ seed, clock, chance: this.#chance, paths: [/./, /segments/, /progress/], said })
    this.ledger.savedAfterMs = 120 + 60 * (this.#trouble.latencyMs + SLICE_MS)
    this.#atOnce = this.#chance.pick([0, 0, 0.5, 0.9])
    this.#life = lifeClock(this.clock)
    const first = this.#chance.pick([1024, 2048, 8192])
    this.#options = {
      folder: '/log',
      segmentBytes: { first, max: first * this.#chance.pick([1, 4]) },
      bytesMax: this.#chance.pick([30_000, 1_000_000, 1_000_000]),
      retentionBytes: this.#chance.pick([0, 4000, 1_000_000]),
      retentionMs: this.#chance.pick([500, 3_600_000]),
      parkedMax: this.#chance.pick([4, 1000]),
      pendingBytesMax: this.#chance.pick([4000, 1_000_000, 1_000_000, 1_000_000]),
    }
  }

  // --- The course ---

  async go(): Promise<void> {
    await this.#open()
    for (let step = 0; step < STEPS && this.ledger.problem === ''; step++) {
      await this.#step()
      await this.#turn()
      this.#check()
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
    if (this.#channel === undefined) return await this.#open()
    if (dice < 24) this.#publish()
    else if (dice < 50) this.#work()
    else if (dice < 70) await this.#pass(this.#chance.pick([1, 3, 10, 10, 60, 60, 300, 1500]))
    else if (dice < 77) this.#subscribeOne()
    else if (dice < 86) this.#change()
    else if (dice < 89) this.#trouble.begin()
    else if (dice < 93) this.#trouble.end()
    else if (dice < 97) await this.#restart()
    else if (dice < 98) this.#read()
    else this.#remove()
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

  // --- Publishing ---

  #publish(): void {
    const count = this.#chance() < 0.1 ? 100 : 1 + this.#chance.below(6)
    const lane = this.#chance() < 0.3 ? 'reply' : 'ingress'
    const all: Sent[] = []
    const events = Array.from({ length: count }, () => {
      const id = `e${++this.#ids}`
      const type = this.#chance.below(TYPES.length)
      const key = `k${this.#chance.below(3)}`
      const size = this.#chance.pick([0, 10, 10, 200, 900, 3000])
      const { life } = this.ledger
      all.push({ id, type, key, size, time: this.clock.now(), status: 'open', life, position: undefined })
      const attributes = { specversion: '1.0', id, source: '/sim', type: TYPES[type]!, partitionkey: key }
      return new Event(new Map(Object.entries(attributes)), size === 0 ? undefined : Buffer.alloc(size, id))
    })
    this.#say(`publish ${all[0]!.id} to ${all.at(-1)!.id} (${lane})`)
    for (const sent of all) this.ledger.send(sent)
    const { life } = this.ledger
    this.#underWay++
    void this.#channel!.publish(events, { lane }).then((results) => {
      if (life !== this.ledger.life || this.#isOver) return
      this.#underWay--
      results.forEach((result, i) => {
        if (result.stored) this.ledger.stored(all[i]!, Number(result.position))
        else this.ledger.refused(all[i]!)
      })
      const refused = results.filter(({ stored }) => !stored).length
      this.#say(`  ${all[0]!.id}: ${count - refused} stored, ${refused} refused`)
    })
  }

  // --- Receiving ---

  #deliver(subscriber: Subscriber, life: number, delivery: Delivery): void {
    if (life === this.ledger.life)
      this.#say(`  ${subscriber.id} ◀ ${delivery.event.id} (${delivery.position}), attempt ${delivery.attempt}`)
    this.ledger.deliver(subscriber, life, delivery)
    if (life !== this.ledger.life || this.ledger.problem !== '') return
    if (this.#chance() < this.#atOnce) this.#end(subscriber, subscriber.out.length - 1)
  }

  #end(subscriber: Subscriber, index: number): void {
    const { id } = subscriber.out[index]!.delivery.event
    if (this.#isEnding || this.#chance() < 0.75) {
      this.#say(`  ${subscriber.id} settles ${id}`)
      this.ledger.settle(subscriber, index)
    } else {
      const attempt = this.#chance() < 0.7 ? 'used' : 'unused'
      const delayMs = this.#chance.pick([0, 20, 200, 2000])
      this.#say(`  ${subscriber.id} releases ${id} for ${delayMs}, ${attempt}`)
      this.ledger.release(subscriber, index, delayMs, attempt)
    }
  }

  #work(): void {
    for (const subscriber of this.ledger.subscribers.values()) {
      let count = this.#chance.pick([0, 1, 2, 5, 100])
      for (; count > 0 && subscriber.out.length > 0; count--)
        this.#end(subscriber, this.#chance.below(subscriber.out.length))
    }
  }

  // --- Subscriptions ---

  #subscribeOne(): void {
    const id = `s${this.#chance.below(SUBSCRIBERS)}`
    const known = this.ledger.subscribers.get(id)
    if (known === undefined) this.#subscribeNew(id)
    else if (known.state === 'absent' || known.state === 'closed') this.#takeUp(known)
  }

  #subscribeNew(id: string): void {
    const channel = this.#channel!
    // One that was refused and is there all the same is removed first.
    if ([...channel.subscriptions()].includes(id)) return void channel.remove(id).catch(() => {})
    const accepts = 1 + this.#chance.below(7)
    const subscriber: Subscriber = {
      id,
      accepts,
      order: this.#chance.pick(['none', 'key']),
      window: this.#chance.pick([1, 2, 5, 30]),
      narrowedAt: -Infinity,
      paused: this.#chance() < 0.1,
      state: 'opening',
      isCertain: false,
      owed: new Map(),
      exempt: new Set(),
      exemptSettled: new Set(),
      openedAt: this.clock.monotonic(),
      seeking: 0,
      isSeekCertain: true,
      out: [],
      lost: [],
    }
    this.ledger.subscribers.set(id, subscriber)
    const start = this.#start(true)
    this.#say(
      `subscribe ${id} anew from ${JSON.stringify(start)}, types ${accepts}, ${subscriber.order}, window ${subscriber.window}`,
    )
    if (start !== 'latest') this.ledger.moveAnywhere(subscriber)
    const { life } = this.ledger
    void this.#open1(subscriber, start).then(
      async () => {
        if (life !== this.ledger.life) return
        this.#say(`  ${id} is subscribed`)
        subscriber.state = 'open'
        subscriber.isCertain = true
      },
      (error: Error) => {
        if (life !== this.ledger.life) return
        this.#say(`  ${id} is refused: ${error.message}`)
        this.ledger.subscribers.delete(id)
        this.#ghosts.add(id)
      },
    )
  }

  #takeUp(subscriber: Subscriber): void {
    const { id } = subscriber
    const before = { accepts: subscriber.accepts, order: subscriber.order }
    if (this.#chance() < 0.2) subscriber.order = subscriber.order === 'key' ? 'none' : 'key'
    if (subscriber.order !== before.order || subscriber.exempt.size > 0) {
      for (const owed of subscriber.owed.values()) if (owed.state !== 'settled') subscriber.exempt.add(owed.sent.id)
    }
    if (this.#chance() < 0.2) this.ledger.setFilter(subscriber, 1 + this.#chance.below(7))
    const window = this.#chance.pick([1, 2, 5, 30])
    if (window < subscriber.window) subscriber.narrowedAt = this.clock.monotonic()
    subscriber.window = window
    subscriber.paused = this.#chance() < 0.1
    subscriber.state = 'open'
    subscriber.openedAt = this.clock.monotonic()
    this.#say(`take up ${id}, types ${subscriber.accepts}, ${subscriber.order}, window ${subscriber.window}`)
    const { life } = this.ledger
    this.#open1(subscriber, 'latest').catch((error: Error) => {
      if (life === this.ledger.life) this.ledger.wrong(`${id} can't be taken up: ${error.message}`)
    })
  }

  async #open1(subscriber: Subscriber, start: Start): Promise<void> {
    const { id, accepts, order, window, paused } = subscriber
    const spec: SubscriptionSpec = { id, filter: accepting(accepts), start, order, window: windowOf(window), paused }
    const { life } = this.ledger
    const subscription = await this.#channel!.subscribe(spec, (delivery) => this.#deliver(subscriber, life, delivery))
    if (life !== this.ledger.life) return
    this.#handles.set(id, subscription)
    subscription.onLoss(({ events, range, cause }) => {
      if (life !== this.ledger.life) return
      this.#say(`  ${id} lost ${events}: ${range?.join(' to ')}`)
      if (!this.#isDamaged)
        this.ledger.wrong(`${id} is told a loss of ${range?.join(' to ')} by ${cause}, and there is none`)
      subscriber.lost.push([Number(range![0]), Number(range![1])])
    })
  }

  readonly #isDamaged = false

  #start(isNew: boolean): Start {
    const stored = [...this.ledger.sent.values()].filter(({ status }) => status === 'stored')
    const some = stored[this.#chance.below(stored.length)]
    const dice = this.#chance()
    if (dice < (isNew ? 0.6 : 0.15) || some === undefined) return 'latest'
    if (dice < 0.8) return 'earliest'
    return dice < 0.9 ? { after: String(some.position) } : { time: some.time }
  }

  #change(): void {
    const subscriber = this.#subscriber('open')
    const subscription = subscriber && this.#handles.get(subscriber.id)
    if (subscriber === undefined || subscription === undefined) return
    const dice = this.#chance()
    if (dice < 0.2) {
      this.#say(`${subscriber.paused ? 'resume' : 'pause'} ${subscriber.id}`)
      subscriber.paused = !subscriber.paused
      if (subscriber.paused) subscription.pause()
      else subscription.resume()
    } else if (dice < 0.3) {
      this.#say(`close ${subscriber.id}`)
      subscriber.state = 'closed'
      void subscription.close()
    } else if (dice < 0.6) {
      const accepts = 1 + this.#chance.below(7)
      this.#say(`types ${accepts} for ${subscriber.id}`)
      this.ledger.setFilter(subscriber, accepts)
      void subscription.update({ filter: accepting(accepts) })
    } else if (dice < 0.75) {
      const window = this.#chance.pick([1, 2, 5, 30])
      if (window < subscriber.window) subscriber.narrowedAt = this.clock.monotonic()
      subscriber.window = window
      this.#say(`window ${subscriber.window} for ${subscriber.id}`)
      void subscription.update({ window: windowOf(subscriber.window) })
    } else this.#seek(subscriber, subscription)
  }

  #seek(subscriber: Subscriber, subscription: Subscription): void {
    const start = this.#start(false)
    const { id } = subscriber
    this.#say(`seek ${id} to ${JSON.stringify(start)}`)
    subscriber.seeking++
    subscriber.isSeekCertain = false
    const called = new Set(this.ledger.sent.keys())
    const calledAt = this.clock.monotonic()
    const { accepts } = subscriber
    const { life } = this.ledger
    // Until it is known to have moved, anything that matches may come, and nothing has to.
    this.ledger.moveAnywhere(subscriber)
    void subscription.seek(start).then(
      async () => {
        if (life !== this.ledger.life) return
        this.#say(`  ${id} is at ${JSON.stringify(start)}`)
        this.ledger.hasMoved(subscriber, calledAt)
        if (--subscriber.seeking > 0) return
        subscriber.isSeekCertain = true
        const first = await this.#firstStored()
        if (life !== this.ledger.life || subscriber.seeking > 0 || subscriber.accepts !== accepts) return
        this.ledger.moved(subscriber, called, (sent) => isAtOrAfter(sent, start) && sent.position! >= first)
      },
      (error: Error) => {
        if (life !== this.ledger.life) return
        this.#say(`  ${id} did not seek: ${error.message}`)
        this.ledger.hasMoved(subscriber, calledAt)
        subscriber.seeking--
      },
    )
  }

  /** The lowest position that is certainly stored. */
  async #firstStored(): Promise<number> {
    const [first] = await this.#channel!.read({ limit: 1 })
    return first === undefined ? Infinity : Number(first.position)
  }

  #remove(): void {
    const subscriber = this.#subscriber('open') ?? this.#subscriber('closed')
    if (subscriber === undefined) return
    const { id } = subscriber
    this.#say(`remove ${id}`)
    subscriber.state = 'leaving'
    subscriber.isCertain = false
    const { life } = this.ledger
    void this.#channel!.remove(id).then(
      () => {
        if (life !== this.ledger.life) return
        this.#say(`  ${id} is removed`)
        this.ledger.subscribers.delete(id)
        this.#handles.delete(id)
      },
      (error: Error) => {
        if (life !== this.ledger.life) return
        this.#say(`  ${id} is not removed: ${error.message}`)
        subscriber.state = 'closed'
        // Where the process ends, it may be removed all the same. It was closed at once, and what was out then may have ended as if it were gone.
        for (const owed of subscriber.owed.values()) owed.must = false
      },
    )
  }

  /** Subscriptions that were refused: where the process ends, one may be there all the same. */
  readonly #ghosts = new Set<string>()

  #subscriber(state: Subscriber['state']): Subscriber | undefined {
    const found = [...this.ledger.subscribers.values()].filter((subscriber) => subscriber.state === state)
    return found[this.#chance.below(found.length)]
  }

  // --- Browsing ---

  /** Browses: whatever comes is in order, whole, and what was asked for. */
  #read(): void {
    const start = this.#start(false)
    if (start === 'latest') return
    const accepts = 1 + this.#chance.below(7)
    const limit = this.#chance.pick([1, 5, 1000])
    this.#say(`read from ${JSON.stringify(start)}, types ${accepts}, ${limit} at most`)
    const { life } = this.ledger
    void this.#channel!.read({ from: start, filter: accepting(accepts), limit }).then((found) => {
      if (life === this.ledger.life) this.ledger.browsed(found, accepts, limit)
    })
  }

  // --- Lives ---

  async #open(): Promise<void> {
    const { life } = this.ledger
    this.#say(`open, life ${life}`)
    let isDone = false
    const opening = openLogChannel({ ...this.#options, disk: this.#trouble.disk, clock: this.#life })
    opening.then(
      ({ channel, recovery }) => {
        isDone = true
        if (life !== this.ledger.life) return
        this.#say(
          `  is open: ${recovery.events.segments} segments, torn ${recovery.events.tornBytes}${recovery.isRewound ? ', rewound' : ''}`,
        )
        this.#isOpen(channel, recovery.isRewound)
        for (const problem of recovery.events.problems) this.ledger.wrong(`damage is told: ${JSON.stringify(problem)}`)
      },
      (error: Error) => {
        isDone = true
        if (life === this.ledger.life) this.#say(`  does not open: ${error.message}`)
      },
    )
    const patience = this.#chance() < 0.15 ? this.#chance.below(12) : SLICES_MAX
    for (let i = 0; i < patience && !isDone; i++) {
      this.clock.advance(SLICE_MS)
      await this.#turn()
    }
    if (this.#channel !== undefined || this.ledger.life !== life) return
    if (!isDone) {
      if (patience === SLICES_MAX) this.ledger.wrong('it does not open, and does not say why')
      this.#say('  the process ends while it opens')
      this.#crash(this.#chance() < 0.5)
    } else {
      // A process that can't open its log ends, and is started again.
      if (this.#chance() < 0.5) this.#trouble.end()
      this.#crash(false)
    }
  }

  #isOpen(channel: Channel, isRewound: boolean): void {
    this.#channel = channel
    if (isRewound) this.ledger.wrong('it is rewound')
    const known = new Set(channel.subscriptions())
    for (const subscriber of this.ledger.subscribers.values()) {
      const { id, isCertain } = subscriber
      if (known.has(id)) subscriber.isCertain = true
      else if (isCertain) this.ledger.wrong(`${id} is forgotten`)
      else this.ledger.subscribers.delete(id)
    }
    for (const id of known) {
      if (this.ledger.subscribers.has(id)) continue
      if (this.#ghosts.has(id)) void channel.remove(id).catch(() => {})
      else this.ledger.wrong(`${id} was removed, and is there again`)
    }
    for (const subscriber of this.ledger.subscribers.values()) {
      if (this.#chance() < 0.8) this.#takeUp(subscriber)
    }
  }

  async #restart(): Promise<void> {
    const dice = this.#chance()
    if (dice < 0.25) await this.#close()
    else this.#crash(dice < 0.6)
  }

  #crash(power: boolean): void {
    this.#say(power ? 'power off' : 'kill -9')
    this.#life.end()
    this.#trouble.crash(power)
    this.#end1(false)
  }

  #end1(isClean: boolean): void {
    this.#life.end()
    this.#life = lifeClock(this.clock)
    this.#channel = undefined
    this.#handles.clear()
    this.#underWay = 0
    this.ledger.end(isClean)
    for (const subscriber of this.ledger.subscribers.values()) {
      if (subscriber.state === 'opening' || subscriber.state === 'leaving') subscriber.isCertain = false
      subscriber.state = 'absent'
    }
  }

  async #close(): Promise<void> {
    this.#say('close')
    const channel = this.#channel!
    const wasFaulty = this.#trouble.until >= this.clock.monotonic()
    const hadWork = this.#underWay > 0
    let isDone = false
    void channel.close({ deadlineMs: this.#chance.pick([0, 50]) }).then(() => (isDone = true))
    for (let i = 0; i < SLICES_MAX && !isDone; i++) {
      this.clock.advance(SLICE_MS)
      await this.#turn()
    }
    if (!isDone) this.ledger.wrong('it does not close')
    this.#trouble.crash(this.#chance() < 0.5)
    this.#end1(!wasFaulty && !hadWork)
  }

  // --- In the end ---

  #check(): void {
    if (this.#channel === undefined || this.#underWay > 0 || this.ledger.problem !== '') return
    for (const subscriber of this.ledger.subscribers.values()) {
      const subscription = this.#handles.get(subscriber.id)
      if (subscriber.state !== 'open' || subscription === undefined || subscriber.seeking > 0) continue
      const { events, bound, inFlight } = subscription.lag()
      const { least, most } = this.ledger.lag(subscriber)
      const isWrong = events < least || (bound === 'exact' && events > most) || inFlight < subscriber.out.length
      if (!isWrong) continue
      const where = this.ledger.lagOf(subscriber)
      this.ledger.wrong(`${subscriber.id} has a lag of ${events} (${bound}), and it is ${least} to ${most}: ${where}`)
    }
  }

  /** Everything works again: whatever has to come comes, and in the end nothing is left. */
  async #finish(): Promise<void> {
    this.#say('the end')
    this.#isEnding = true
    this.#trouble.end()
    while (this.#channel === undefined && this.ledger.problem === '') await this.#open()
    await this.#settled()
    await this.#pass(4000) // what failed is tried again by now
    await this.#close()
    if (this.ledger.problem !== '') return
    const before = this.ledger.promised
    const missing = this.#isOwed()
    while (this.#channel === undefined && this.ledger.problem === '') await this.#open()
    await this.#settled()
    if (!missing && this.ledger.promised > before) this.ledger.wrong('something came after all was settled and closed')
    await this.#close()
  }

  #isOwed(): boolean {
    return [...this.ledger.subscribers.values()].some((subscriber) => this.ledger.lag(subscriber).least > 0)
  }

  async #settled(): Promise<void> {
    for (let round = 0; round < 3000 && this.ledger.problem === ''; round++) {
      for (const subscriber of this.ledger.subscribers.values()) {
        if (subscriber.state === 'absent' || subscriber.state === 'closed') this.#takeUp(subscriber)
        const subscription = this.#handles.get(subscriber.id)
        if (subscriber.paused && subscription !== undefined && subscriber.state === 'open') {
          subscriber.paused = false
          subscription.resume()
        }
        while (subscriber.out.length > 0) this.ledger.settle(subscriber, 0)
      }
      await this.#pass(20)
      this.#check()
      const isQuiet = [...this.ledger.subscribers.values()].every(
        (each) => each.out.length === 0 && this.#handles.get(each.id)?.lag().events === 0 && each.state === 'open',
      )
      if (isQuiet && this.#underWay === 0) break
    }
    for (const subscriber of this.ledger.subscribers.values()) {
      for (const { sent } of this.ledger.missing(subscriber)) {
        this.ledger.wrong(`${subscriber.id} never got ${sent.id} (${sent.position}), which was stored`)
      }
      const lag = this.#handles.get(subscriber.id)?.lag()
      if (lag === undefined || lag.events > 0)
        this.ledger.wrong(`${subscriber.id} has a lag of ${lag?.events} in the end`)
    }
  }

  #say(what: string): void {
    if (this.#isOver || this.history.at(-1)?.includes(' !! ')) return
    this.history.push(`${this.clock.monotonic().toFixed(1)} ${what}`)
  }
}

function isAtOrAfter(sent: Sent, start: Start): boolean {
  if (start === 'earliest') return true
  if (start === 'latest') return false
  return 'after' in start ? sent.position! > Number(start.after) : sent.time >= start.time
}

/** A filter that passes the types whose bits are set. */
function accepting(bits: number): Filter {
  const types = TYPES.filter((_, i) => (bits & (1 << i)) !== 0)
  return {
    ast: { kind: 'any', of: types.map((value) => ({ kind: 'exact', attribute: 'type', value })) },
    needsData: false,
    matches: (event) => types.includes(event.attribute('type') as (typeof TYPES)[number]),
  }
}

function windowOf(events: number): { events: number; bytes: number } {
  return { events, bytes: 1e9 }
}
