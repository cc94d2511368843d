// What the in-memory channel costs an event, and what waiting and parked events cost in memory (G8, G13).
// Run: node --expose-gc --max-semi-space-size=8 channels/memory/bench/memory.ts
//
// Without the second flag V8 lets its young generation grow to 3 × 32 MiB under load and keeps it: half a kilobyte for
// each of 100,000 queued events, though not one byte of it is theirs.
// Times are processor time of this process, collection included, so that a busy machine doesn't change them.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { memoryChannel } from '@sluice/channel-memory'
import { Fifo, ParkingLot, type Channel, type Delivery, type ParkingOwner } from '@sluice/channel'
import { manualClock } from '@sluice/clock'
import { Event } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'

const { gc } = globalThis
if (gc === undefined) throw new Error('run it with --expose-gc: it measures memory')

const WINDOW = { events: 256, bytes: 16 * 1024 * 1024 }
const BODY = Buffer.alloc(1024, '{"order":1} ')
const GENERATED = new Date().toISOString()

/** As one from the ingress: the attributes a sender sets, and what the broker stamps. */
function event(i: number): Event {
  return new Event(
    new Map([
      ['specversion', '1.0'],
      ['id', `order-${i}`],
      ['source', 'https://shop.example/orders'],
      ['type', 'com.example.order.created'],
      ['time', GENERATED],
      ['datacontenttype', 'application/json'],
      ['knativearrivaltime', GENERATED],
    ]),
    Buffer.from(BODY),
    255,
  )
}

/** Body and attribute text, which is what somebody who counts bytes would count. */
function rawBytes(of: Event): number {
  let bytes = of.data?.length ?? 0
  for (const [name, value] of of.attributes) bytes += name.length + String(value).length
  return bytes
}

function report(what: string, value: number, unit: string, target?: number): void {
  const verdict = target === undefined ? '' : `   target ${target}${value <= target ? '' : '   MISSED'}`
  process.stdout.write(`${what.padEnd(58)} ${value.toFixed(3).padStart(9)} ${unit}${verdict}\n`)
}

/** Microseconds of processor time that `work` takes. */
async function cpuUs(work: () => void | Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function median(values: number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1]!
}

const filter = compileAttributes({ type: 'com.example.order.created' })

async function openWith(deliver: (delivery: Delivery) => void, order: 'none' | 'key' = 'none'): Promise<Channel> {
  const channel = memoryChannel({ bytesMax: 2 ** 31 })
  await channel.subscribe({ id: 'bench', filter, order, window: WINDOW }, deliver)
  return channel
}

const EVENTS = Array.from({ length: 20_000 }, (_, i) => event(i))
const PASSES = 5

/** Microseconds an event: published one by one, handed over and settled at once. */
async function straight(order: 'none' | 'key'): Promise<number> {
  let settled = 0
  const channel = await openWith((delivery) => {
    settled++
    delivery.settle()
  }, order)
  const tookUs = await cpuUs(async () => {
    for (let pass = 0; pass < PASSES; pass++) {
      for (const each of EVENTS) void channel.publish([each], { lane: 'ingress' })
      await nextTurn() // what the promises hold is let go, as between two requests
    }
  })
  if (settled !== EVENTS.length * PASSES) throw new Error(`${settled} settled`)
  await channel.close({ deadlineMs: 0 })
  return tookUs / settled
}

/** As it is under HTTP: each publish is awaited, and each event stays out while 100 others come. */
async function outForAWhile(): Promise<number> {
  const out = new Fifo<Delivery>()
  let settled = 0
  const channel = await openWith((delivery) => {
    out.push(delivery)
    if (out.length <= 100) return
    settled++
    out.shift()!.settle()
  })
  const tookUs = await cpuUs(async () => {
    for (let pass = 0; pass < PASSES; pass++) {
      for (const each of EVENTS) await channel.publish([each], { lane: 'ingress' })
    }
  })
  for (let rest = out.shift(); rest !== undefined; rest = out.shift()) rest.settle()
  await channel.close({ deadlineMs: 0 })
  return tookUs / settled
}

