// The wheel beside a sorted list: whatever is added, cancelled and waited for, both agree.

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { manualClock, TimerWheel } from '@sluice/clock'

type Step =
  | { readonly do: 'add'; readonly delayMs: number; readonly onExpiry?: Step }
  | { readonly do: 'cancel'; readonly which: number }
  | { readonly do: 'advance'; readonly ms: number }

interface Entry {
  readonly handle: number
  readonly due: number
  /** The tick at which it has to expire. */
  readonly tick: number
  readonly order: number
  readonly onExpiry: Step | undefined
}

const spanMs = fc.oneof(
  fc.nat(20),
  fc.nat(2_000),
  fc.nat(10_000_000),
  fc.double({ min: 0, max: 500, noNaN: true }),
  fc.double({ min: 0, max: 1e10, noNaN: true }),
  fc.integer({ min: 0, max: 300 }).map((slots) => slots * 64 * 5),
)
const cancel = fc.record({ do: fc.constant('cancel' as const), which: fc.nat() })
const add = fc.record({ do: fc.constant('add' as const), delayMs: spanMs })
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: add },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('add' as const), delayMs: spanMs, onExpiry: fc.oneof(add, cancel) }),
  },
  { weight: 2, arbitrary: cancel },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: spanMs }) },
)

test('the wheel expires what a sorted list would, in its order, never early and never a tick late', () => {
  fc.assert(fc.property(fc.constantFrom(5, 1, 7.3), spanMs, fc.array(anyStep, { maxLength: 60 }), runBeside), {
    numRuns: 3_000,
  })
})

function runBeside(tickMs: number, startMs: number, steps: readonly Step[]): void {
  const clock = manualClock()
  clock.advance(startMs)
  const model: Entry[] = []
  let added = 0
  let expiring = false
  const wheel = new TimerWheel({ clock, tickMs, expire })

  function expire(handle: number): void {
    const now = clock.monotonic()
    const first = model.toSorted((a, b) => a.tick - b.tick || a.order - b.order)[0]
    expect(first?.handle).toBe(handle)
    expect(now).toBeGreaterThanOrEqual(first!.due)
    expect(now).toBeLessThanOrEqual(first!.tick * tickMs + 1e-6)
    model.splice(model.indexOf(first!), 1)
    expiring = true
    if (first!.onExpiry !== undefined) take(first!.onExpiry)
    expiring = false
  }

  function take(step: Step): void {
    switch (step.do) {
      case 'add': {
        const handle = wheel.add(step.delayMs)
        expect(model.some((entry) => entry.handle === handle)).toBe(false)
        const due = clock.monotonic() + step.delayMs
        expect(wheel.dueAt(handle)).toBe(due)
        const earliestTick = expiring ? lastTick(clock.monotonic()) + 1 : 0
        const tick = Math.max(firstTick(due), earliestTick)
        model.push({ handle, due, tick, order: added++, onExpiry: step.onExpiry })
        break
      }
      case 'cancel': {
        const [entry] = model.splice(step.which % (model.length || 1), 1)
        if (entry !== undefined) expect(wheel.cancel(entry.handle)).toBe(true)
        break
      }
      case 'advance': {
        clock.advance(step.ms)
        for (const entry of model) expect(entry.tick).toBeGreaterThan(lastTick(clock.monotonic()))
        break
      }
    }
    expect(wheel.size).toBe(model.length)
    if (!expiring) expect(clock.pending).toBe(model.length > 0 ? 1 : 0)
  }

  function firstTick(due: number): number {
    const tick = Math.ceil(due / tickMs)
    return tick * tickMs < due ? tick + 1 : tick
  }
  function lastTick(now: number): number {
    const tick = Math.floor(now / tickMs)
    if (tick * tickMs > now) return tick - 1
    return (tick + 1) * tickMs <= now ? tick + 1 : tick
  }

  for (const next of steps) take(next)
  take({ do: 'advance', ms: 2e10 })
  expect(wheel.size).toBe(0)
}
