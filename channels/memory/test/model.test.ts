// The in-memory channel against a plain slow model, over thousands of random lives of a channel. After each command:
// the books (bytes, events, lag) agree, every bound holds, order by key holds, and nothing was lost or doubled. In the
// end everything settles, and not a byte is left.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryChannel } from '@sluice/channel-memory'
import { INGRESS_SHARE, orderingKey, repeatsMax, type Channel, type Delivery, type Subscription } from '@sluice/channel'
import { manualClock, type ManualClock } from '@sluice/clock'
import { Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'

const TYPES = ['a', 'b', 'c'] as const
const BYTES_MAX = 64 * 1024
const PARKED_MAX = 6

type Command =
  | { do: 'publish'; events: { type: number; key: number; size: number }[]; lane: 'ingress' | 'reply' }
  | { do: 'settle' | 'giveBack'; sub: number; nth: number }
  | { do: 'release'; sub: number; nth: number; delayMs: number }
  | { do: 'advance'; ms: number }
  | { do: 'seek'; sub: number; to: 'earliest' | 'latest' | 'after' | 'time'; nth: number }
  | { do: 'remove' | 'close' | 'pause' | 'resume'; sub: number }
  | {
      do: 'subscribe'
      sub: number
      accepts: number
      order: 'none' | 'key'
      window: number
      start: 'latest' | 'earliest'
    }
  | { do: 'update'; sub: number; accepts: number; window: number }

const sub = fc.nat(2)
const nth = fc.nat(20)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      events: fc.array(fc.record({ type: fc.nat(2), key: fc.nat(2), size: fc.constantFrom(0, 10, 900, 5000) }), {
        minLength: 1,
        maxLength: 6,
      }),
      lane: fc.constantFrom('ingress' as const, 'ingress' as const, 'reply' as const),
    }),
  },
  { weight: 9, arbitrary: fc.record({ do: fc.constant('settle' as const), sub, nth }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('giveBack' as const), sub, nth }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('release' as const), sub, nth, delayMs: fc.constantFrom(0, 10, 100, 5000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(0, 5, 60, 200, 6000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('seek' as const),
      sub,
      to: fc.constantFrom('earliest' as const, 'latest' as const, 'after' as const, 'time' as const),
      nth,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('remove' as const, 'close' as const, 'pause' as const), sub }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resume' as const), sub }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      sub,
      accepts: fc.integer({ min: 1, max: 7 }),
      order: fc.constantFrom('none' as const, 'key' as const),
      window: fc.integer({ min: 1, max: 5 }),
      start: fc.constantFrom('latest' as const, 'earliest' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('update' as const),
      sub,
      accepts: fc.integer({ min: 1, max: 7 }),
      window: fc.integer({ min: 1, max: 5 }),
    }),
  },
)

/** One owed event, in the model. */
interface Owed {
  id: string
  key: string
  state: 'waiting' | 'out' | 'parked'
  /** Tries made. */
  tries: number
  dueMs: number
  /** It was out before. */
  isRepeat: boolean
}

interface ModelSubscription {
  /** What it is owed, in the order in which it was stored or sought; by the id of the event. */
  owed: Map<string, Owed>
  accepts: number
  order: 'none' | 'key'
  /** Ids taken before the order became `key`: while any is owed, order does not hold yet. */
  unordered: Set<string>
  window: number
  paused: boolean
  open: boolean
  subscription: Subscription
  out: Delivery[]
}

class Run {
  readonly clock: ManualClock = manualClock()
  readonly history: boolean
  readonly channel: Channel
  readonly subs = new Map<number, ModelSubscription>()
  /** Everything stored, for seeks; with its type's bit. */
  readonly stored: { id: string; key: string; bit: number; position: string; time: number }[] = []
  problem = ''
  #ids = 0

