// Whatever happens to the attempts: every event that a trigger was to get ends exactly once, nothing settles before
// its end is stored, nothing leaves the dead-letter box before it is delivered or stands there twice, and in the end the
// channel is empty. A random script runs on the real broker; a ledger beside it says what has to be true.

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ChannelUsage, Delivery } from '@sluice/channel'
import type { Outcome } from '@sluice/delivery'
import type { Event } from '@sluice/event'
import { event, filterFor, openScene, outcome, target, trigger, type Attempt, type Scene } from './scene.ts'

const TRIGGERS = ['a', 'b', 'c'] as const
type Name = (typeof TRIGGERS)[number]

/** Triggers take one type each, or (c) every event. */
const TYPES: Record<Name, string | undefined> = { a: 'a', b: 'b', c: undefined }

type Step =
  | { readonly do: 'accept'; readonly type: 'a' | 'b'; readonly key: 'k' | 'l'; readonly bytes: number }
  | { readonly do: 'answer'; readonly which: number; readonly status: number; readonly reply: 'a' | 'b' | undefined }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'change'; readonly name: Name; readonly sink: boolean; readonly order: 'none' | 'key'; to: number }
  | { readonly do: 'pause'; readonly name: Name; readonly paused: boolean }
  | { readonly do: 'remove'; readonly name: Name }
  | { readonly do: 'unbox' }
  | { readonly do: 'redrive'; readonly name: Name | undefined; readonly which: number }

const name = fc.constantFrom(...TRIGGERS)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('accept' as const),
      type: fc.constantFrom('a' as const, 'b' as const),
      key: fc.constantFrom('k' as const, 'l' as const),
      bytes: fc.nat(1000),
    }),
  },
  {
    weight: 16,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      which: fc.nat(),
      status: fc.constantFrom(200, 200, 200, 200, 400, 500, 503, 0),
      reply: fc.constantFrom('a' as const, 'b' as const, undefined, undefined),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(5, 200, 1000, 12_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      name,
      sink: fc.boolean(),
      order: fc.constantFrom('none' as const, 'key' as const),
      to: fc.nat(2),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), name, paused: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unbox' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('redrive' as const),
      name: fc.option(name, { nil: undefined }),
      which: fc.nat(),
    }),
  },
)

test('every accepted event of every matching trigger ends in exactly one of delivered, sink, box or discarded', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 300, size: 'max' }), async (steps) => {
      const play = await openPlay()
      for (const each of steps) await play.run(each)
      await play.finish()
      const { early, wrong, usage } = play.faults()
      expect({ early, wrong, ...usage }).toMatchObject({ early: [], wrong: [], events: 0, bytes: 0 })
    }),
    { numRuns: 300 },
  )
}, 120_000)

interface Play {
  run(each: Step): Promise<void>
  /** Lets everything that still waits reach its end. */
  finish(): Promise<void>
  faults(): Faults
}

interface Faults {
  /** Settled, or taken out of the box, before what they ended in was stored. */
  readonly early: readonly string[]
  /** Ended never, or twice; in the box twice. */
  readonly wrong: readonly string[]
  readonly usage: ChannelUsage
}

