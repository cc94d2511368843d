// How many POSTs at once a target gets: DESIGN "A target that is down costs no tries", sentence by sentence.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Congestion, PRESSURE_ROW, PROBE_FIRST_MS, PROBE_MAX_MS, REPEATS_IGNORED } from '../src/congestion.ts'

describe('a target under pressure (spec 131, spec 132)', () => {
  test('a target gets its maximum at once from the start, and not one attempt more', () => {
    const target = new Congestion(4)
    startAll(target, 4)
    expect(target).toMatchObject({ state: 'Healthy', active: 4, limit: 4 })
    expect(target.mayStart(0)).toBe(false)
  })

  test('a sign of overload halves what the target gets at once', () => {
    const target = new Congestion(16)
    target.pressed(target.start(), 0, false)
    expect(target).toMatchObject({ state: 'Throttled', limit: 8 })
  })

  test('a round halves once: attempts that were under way at the halving do not count', () => {
    const target = new Congestion(16)
    const [first, second] = startAll(target, 2)
    target.pressed(first!, 0, false)
    target.pressed(second!, 0, false)
    expect(target.limit).toBe(8)
  })

  test('an attempt that began after the halving halves again', () => {
    const target = new Congestion(16)
    target.pressed(target.start(), 0, false)
    target.pressed(target.start(), 0, false)
    expect(target.limit).toBe(4)
  })

  test('at least one attempt at a time is left', () => {
    const target = new Congestion(1)
    target.pressed(target.start(), 0, false)
    expect(target).toMatchObject({ state: 'Throttled', limit: 1 })
  })

  test('each success adds one, up to the maximum, and there the target is healthy again', () => {
    const target = new Congestion(5)
    target.pressed(target.start(), 0, false)
    const seen = [4, 5, 6].map(() => {
      target.start()
      target.succeeded(false)
      return `${target.limit} ${target.state}`
    })
    expect(seen).toEqual(['3 Throttled', '4 Throttled', '5 Healthy'])
  })

  test('other failures (500, 404) do not shrink what a target gets', () => {
    const target = new Congestion(8)
    for (let i = 0; i < 10; i++) {
      target.start()
      target.answered(false)
    }
    expect(target).toMatchObject({ state: 'Healthy', limit: 8, active: 0 })
  })

  test('what a healthy target gets follows its maximum at once; what a throttled one gets only shrinks with it', () => {
    const target = new Congestion(8)
    target.setMax(12)
    expect(target.limit).toBe(12)
    target.pressed(target.start(), 0, false)
    target.setMax(20)
    expect(target.limit).toBe(6)
    target.setMax(2)
    expect(target.limit).toBe(2)
  })
})

describe('a target that is down', () => {
  test('three signs of overload in a row, without a success, mean down', () => {
    const target = new Congestion(16)
    target.pressed(target.start(), 0, false)
    target.pressed(target.start(), 0, false)
    expect(target.state).toBe('Throttled')
    target.pressed(target.start(), 0, false)
    expect(target.state).toBe('Down')
  })

  test('a success in between begins the row anew', () => {
    const target = new Congestion(16)
    for (let i = 0; i < 10; i++) {
      target.pressed(target.start(), 0, false)
      target.pressed(target.start(), 0, false)
      target.start()
      target.succeeded(false)
    }
    expect(target.state).toBe('Throttled')
  })

  test('nothing but one probe starts, 200 ms after the last sign of overload', () => {
    const target = goneDown(16, 1000)
    expect(target.mayStart(1000 + PROBE_FIRST_MS - 1)).toBe(false)
    expect(target.mayStart(1000 + PROBE_FIRST_MS)).toBe(true)
    target.start()
    expect(target.mayStart(1_000_000)).toBe(false)
  })

  test('a probe that fails doubles the wait for the next one, up to 10 s', () => {
    const target = goneDown(16, 0)
    let nowMs = 0
    const waits = Array.from({ length: 9 }, () => {
      const waitMs = target.probeAtMs - nowMs
      nowMs = target.probeAtMs
      target.pressed(target.start(), nowMs, false)
      return waitMs
    })
    expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400, PROBE_MAX_MS, PROBE_MAX_MS, PROBE_MAX_MS])
  })

  test('attempts that were under way when it went down move no probe', () => {
    const target = new Congestion(16)
    const rounds = startAll(target, 10)
    for (const round of rounds) target.pressed(round, 0, false)
    expect(target).toMatchObject({ state: 'Down', active: 0, probeAtMs: PROBE_FIRST_MS })
  })

  test('its first success restores half of what stood before', () => {
    const target = new Congestion(64)
    for (const round of startAll(target, 3)) target.pressed(round, 0, false)
    target.start()
    target.succeeded(false)
    expect(target).toMatchObject({ state: 'Throttled', limit: 32 })
  })

  test('an answer that is no success shows that the target is there: one at a time, until a success restores half', () => {
    const target = new Congestion(64)
    for (const round of startAll(target, 3)) target.pressed(round, 0, false)
    target.start()
    target.answered(false)
    expect(target).toMatchObject({ state: 'Throttled', limit: 1 })
    target.start()
    target.succeeded(false)
    expect(target.limit).toBe(32)
  })

  test('a target that goes down again starts over with 200 ms', () => {
    const target = goneDown(16, 0)
    target.pressed(target.start(), 200, false)
    target.start()
    target.succeeded(false)
    for (let i = 0; i < PRESSURE_ROW; i++) target.pressed(target.start(), 5000, false)
    expect(target).toMatchObject({ state: 'Down', probeAtMs: 5000 + PROBE_FIRST_MS })
  })
})