  constructor(history: boolean) {
    this.history = history
    this.channel = memoryChannel({
      clock: this.clock,
      parkedMax: PARKED_MAX,
      // With history, as much as there is: the model forgets nothing.
      ...(history ? { historyBytes: 1e9, bytesMax: 1e9 } : { bytesMax: BYTES_MAX }),
    })
  }

  async apply(command: Command): Promise<void> {
    switch (command.do) {
      case 'publish':
        return this.publish(command.events, command.lane)
      case 'advance':
        this.clock.advance(command.ms)
        return
      case 'subscribe':
        return this.subscribe(command)
      default:
        return this.applyTo(command)
    }
  }

  async applyTo(command: Exclude<Command, { do: 'publish' | 'advance' | 'subscribe' }>): Promise<void> {
    const model = this.subs.get(command.sub)
    if (model === undefined) return
    switch (command.do) {
      case 'settle':
      case 'giveBack':
      case 'release':
        return this.finish(model, command)
      case 'seek':
        return this.seek(model, command.to, command.nth)
      case 'remove':
        return this.remove(command.sub, model)
      case 'close':
        await model.subscription.close()
        model.open = false
        return
      case 'pause':
        model.paused = true
        model.subscription.pause()
        return
      case 'resume':
        model.paused = false
        model.subscription.resume()
        return
      case 'update':
        model.accepts = command.accepts
        model.window = command.window
        await model.subscription.update({ filter: accepting(command.accepts), window: windowOf(command.window) })
    }
  }

  async publish(events: { type: number; key: number; size: number }[], lane: 'ingress' | 'reply'): Promise<void> {
    for (const { type, key, size } of events) {
      const id = `e${++this.#ids}`
      const event = new Event(
        new Map([
          ['specversion', '1.0'],
          ['id', id],
          ['source', '/model'],
          ['type', TYPES[type]!],
          ['partitionkey', `k${key}`],
        ]),
        size === 0 ? undefined : Buffer.alloc(size, id),
      )
      const takers = [...this.subs.values()].filter(({ accepts }) => (accepts & (1 << type)) !== 0)
      // Deliveries come inside publish: the model has to expect them.
      for (const model of takers)
        model.owed.set(id, { id, key: `k${key}`, state: 'waiting', tries: 0, dueMs: 0, isRepeat: false })
      const before = this.channel.usage().bytes
      const [result] = await this.channel.publish([event], { lane })
      if (result!.stored) {
        if (takers.length > 0) expect(result!.position).toBeDefined()
        if (result!.position !== undefined) {
          this.stored.push({ id, key: `k${key}`, bit: 1 << type, position: result!.position, time: this.clock.now() })
        }
        if (lane === 'ingress' && !this.history) {
          expect(this.channel.usage().bytes).toBeLessThanOrEqual(Math.max(before, BYTES_MAX * INGRESS_SHARE))
        }
      } else {
        expect(result!.error.code).toBe('SLUICE_CHANNEL_FULL')
        for (const model of takers) model.owed.delete(id)
      }
    }
  }

  async subscribe(command: Extract<Command, { do: 'subscribe' }>): Promise<void> {
    const { accepts, order, window } = command
    const spec = { id: `s${command.sub}`, filter: accepting(accepts), order, window: windowOf(window) }
    const known = this.subs.get(command.sub)
    if (known?.open) {
      await expect(this.channel.subscribe(spec, () => {})).rejects.toMatchObject({ code: 'SLUICE_CHANNEL_SUBSCRIBED' })
      return
    }
    const start = this.history ? command.start : 'latest'
    const model: ModelSubscription = known ?? {
      owed: new Map(),
      accepts,
      order,
      unordered: new Set(),
      window,
      paused: false,
      open: true,
      subscription: undefined as unknown as Subscription,
      out: [],
    }
    if (known === undefined) {
      this.subs.set(command.sub, model)
      if (start === 'earliest') this.#owe(model, () => true)
    } else if (known.order !== order) {
      // What was taken is what the channel has handed out, or held: in the model, what is not waiting; held ones are
      // ordered among themselves, as they were never out.
      known.unordered = new Set()
      if (order === 'key') for (const owed of known.owed.values()) known.unordered.add(owed.id)
    }
    Object.assign(model, { accepts, order, window, paused: false, open: true })
    model.subscription = await this.channel.subscribe({ ...spec, start }, (delivery) => this.deliver(model, delivery))
  }