async function openPlay(): Promise<Play> {
  /** `trigger event` of everything that a trigger was to get. */
  const due = new Set<string>()
  /** How often it has ended. */
  const ends = new Map<string, number>()
  const discarded = new Map<string, number>()
  /** What the network said last of an event at a trigger, `name event`. */
  const said = new Map<string, Outcome>()
  /** What is in the box, by its id there. */
  const boxed = new Map<string, string>()
  const twice: string[] = []
  /** Events in the box or, of replies, in the channel. */
  const stored = new Set<string>()
  const routed = new Set<string>()
  const early: string[] = []
  const lives = new Map<Name, number>()
  let lastId = 0

  const scene: Scene = openScene({
    bytesMax: 12_000,
    boxBytesMax: 4000,
    boxTriggerBytesMax: 2000,
    hopsMax: 3,
    observer: {
      accepted: (_broker, { id, type }, by) => {
        if (by !== undefined) stored.add(id)
        if (by !== undefined) routed.add(id)
        for (const [each] of lives) if ((TYPES[each] ?? type) === type) due.add(`${life(each)} ${id}`)
      },
      attempted: (of, { id }, came) => said.set(`${of.name} ${id}`, came),
      discarded: (of, events) => discarded.set(lifeOf(of.id), (discarded.get(lifeOf(of.id)) ?? 0) + events),
    },
  })
  const { broker, channel, network } = scene
  watchBox()
  watchSettles()
  for (const each of TRIGGERS) await set(each)

  /** A trigger that is removed and set again is another one: `a1`, `a2`. */
  function life(of: Name): string {
    return `${of}${lives.get(of)}`
  }
  function end(entry: string): void {
    ends.set(entry, (ends.get(entry) ?? 0) + 1)
  }

  function watchBox(): void {
    const append = scene.box.append.bind(scene.box)
    const remove = scene.box.remove.bind(scene.box)
    scene.box.append = async (entry) => {
      const appended = await append(entry)
      if (!appended.stored) return appended
      stored.add(entry.event.id)
      const letter = `${nameOf(entry.triggerId)} ${entry.event.id}`
      if ([...boxed.values()].includes(letter)) twice.push(`${letter} is in the box twice`)
      boxed.set(appended.id, letter)
      return appended
    }
    // Only what is redriven leaves the box this way: it has to be delivered by now, or to be a reply that is routed.
    scene.box.remove = async (id) => {
      const entry = await scene.box.get(id)
      const letter = boxed.get(id)
      if (letter !== undefined && entry?.reason !== 'loop' && !isDelivered(letter)) early.push(`${letter} left the box`)
      if (entry?.reason === 'loop' && !routed.has(entry.event.id)) early.push(`${letter} left the box`)
      boxed.delete(id)
      return await remove(id)
    }
  }

  function isDelivered(letter: string): boolean {
    const came = said.get(letter)
    return came?.verdict === 'delivered' && (came.reply === undefined || stored.has(came.reply.id))
  }

  /** Looks at each settle as it comes: by then the answer, its reply, or the dead letter has to be stored. */
  function watchSettles(): void {
    const subscribe = channel.subscribe.bind(channel)
    channel.subscribe = (spec, deliver) =>
      subscribe(spec, (delivery: Delivery) => {
        const settle = delivery.settle.bind(delivery)
        delivery.settle = () => {
          const { id } = delivery.event
          if (!isDelivered(`${nameOf(spec.id)} ${id}`) && !stored.has(id)) early.push(`${spec.id} ${id}`)
          end(`${lifeOf(spec.id)} ${id}`)
          settle()
        }
        deliver(delivery)
      })
  }

  async function set(of: Name, change: { sink?: boolean; order?: 'none' | 'key'; to?: number; paused?: boolean } = {}) {
    if (!lives.has(of)) lives.set(of, ++lastId)
    const id = `uid-${life(of)}`
    const before = [...broker.triggers()].find((each) => each.config.id === id)?.config ?? trigger(of, { id })
    const { sink = before.route.deadLetterSink !== undefined, order = before.order, paused = before.paused } = change
    await broker.setTrigger({
      ...before,
      filter: filterFor(TYPES[of]),
      window: { events: 5, bytes: 20_000 },
      order,
      paused,
      route: {
        subscriber: change.to === undefined ? before.route.subscriber : target(`${of}${change.to}`),
        deadLetterSink: sink ? target(`sink-${of}`) : undefined,
        policy: { ...before.route.policy, retry: 2 },
        concurrency: 3,
      },
    })
  }

  function answer(attempt: Attempt, status: number, type: 'a' | 'b' | undefined): void {
    const reply: Event | undefined =
      type !== undefined && status === 200 && attempt.request.reply
        ? event({ id: `r${++lastId}`, type }, Buffer.alloc(1500))
        : undefined
    attempt.answer(outcome(status, { reply }))
  }

  async function run(each: Step): Promise<void> {
    if (each.do === 'accept') {
      const { type, key, bytes } = each
      const accepted = event({ id: `e${++lastId}`, type, partitionkey: key }, Buffer.alloc(bytes))
      await broker.accept([accepted]).catch(() => {}) // refused where the channel is full: then it is nobody's
    } else if (each.do === 'answer') {
      const { underWay } = network
      if (underWay.length > 0) answer(underWay[each.which % underWay.length]!, each.status, each.reply)
    } else if (each.do === 'advance') await scene.pass(each.ms, 200)
    else if (each.do === 'change') await set(each.name, each)
    else if (each.do === 'pause') await set(each.name, each)
    else if (each.do === 'remove') {
      if (lives.has(each.name)) await broker.removeTrigger(`uid-${life(each.name)}`)
      lives.delete(each.name)
    } else if (each.do === 'redrive') await redrive(each.name, each.which)
    else await emptyBox()
    await scene.quiet()
  }

  /** All of a trigger, or one entry of any. */
  async function redrive(of: Name | undefined, which: number): Promise<void> {
    const ids = [...boxed.keys()]
    const choice = of === undefined ? ids.slice(which % (ids.length + 1)).slice(0, 1) : { trigger: `default/${of}` }
    await broker.redrive(choice).catch((error: { code?: string }) => {
      if (error.code !== 'SLUICE_TRIGGER_NOT_FOUND') throw error
    })
  }

  async function emptyBox(): Promise<void> {
    await scene.quiet() // what is in the box is noted by now
    boxed.clear()
    await broker.purge('all')
  }

  async function finish(): Promise<void> {
    for (const of of lives.keys()) await set(of, { paused: false })
    network.answering = () => outcome(200)
    const isBusy = (): boolean =>
      channel.usage().events > 0 || [...broker.triggers()].some(({ status }) => status.redriving > 0)
    for (let turn = 0; turn < 40 && isBusy(); turn++) {
      for (const attempt of network.underWay.slice()) answer(attempt, 200, undefined)
      const isFull = [...broker.triggers()].some(({ status }) => status.boxFull)
      if (isFull || channel.usage().events > 0) await emptyBox()
      await scene.pass(5000, 500)
    }
    if (isBusy()) twice.push('something is still under way')
  }

  function faults(): Faults {
    const removed = new Map<string, number>()
    const wrong = [...twice]
    if (boxed.size !== scene.box.usage().events) wrong.push(`${boxed.size} in the box, not ${scene.box.usage().events}`)
    for (const entry of ends.keys()) if (!due.has(entry)) wrong.push(`${entry} came from nowhere`)
    for (const entry of due) {
      const times = ends.get(entry) ?? 0
      const [of = ''] = entry.split(' ')
      if (times === 0 && discarded.has(of)) removed.set(of, (removed.get(of) ?? 0) + 1)
      else if (times !== 1) wrong.push(`${entry} ended ${times} times`)
    }
    for (const [of, events] of discarded) {
      const missing = removed.get(of) ?? 0
      if (missing !== events) wrong.push(`${of} discarded ${events}, and ${missing} are missing`)
    }
    return { early, wrong, usage: channel.usage() }
  }

  return { run, finish, faults }
}

function lifeOf(id: string): string {
  return id.slice('uid-'.length)
}

function nameOf(id: string): string {
  return lifeOf(id).slice(0, 1)
}
