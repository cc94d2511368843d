// The end of a run: what is under way gets its time to arrive, and what has not arrived then counts as lost.

import { setTimeout as sleep } from 'node:timers/promises'

/** How long a run waits at its end. */
export const DRAIN_MS = 10_000

/** Waits until `outstanding` is 0, {@link DRAIN_MS} at most; resolves with what it is then. */
export async function drain(outstanding: () => number): Promise<number> {
  const deadline = performance.now() + DRAIN_MS
  while (outstanding() > 0 && performance.now() < deadline) await sleep(5)
  return outstanding()
}
