// G13, run as `node --expose-gc timer-wheel.ts ENTRIES`: fills a TimerWheel with that many retries, and prints what
// each costs, as JSON. A process of its own, so that its heap holds nothing else.

import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock, TimerWheel } from '@sluice/clock'

/** What this program prints. */
export interface WheelReading {
  /** Heap and array buffers for each pending entry, after garbage collection. */
  readonly bytes: number
  /** Adding all entries and cancelling them again in the order of adding, for each entry, in nanoseconds of CPU. */
  readonly addCancelNs: number
  /** The same with the cancels in random order: every one of them misses the CPU's caches. */
  readonly addCancelShuffledNs: number
}

const entries = Number(process.argv[2])
// Retry waits are from 200 ms to 5 min (DESIGN, "Delivery is per trigger"). From 1 min on, none is due during the run.
const delaysMs = Float64Array.from({ length: entries }, (_, index) => 60_000 + ((index * 7919) % 240_000))
const handles = new Int32Array(entries)

fillAndEmpty(inOrder())
fillAndEmpty(shuffled())
const reading: WheelReading = {
  addCancelNs: fillAndEmpty(inOrder()),
  addCancelShuffledNs: fillAndEmpty(shuffled()),
  bytes: await bytesOfPending(),
}
process.stdout.write(JSON.stringify(reading))

function fillAndEmpty(order: Int32Array): number {
  const wheel = newWheel()
  const begin = process.cpuUsage()
  fill(wheel)
  for (const index of order) wheel.cancel(handles[index]!)
  const { user, system } = process.cpuUsage(begin)
  wheel.close()
  return ((user + system) * 1000) / entries
}

async function bytesOfPending(): Promise<number> {
  const before = await bytesInUse()
  const wheel = newWheel()
  fill(wheel)
  const after = await bytesInUse()
  wheel.close()
  return (after - before) / entries
}

function newWheel(): TimerWheel {
  return new TimerWheel({ clock: systemClock, expire: () => {} })
}

function fill(wheel: TimerWheel): void {
  for (let index = 0; index < entries; index++) handles[index] = wheel.add(delaysMs[index]!)
}

function inOrder(): Int32Array {
  return Int32Array.from({ length: entries }, (_, index) => index)
}

/** Fisher and Yates, from a generator that gives the same order every time. */
function shuffled(): Int32Array {
  const order = inOrder()
  let seed = 42
  for (let last = entries - 1; last > 0; last--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    const other = seed % (last + 1)
    const kept = order[last]!
    order[last] = order[other]!
    order[other] = kept
  }
  return order
}

/** Array buffers that nobody has any more are freed beside the main thread, some time after the collection. */
async function bytesInUse(): Promise<number> {
  for (let pass = 0; pass < 2; pass++) {
    globalThis.gc?.()
    await sleep(100)
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
