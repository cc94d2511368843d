import { expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'

test('timers run in the order of their due times, and of setting where those are equal', () => {
  const clock = manualClock()
  const ran: string[] = []
  clock.setTimer(20, () => ran.push('late'))
  clock.setTimer(10, () => ran.push('first'))
  clock.setTimer(10, () => ran.push('second'))
  clock.advance(9)
  expect(ran).toEqual([])
  clock.advance(11)
  expect(ran).toEqual(['first', 'second', 'late'])
})

test("while a timer runs, both times show that timer's own due time", () => {
  const clock = manualClock(1_000)
  const seen: [number, number][] = []
  const look = (): void => void seen.push([clock.monotonic(), clock.now()])
  clock.setTimer(7, look)
  clock.setTimer(2.5, look)
  clock.advance(100)
  look()
  expect(seen).toEqual([
    [2.5, 1_002.5],
    [7, 1_007],
    [100, 1_100],
  ])
})

test('a timer set by a timer runs in the same advance if it is due by its end', () => {
  const clock = manualClock()
  const times: number[] = []
  const tick = (): void => {
    times.push(clock.monotonic())
    clock.setTimer(10, tick)
  }
  clock.setTimer(10, tick)
  clock.advance(35)
  expect(times).toEqual([10, 20, 30])
  expect(clock.pending).toBe(1)
  clock.advance(5)
  expect(times.at(-1)).toBe(40)
})

test('a cancelled timer does not run, and cancelling again or after it fired does nothing', () => {
  const clock = manualClock()
  const ran: string[] = []
  const doomed = clock.setTimer(5, () => ran.push('doomed'))
  const fired = clock.setTimer(5, () => ran.push('fired'))
  clock.setTimer(5, () => ran.push('kept'))
  doomed.cancel()
  doomed.cancel()
  expect(clock.pending).toBe(2)
  clock.advance(5)
  fired.cancel()
  expect(ran).toEqual(['fired', 'kept'])
  expect(clock.pending).toBe(0)
})

test('a timer may cancel one that is due at the same time', () => {
  const clock = manualClock()
  const ran: string[] = []
  clock.setTimer(5, () => neighbour.cancel())
  const neighbour = clock.setTimer(5, () => ran.push('neighbour'))
  clock.advance(5)
  expect(ran).toEqual([])
})

test('fault 19: a jump of the wall clock moves no timer and no monotonic time', () => {
  const clock = manualClock(0)
  let fired = 0
  clock.setTimer(1_000, () => fired++)
  clock.jump(365 * 86_400_000)
  clock.advance(999)
  expect(fired).toBe(0)
  clock.jump(-3_600_000)
  clock.advance(1)
  expect(fired).toBe(1)
  expect(clock.monotonic()).toBe(1_000)
  expect(clock.now()).toBe(365 * 86_400_000 - 3_600_000 + 1_000)
})

test('a delay that is negative or no number is due at once', () => {
  const clock = manualClock()
  let fired = 0
  clock.setTimer(-5, () => fired++)
  clock.setTimer(Number.NaN, () => fired++)
  clock.advance(0)
  expect(fired).toBe(2)
  expect(clock.monotonic()).toBe(0)
})

test('an error in a timer comes out of advance, which can be called again for the rest', () => {
  const clock = manualClock()
  let fired = 0
  clock.setTimer(3, () => {
    throw new Error('boom')
  })
  clock.setTimer(4, () => fired++)
  expect(() => clock.advance(10)).toThrow('boom')
  expect(clock.monotonic()).toBe(3)
  clock.advance(1)
  expect(fired).toBe(1)
})

test('time moves only forward, and not from inside a timer', () => {
  const clock = manualClock()
  expect(() => clock.advance(-1)).toThrow(RangeError)
  expect(() => clock.advance(Number.NaN)).toThrow(RangeError)
  expect(() => clock.advance(Infinity)).toThrow(RangeError)
  clock.setTimer(1, () => clock.advance(1))
  expect(() => clock.advance(1)).toThrow('inside a timer')
})
