// The end of a broker: what is under way finishes, a volatile channel is emptied as far as it gets, and what is lost is
// told (fault 5).
//
// From: broker.ts, which takes no more events. Next: nothing.

import { within, type Channel, type DeadLetterBox } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { Observer } from './observer.ts'
import type { Triggers } from './triggers.ts'

const DRAIN_POLL_MS = 20
/** What a channel may take, in ms, to write its last after the deadline, before nobody waits for it any more. */
const CLOSE_MS_MAX = 5000

export interface Closing {
  channel: Channel
  box: DeadLetterBox
  triggers: Triggers
  clock: Clock
  observer: Observer
}

/** Closes triggers, channel and box, in this order: what comes of the last attempts has to go somewhere. */
export async function closeAll(
  { channel, box, triggers, clock, observer }: Closing,
  deadlineMs: number,
): Promise<void> {
  const end = clock.monotonic() + deadlineMs
  const isVolatile = !channel.capabilities.durable
  triggers.stopRedriving()
  if (isVolatile) await drain(triggers, clock, end)
  triggers.stop()
  const leftMs = Math.max(0, end - clock.monotonic())
  const redriven = within(clock, leftMs, triggers.redriven())
  await within(clock, leftMs + CLOSE_MS_MAX, Promise.all([channel.close({ deadlineMs: leftMs }), redriven]))
  for (const { name, events } of triggers.close()) {
    if (isVolatile && events > 0) observer.lost(name, { events, cause: 'shutdown' })
  }
  await within(clock, CLOSE_MS_MAX, box.close())
}

/** Asks now and then: that an event has left, a target is down or a box full is told in three places. */
async function drain(triggers: Triggers, clock: Clock, end: number): Promise<void> {
  while (clock.monotonic() < end && triggers.mayEnd) await pause(clock, DRAIN_POLL_MS)
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve)
  })
}
