// A thread of the load process that beats time for the open loop. Timers of the event loop are whole milliseconds and
// a busy loop takes a core away from what is measured; a thread that sleeps on a futex is exact to about 0.1 ms and
// costs next to nothing.

import { parentPort, workerData } from 'node:worker_threads'

const { tickMs }: { tickMs: number } = workerData
const never = new Int32Array(new SharedArrayBuffer(4))

let dueMs = performance.now()
for (;;) {
  dueMs += tickMs
  const waitMs = dueMs - performance.now()
  if (waitMs > 0) Atomics.wait(never, 0, 0, waitMs)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a browser's window
  parentPort!.postMessage(0)
}