describe('poison events, at which a subscriber breaks off or says 503, are none of the target (fault 32)', () => {
  test('one that fails again says nothing while first tries are answered', () => {
    const target = new Congestion(16)
    target.start()
    target.succeeded(false)
    for (let i = 0; i < REPEATS_IGNORED; i++) target.pressed(target.start(), 0, true)
    expect(target).toMatchObject({ state: 'Healthy', limit: 16, active: 0 })
    target.start()
    target.answered(false) // a 500 is an answer as well
    for (let i = 0; i < REPEATS_IGNORED; i++) target.pressed(target.start(), 0, true)
    expect(target.state).toBe('Healthy')
  })

  test('where no first try is answered, repeats tell that the target is down', () => {
    const target = new Congestion(16)
    target.start()
    target.succeeded(false)
    let repeats = 0
    while (target.state !== 'Down' && ++repeats < 100) target.pressed(target.start(), 0, true)
    expect(repeats).toBe(REPEATS_IGNORED + PRESSURE_ROW)
    target.start()
    target.succeeded(true)
    target.pressed(target.start(), 0, true) // of the many that waited: it is back, and overloaded
    expect(target.state).toBe('Throttled')
  })

  test('a target that answers most of what it gets is not down when three fail in a row, and soon is when it stops', () => {
    const target = new Congestion(16)
    for (let i = 0; i < 100; i++) {
      target.start()
      target.succeeded(false)
    }
    for (let i = 0; i < PRESSURE_ROW; i++) target.pressed(target.start(), 0, false)
    expect(target.state).toBe('Throttled')
    let more = 0
    while (target.state !== 'Down' && ++more < 100) target.pressed(target.start(), 0, false)
    expect(more).toBeLessThan(10)
  })
})

test('whatever happens, active is never negative, the limit is from 1 to the maximum, and a Down target has one probe', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant('start' as const) },
    { weight: 4, arbitrary: fc.constant('pressed' as const) },
    { weight: 2, arbitrary: fc.constant('succeeded' as const) },
    { weight: 1, arbitrary: fc.constant('answered' as const) },
    { weight: 1, arbitrary: fc.nat(12_000) },
    { weight: 1, arbitrary: fc.record({ max: fc.integer({ min: 1, max: 40 }) }) },
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.tuple(step, fc.nat()), { maxLength: 200 }),
      (max, steps) => {
        const target = new Congestion(max)
        /** What is under way: its round, and the Down period that it is a probe of, if any. */
        const underWay: { round: number; probeOf: number }[] = []
        let nowMs = 0
        let maxNow = max
        let downs = 0
        for (const [what, which] of steps) {
          const before = target.state
          if (typeof what === 'number') nowMs += what
          else if (typeof what === 'object') target.setMax((maxNow = what.max))
          else if (what === 'start') {
            if (target.mayStart(nowMs)) {
              const probeOf = target.state === 'Down' ? downs : 0
              underWay.push({ round: target.start(), probeOf })
            }
          } else if (underWay.length > 0) {
            const [{ round } = { round: 0 }] = underWay.splice(which % underWay.length, 1)
            const isRepeat = which % 2 === 1
            if (what === 'pressed') target.pressed(round, nowMs, isRepeat)
            else target[what](isRepeat)
          }
          if (target.state === 'Down' && before !== 'Down') downs++
          expect(target.active).toBe(underWay.length)
          expect(target.limit).toBeGreaterThanOrEqual(1)
          expect(target.limit).toBeLessThanOrEqual(maxNow)
          expect(target.state !== 'Healthy' || target.limit === maxNow).toBe(true)
          const isDown = target.state === 'Down'
          const probes = isDown ? underWay.filter(({ probeOf }) => probeOf === downs).length : 0
          expect(probes).toBeLessThanOrEqual(1)
          expect(isDown ? target.probeAtMs - nowMs : 0).toBeLessThanOrEqual(PROBE_MAX_MS)
        }
      },
    ),
    { numRuns: 500 },
  )
})

function startAll(target: Congestion, attempts: number): number[] {
  return Array.from({ length: attempts }, () => target.start())
}

function goneDown(max: number, nowMs: number): Congestion {
  const target = new Congestion(max)
  for (let i = 0; i < PRESSURE_ROW; i++) target.pressed(target.start(), nowMs, false)
  return target
}
