// The process stands still for a while: it was stopped, its machine was, or something held up the event loop.

import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { manualClock } from '@sluice/clock'
import { expect, onTestFinished, test } from 'vitest'
import { attempt, testDeliverer } from './subscribers.ts'

/** A subscriber on a thread of its own: it goes on while this one stands still. */
async function elsewhere(): Promise<Elsewhere> {
  const answered = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL('programs/elsewhere.ts', import.meta.url), { workerData: answered })
  onTestFinished(async () => void (await worker.terminate()))
  const [url] = await once(worker, 'message')
  return {
    url,
    async received(n) {
      for (let all = 0; all < n; all++) await once(worker, 'message')
    },
    answerMeanwhile(n) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of a worker, not of a window
      worker.postMessage(n)
      for (let all = 0; all < n; all = Atomics.load(answered, 0)) Atomics.wait(answered, 0, all)
    },
  }
}

interface Elsewhere {
  readonly url: string
  received(n: number): Promise<void>
  /** Has the first `n` answered, and lets no turn of the event loop pass until their answers are here. */
  answerMeanwhile(n: number): void
}

test('faults 6, 7: answers that came while the process stood still count, though their deadline has passed as well', async () => {
  const clock = manualClock()
  const { url, received, answerMeanwhile } = await elsewhere()
  const sender = testDeliverer({ clock })
  const outcomes = Array.from({ length: 8 }, () => attempt(sender, url, { timeoutMs: 5000 }))
  await received(8)
  await setTimeout() // from here on as where timers run, which an event loop does first when it goes on
  answerMeanwhile(6)
  clock.advance(30_000)
  const verdicts = (await Promise.all(outcomes)).map(({ verdict }) => verdict)
  expect(verdicts.filter((verdict) => verdict === 'delivered')).toHaveLength(6)
  expect(verdicts.filter((verdict) => verdict === 'retry')).toHaveLength(2)
})
