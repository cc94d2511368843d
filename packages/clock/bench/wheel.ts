// What a million pending due times cost in the wheel and in setTimeout: bytes each, and nanoseconds for one add and
// cancel beside the million (PERFORMANCE.md A4, goal G13). Each side runs in a fresh process. Run: node bench/wheel.ts

import { execFileSync } from 'node:child_process'
import { systemClock, TimerWheel } from '@sluice/clock'

const PENDING = 1_000_000
const ROUNDS = 1_000_000
const DELAY_MS_MAX = 300_000

const side = process.argv[2]
if (side === undefined) {
  for (const name of ['wheel', 'setTimeout']) {
    const output = execFileSync(process.execPath, ['--expose-gc', import.meta.filename, name], { encoding: 'utf8' })
    process.stdout.write(output)
  }
} else if (side === 'wheel') {
  const wheel = new TimerWheel({ clock: systemClock, expire: () => {} })
  measure(
    side,
    (delayMs) => wheel.add(delayMs),
    (handle) => void wheel.cancel(handle),
  )
  wheel.close()
} else {
  measure(side, (delayMs) => setTimeout(() => {}, delayMs), clearTimeout)
  // A million timeouts would keep the process for minutes.
  process.exit()
}

function measure<Handle>(name: string, add: (delayMs: number) => Handle, cancel: (handle: Handle) => void): void {
  // Above a second, so that none is due while it is measured.
  const delaysMs = Float64Array.from({ length: ROUNDS }, () => 60_000 + Math.random() * DELAY_MS_MAX)
  const before = bytesUsed()
  for (let i = 0; i < PENDING; i++) add(delaysMs[i]!)
  const bytes = (bytesUsed() - before) / PENDING
  const nanoseconds = [0, 1, 2, 3, 4].map(() => {
    const start = process.hrtime.bigint()
    for (let i = 0; i < ROUNDS; i++) cancel(add(delaysMs[i]!))
    return Number(process.hrtime.bigint() - start) / ROUNDS
  })
  const median = nanoseconds.toSorted((a, b) => a - b)[2]!
  const figures = `${bytes.toFixed(1).padStart(7)} B each ${median.toFixed(0).padStart(7)} ns add+cancel`
  process.stdout.write(`${name.padEnd(12)}${figures}\n`)
}

/** Live bytes, on the heap and outside. The second collection frees the array buffers that the first found dead. */
function bytesUsed(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
