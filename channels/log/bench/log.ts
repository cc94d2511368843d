// What the log channel costs an event: one that keeps up, one that waited, read from memory and from the disk; and what
// a step through the index, a subscription's progress, and a start cost. Run: node channels/log/bench/log.ts [FOLDER]
//
// Times are processor time of this process, its threads and collection included, so that a busy machine doesn't change
// them much. To see where the time goes: node --cpu-prof …

import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { Fifo, type Channel, type Delivery, type Subscription } from '@sluice/channel'
import { openLogChannel } from '@sluice/channel-log'
import { Event } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'

const BODY = Buffer.alloc(1024, '{"order":1} ')
const GENERATED = new Date().toISOString()
const TYPE = 'com.example.order.created'
const OTHER = 'com.example.order.paid'
const ROUNDS = 3
/** Events under way at once, as from as many senders. */
const AT_ONCE = 64
/** More than wait in memory for a window that is full: with these a subscription goes by the index. */
const FALLS_BEHIND = 70
/** More than is kept in memory: 4 MiB of what was written, 8 MiB of what was read. */
const EVENTS = 50_000

const folder = mkdtempSync(join(process.argv[2] ?? import.meta.dirname, 'bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
let channels = 0

/** As one from the ingress: the attributes a sender sets, and what the broker stamps. */
function event(i: number, type: string = TYPE): Event {
  return new Event(
    new Map([
      ['specversion', '1.0'],
      ['id', `order-${i}`],
      ['source', 'https://shop.example/orders'],
      ['type', type],
      ['time', GENERATED],
      ['datacontenttype', 'application/json'],
      ['knativearrivaltime', GENERATED],
    ]),
    Buffer.from(BODY),
    255,
  )
}

const events = Array.from({ length: EVENTS }, (_, i) => event(i))
const others = events.map((_, i) => event(i, OTHER))
const filter = compileAttributes({ type: TYPE })

async function open(progressMs?: number, name: string = String(channels++)): Promise<Channel> {
  const { channel } = await openLogChannel({
    folder: join(folder, name),
    ...(progressMs !== undefined && { progressMs }),
  })
  return channel
}

/** Microseconds of processor time that `work` takes for each of `count`. */
async function cpuUs(count: number, work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

async function publish(channel: Channel, stream: readonly Event[]): Promise<void> {
  for (let first = 0; first < stream.length; first += AT_ONCE) {
    const under: Promise<unknown>[] = []
    for (const each of stream.slice(first, first + AT_ONCE)) under.push(channel.publish([each], { lane: 'ingress' }))
    await Promise.all(under)
  }
}

async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await nextTurn()
}

/** Published one by one, `AT_ONCE` at a time, handed over and settled at once, or after 100 others. */
async function keepsUp(out: number): Promise<number> {
  const channel = await open()
  const waiting = new Fifo<Delivery>()
  await channel.subscribe({ id: 'bench', filter }, (delivery) => {
    waiting.push(delivery)
    if (waiting.length > out) waiting.shift()!.settle()
  })
  const us = await cpuUs(EVENTS, () => publish(channel, events))
  for (const each of waiting.takeAll()) each.settle()
  await channel.close({ deadlineMs: 0 })
  return us
}

/** A log with a paused subscription for each of these types, all of which are behind by as much as `streams` holds. */
async function behind(
  channel: Channel,
  types: readonly string[],
  streams: readonly (readonly Event[])[],
): Promise<{ readonly subscriptions: readonly Subscription[]; readonly settled: Float64Array }> {
  const settled = new Float64Array(types.length)
  const subscriptions = await Promise.all(
    types.map((type, i) =>
      channel.subscribe({ id: `bench-${i}`, filter: compileAttributes({ type }), paused: true }, (delivery) => {
        settled[i]!++
        delivery.settle()
      }),
    ),
  )
  for (const stream of streams) await publish(channel, stream)
  return { subscriptions, settled }
}

/** Behind by a little, which is all in memory, or by more. */
async function waited(stream: readonly Event[]): Promise<{ readonly publishUs: number; readonly deliverUs: number }> {
  const channel = await open()
  const { subscriptions, settled } = await behind(channel, [TYPE], [])
  const publishUs = await cpuUs(stream.length, () => publish(channel, stream))
  const deliverUs = await cpuUs(stream.length, () => {
    subscriptions[0]!.resume()
    return until(() => settled[0] === stream.length)
  })
  await channel.close({ deadlineMs: 0 })
  return { publishUs, deliverUs }
}

/** So many subscriptions work off the same events at once: microseconds a delivery. */
async function together(count: number, stream: readonly Event[]): Promise<number> {
  const channel = await open()
  const types = Array.from({ length: count }, () => TYPE)
  const { subscriptions, settled } = await behind(channel, types, [stream])
  const us = await cpuUs(stream.length * count, () => {
    for (const each of subscriptions) each.resume()
    return until(() => settled.every((events) => events === stream.length))
  })
  await channel.close({ deadlineMs: 0 })
  return us
}

/**
 * A window that is full, and one event behind many that are for others: what passing over one of those takes, once there
 * is room.
 */
async function passOver(): Promise<number> {
  const channel = await open()
  const out: Delivery[] = []
  const window = { events: 1, bytes: 1 }
  await channel.subscribe({ id: 'bench', filter, window }, (delivery) => out.push(delivery))
  await channel.subscribe({ id: 'others', filter: compileAttributes({ type: OTHER }), paused: true }, () => {})
  await publish(channel, events.slice(0, FALLS_BEHIND))
  for (let settled = 1; settled < FALLS_BEHIND; settled++) {
    await until(() => out.length === 1)
    out.pop()!.settle()
  }
  await until(() => out.length === 1)
  for (const stream of [others, others, [event(0)]]) await publish(channel, stream)
  const us = await cpuUs(2 * EVENTS, () => {
    out.pop()!.settle()
    return until(() => out.length === 1)
  })
  await channel.close({ deadlineMs: 0 })
  return us
}

/** What a save costs for each subscription that has changed, with so many events of it out and one that is settled. */
async function saveProgress(count: number): Promise<number> {
  const channel = await open(60_000)
  const out: Delivery[] = []
  for (let i = 0; i < count; i++) {
    await channel.subscribe({ id: `bench-${i}`, filter }, (delivery) => out.push(delivery))
  }
  let us = 0
  const saves = 20
  for (let save = 0; save < saves; save++) {
    await publish(channel, [event(save)])
    for (const delivery of out.splice(0)) delivery.settle()
    // A new subscription resolves once all progress is saved; its own is one more among many.
    us += await cpuUs(count, () =>
      channel.subscribe({ id: `save-${save}`, filter: compileAttributes({ type: OTHER }) }, () => {}),
    )
  }
  await channel.close({ deadlineMs: 0 })
  return us / saves
}

/** Nothing happens, and many subscriptions are behind. */
async function idle(count: number): Promise<number> {
  const channel = await open()
  await behind(
    channel,
    Array.from({ length: count }, () => TYPE),
    [events.slice(0, 10)],
  )
  await sleep(200)
  const ms = 500
  const us = await cpuUs(1, () => sleep(ms))
  await channel.close({ deadlineMs: 0 })
  return us / ms
}

/** A start on a log that has been written, a subscription being as far behind: microseconds for all of it. */
async function start(): Promise<number> {
  const name = `start-${channels++}`
  const written = await open(undefined, name)
  await behind(written, [TYPE], [events])
  await written.close({ deadlineMs: 0 })
  let channel: Channel
  const us = await cpuUs(1, async () => {
    channel = await open(undefined, name)
  })
  await channel!.close({ deadlineMs: 0 })
  return us
}

const figures = new Map<string, { readonly unit: string; readonly values: number[] }>()
function note(what: string, value: number, unit: string = 'µs'): void {
  const figure = figures.get(what) ?? { unit, values: [] }
  figure.values.push(value)
  figures.set(what, figure)
}

await keepsUp(0) // for the compiler
for (let round = 0; round < ROUNDS; round++) {
  note('publish, deliver, settle: an event that does not wait', await keepsUp(0))
  note('  the same with 100 out', await keepsUp(100))
  const { publishUs, deliverUs } = await waited(events)
  note('publish an event that has to wait', publishUs)
  note('deliver and settle it, from the disk', deliverUs)
  note('  the same, still in memory', (await waited(events.slice(0, 2000))).deliverUs)
  note('  the same for 20 subscriptions together, each delivery', await together(20, events.slice(0, 20_000)))
  note('pass over an event that is for others', await passOver())
  note('save the progress of one of 1,000 subscriptions', await saveProgress(1000))
  note('1,000 subscriptions that are behind and stand still, a ms', await idle(1000))
  note(`start on a log with ${EVENTS.toLocaleString('en')} events`, (await start()) / 1000, 'ms')
}
for (const [what, { unit, values }] of figures) {
  const median = values.toSorted((one, other) => one - other)[values.length >> 1]!
  process.stdout.write(`${what.padEnd(60)} ${median.toFixed(3).padStart(9)} ${unit}\n`)
}