/** Microseconds an event: queued while the subscription is paused, then drained. */
async function backlog(): Promise<{ queueUs: number; drainUs: number }> {
  const channel = memoryChannel({ bytesMax: 2 ** 31 })
  let settled = 0
  const subscription = await channel.subscribe({ id: 'bench', filter, window: WINDOW, paused: true }, (delivery) => {
    settled++
    delivery.settle()
  })
  const queueUs = await cpuUs(async () => {
    for (let pass = 0; pass < PASSES; pass++) {
      for (const each of EVENTS) void channel.publish([each], { lane: 'ingress' })
      await nextTurn()
    }
  })
  const drainUs = await cpuUs(() => subscription.resume())
  if (settled !== EVENTS.length * PASSES) throw new Error(`${settled} settled`)
  await channel.close({ deadlineMs: 0 })
  return { queueUs: queueUs / settled, drainUs: drainUs / settled }
}

async function residentBytes(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    gc!()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage().rss
}

/**
 * Runs traffic that nobody has to wait for, so that the collector has taken what room it takes under such load: that
 * is the process's own, queue or none.
 */
async function warmUp(): Promise<void> {
  const channel = await openWith((delivery) => delivery.settle())
  for (let i = 0; i < 200_000; i += 100) {
    await channel.publish(
      Array.from({ length: 100 }, (_, j) => event(i + j)),
      { lane: 'ingress' },
    )
  }
  await channel.close({ deadlineMs: 0 })
}

/** G8: what 100,000 queued events of 1 KiB take, as a share of their raw bytes. */
async function queuedBytes(): Promise<{ share: number; perEvent: number; raw: number }> {
  const count = 100_000
  const channel = memoryChannel({ bytesMax: 2 ** 31 })
  await channel.subscribe({ id: 'bench', filter, window: WINDOW, paused: true }, () => {})
  const raw = rawBytes(event(12_345))
  const before = await residentBytes()
  for (let i = 0; i < count; i += 100) {
    await channel.publish(
      Array.from({ length: 100 }, (_, j) => event(i + j)),
      { lane: 'ingress' },
    )
  }
  const grown = (await residentBytes()) - before
  if (channel.usage().events !== count) throw new Error('not all queued')
  await channel.close({ deadlineMs: 0 })
  return { share: grown / (raw * count), perEvent: grown / count, raw }
}

/** G13: what a million parked events take beside the events themselves, and what parking and coming due costs. */
async function parking(): Promise<{ bytes: number; parkNs: number; expireNs: number }> {
  const count = 1_000_000
  const clock = manualClock()
  const lot = new ParkingLot<object>(clock)
  let due = 0
  const owner: ParkingOwner<object> = { parkedHandles: [], due: () => due++ }
  const ref = {}
  const before = await residentBytes()
  const parkUs = await cpuUs(() => {
    for (let i = 0; i < count; i++) lot.park(owner, ref, 1, (i * 7919) % 300_000)
  })
  const bytes = ((await residentBytes()) - before) / count
  const expireUs = await cpuUs(() => clock.advance(300_010))
  if (due !== count) throw new Error(`${due} came due`)
  return { bytes, parkNs: (parkUs * 1000) / count, expireNs: (expireUs * 1000) / count }
}

// Memory first: what ran before leaves room behind that would be counted for less.
await warmUp()
const queued = await queuedBytes()
const parked = await parking()
const rounds = 5
const none: number[] = []
const key: number[] = []
const busy: number[] = []
const queue: number[] = []
const drain: number[] = []
for (let round = 0; round < rounds; round++) {
  none.push(await straight('none'))
  key.push(await straight('key'))
  busy.push(await outForAWhile())
  const { queueUs, drainUs } = await backlog()
  queue.push(queueUs)
  drain.push(drainUs)
}
report('publish, deliver, settle: an event that does not wait', median(none), 'µs', 1)
report('  the same with order by key', median(key), 'µs')
report('  the same with 100 out, each publish awaited', median(busy), 'µs', 1)
report('publish an event that has to wait', median(queue), 'µs')
report('deliver and settle an event that waited', median(drain), 'µs')
report(`memory of a queued event of ${queued.raw} bytes, in its raw bytes (G8)`, queued.share, '×', 1.3)
report('  bytes of it', queued.perEvent, 'B')
report('memory of a parked event beside its record (G13)', parked.bytes, 'B', 64)
report('park an event', parked.parkNs, 'ns')
report('an event comes due', parked.expireNs, 'ns')
