// What it costs that the last steps of events are kept: an event of one trigger that is delivered at once.
//
//     node packages/server/bench/trace.ts

import { NO_OBSERVER, type Observer, type TriggerName } from '@sluice/broker'
import { systemClock } from '@sluice/clock'
import type { Outcome } from '@sluice/delivery'
import { newEvent } from '@sluice/event'
import { trace } from '../src/trace.ts'

const ROUNDS = 1000
const broker = { kind: 'Broker', namespace: 'default', name: 'default' }
const trigger: TriggerName = { id: 'uid', namespace: 'default', name: 'taker', broker }
const events = Array.from({ length: 1000 }, (_, n) => newEvent({ id: `event-${n}`, source: '/bench', type: 't' }))
const outcome: Outcome = {
  verdict: 'delivered',
  status: 202,
  reply: undefined,
  error: '',
  response: undefined,
  retryAfterMs: 0,
  pressure: false,
  durationMs: 1,
}

function nsPerEvent(observer: Observer): number {
  const startMs = performance.now()
  for (let round = 0; round < ROUNDS; round++) {
    for (const event of events) {
      observer.accepted(broker, event)
      observer.matched(trigger, event)
      observer.attempted(trigger, event, outcome, 'subscriber', 1)
      observer.settled(trigger, event)
    }
  }
  return ((performance.now() - startMs) * 1e6) / (ROUNDS * events.length)
}

for (const turn of ['warm', 'measured']) {
  const alone = nsPerEvent(NO_OBSERVER)
  const kept = nsPerEvent(trace(systemClock).noting(NO_OBSERVER))
  process.stdout.write(`${turn}: ${alone.toFixed(0)} ns an event without, ${kept.toFixed(0)} ns with\n`)
}
