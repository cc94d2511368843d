import { expect, test } from 'vitest'
import { systemClock } from '@sluice/clock'

test('a system timer never fires before its delay has passed on the monotonic clock', async () => {
  const delaysMs = Array.from({ length: 200 }, (_, i) => i / 10)
  const earlyMs = await Promise.all(
    delaysMs.map(
      (delayMs) =>
        new Promise<number>((resolve) => {
          const due = systemClock.monotonic() + delayMs
          systemClock.setTimer(delayMs, () => resolve(due - systemClock.monotonic()))
        }),
    ),
  )
  expect(Math.max(...earlyMs)).toBeLessThanOrEqual(0)
})

test('a system timer of a month does not fire at once, and can be cancelled', async () => {
  let fired = false
  const timer = systemClock.setTimer(30 * 86_400_000, () => (fired = true))
  await new Promise<void>((resolve) => void systemClock.setTimer(10, resolve))
  timer.cancel()
  expect(fired).toBe(false)
})