  /** From the channel. Whatever is wrong is kept, as `deliver` must not throw. */
  deliver(model: ModelSubscription, delivery: Delivery): void {
    const { id } = delivery.event
    const owed = model.owed.get(id)
    const wrong = (what: string): void => {
      this.problem ||= `${id}: ${what}`
    }
    if (owed === undefined) return wrong('handed over, and not owed')
    if (!model.open || model.paused) wrong('handed over to a subscription that is closed or paused')
    if (owed.state === 'out') wrong('handed over while it is out')
    if (owed.state === 'parked' && this.clock.monotonic() < owed.dueMs) wrong('handed over before it is due')
    if (delivery.attempt !== owed.tries + 1) wrong(`attempt ${delivery.attempt} after ${owed.tries} tries`)
    if (
      delivery.event.data !== undefined &&
      !delivery.event.data.equals(Buffer.alloc(delivery.event.data.length, id))
    ) {
      wrong('its data is not what was published')
    }
    if (model.order === 'key' && ![...model.unordered].some((old) => model.owed.has(old))) {
      for (const other of model.owed.values()) {
        if (other.id === id) break
        if (other.key === owed.key) wrong(`handed over before ${other.id}, which has the same key`)
      }
    }
    if (model.out.length >= model.window) wrong('handed over beyond the window')
    owed.state = 'out'
    owed.tries++
    model.out.push(delivery)
    // Every event reports its key the way the contract says.
    if (orderingKey(delivery.event) !== owed.key) wrong('its key changed')
  }

  finish(model: ModelSubscription, command: Extract<Command, { do: 'settle' | 'giveBack' | 'release' }>): void {
    if (model.out.length === 0) return
    const [delivery] = model.out.splice(command.nth % model.out.length, 1)
    const { id } = delivery!.event
    const owed = model.owed.get(id)!
    if (command.do === 'settle') {
      model.owed.delete(id)
      delivery!.settle()
      return
    }
    const delayMs = command.do === 'release' ? command.delayMs : 0
    owed.state = 'parked'
    owed.isRepeat = true
    owed.dueMs = this.clock.monotonic() + delayMs
    if (command.do === 'giveBack') owed.tries--
    delivery!.release(delayMs, command.do === 'giveBack' ? 'unused' : 'used')
  }

  async seek(model: ModelSubscription, to: 'earliest' | 'latest' | 'after' | 'time', which: number): Promise<void> {
    if (!this.history) {
      await expect(model.subscription.seek('latest')).rejects.toMatchObject({ subject: 'seek' })
      return
    }
    const from = this.stored[which % Math.max(1, this.stored.length)]
    if ((to === 'after' || to === 'time') && from === undefined) return
    const index = this.stored.indexOf(from!)
    // Everything that is out stays owed, at its place; the rest is what lies after the start.
    for (const owed of [...model.owed.values()]) if (owed.state !== 'out') model.owed.delete(owed.id)
    for (const old of model.unordered) if (!model.owed.has(old)) model.unordered.delete(old)
    this.#owe(model, (at) => {
      if (to === 'latest') return false
      if (to === 'earliest') return true
      return to === 'after' ? at > index : this.stored[at]!.time >= from!.time
    })
    await model.subscription.seek(
      to === 'after' ? { after: from!.position } : to === 'time' ? { time: from!.time } : to,
    )
  }

  /** Owes it what is stored and chosen, unless it is owed already; with history large enough, all of it is stored. */
  #owe(model: ModelSubscription, chosen: (index: number) => boolean): void {
    for (const [at, { id, key, bit }] of this.stored.entries()) {
      if (!chosen(at) || (model.accepts & bit) === 0 || model.owed.has(id)) continue
      model.owed.set(id, { id, key, state: 'waiting', tries: 0, dueMs: 0, isRepeat: false })
    }
  }

  async remove(index: number, model: ModelSubscription): Promise<void> {
    this.subs.delete(index)
    const { discarded } = await this.channel.remove(`s${index}`)
    expect(discarded).toBe(model.owed.size - model.out.length)
    // Whatever is out may end either way, and is heard of no more.
    model.open = false
    for (const [i, delivery] of model.out.entries()) {
      if (i % 2 === 0) delivery.settle()
      else delivery.release(0)
    }
  }

  check(): void {
    expect(this.problem).toBe('')
    const { bytes, bytesMax } = this.channel.usage()
    expect(bytes).toBeGreaterThanOrEqual(0)
    expect(bytes).toBeLessThanOrEqual(bytesMax)
    for (const model of this.subs.values()) {
      const { events, inFlight, parked } = model.subscription.lag()
      expect(events).toBe(model.owed.size)
      expect(inFlight).toBe(model.out.length)
      const parkedInModel = [...model.owed.values()].filter(({ state }) => state === 'parked').length
      expect(parked).toBe(parkedInModel)
      expect(parked).toBeLessThanOrEqual(PARKED_MAX)
      this.#checkNothingIdles(model)
    }
  }

  /** An open subscription with room hands out whatever may go: nothing waits without a reason. */
  #checkNothingIdles(model: ModelSubscription): void {
    if (!model.open || model.paused || model.out.length >= model.window) return
    const now = this.clock.monotonic()
    const owed = [...model.owed.values()]
    const isDue = owed.some(({ state, dueMs }) => state === 'parked' && dueMs + 5 <= now)
    const repeats = owed.filter(({ state, isRepeat }) => state === 'out' && isRepeat).length
    const mayRepeat = repeats < repeatsMax(model.window)
    expect(isDue && mayRepeat, 'a parked event is due, the window has room, and it is not handed over').toBe(false)
    const parked = owed.filter(({ state }) => state === 'parked').length
    if (parked + model.out.length >= PARKED_MAX || model.unordered.size > 0) return
    const blocked = new Set(
      model.order === 'key' ? owed.filter(({ state }) => state !== 'waiting').map(({ key }) => key) : [],
    )
    const idle = owed.find(({ state, key }) => state === 'waiting' && !blocked.has(key))
    expect(idle, 'an event waits, and nothing is in its way').toBeUndefined()
  }

  /** Settles everything there is; then the channel is empty. */
  async drain(): Promise<void> {
    for (const model of this.subs.values()) {
      model.paused = false
      if (model.open) model.subscription.resume()
    }
    for (const [index, model] of this.subs) if (!model.open) await this.remove(index, model)
    for (let rounds = 0; rounds < 2000 && [...this.subs.values()].some(({ owed }) => owed.size > 0); rounds++) {
      for (const model of this.subs.values()) this.finish(model, { do: 'settle', sub: 0, nth: rounds })
      this.clock.advance(100)
    }
    this.check()
    for (const { owed } of this.subs.values()) expect([...owed.keys()]).toEqual([])
    if (!this.history) expect(this.channel.usage()).toMatchObject({ bytes: 0, events: 0 })
    await this.channel.close({ deadlineMs: 0 })
    expect(this.clock.pending).toBe(0)
  }
}

describe.each([
  ['without history', false],
  ['with history', true],
])('the in-memory channel %s', (_, history) => {
  test(
    'agrees with the model after every command, and ends empty (faults 38, 39, 40)',
    { timeout: 60_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(command, { minLength: 1, maxLength: history ? 60 : 150, size: 'max' }),
          async (commands) => {
            const run = new Run(history)
            for (const each of commands) {
              await run.apply(each)
              run.check()
            }
            await run.drain()
          },
        ),
        { numRuns: 300 },
      )
    },
  )
})

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
