// The simulated network of one process: subscribers and dead-letter sinks that answer as the seed says, late or never.

import type { AttemptRequest, Deliverer, Outcome } from '@sluice/delivery'
import type { Event } from '@sluice/event'
import type { Chance } from './chance.ts'
import type { LifeClock } from './life.ts'

/** How an address fares at the moment. */
export type Mood = 'well' | 'flaky' | 'slow' | 'refusing' | 'down'

export interface NetworkOptions {
  clock: LifeClock
  chance: Chance
  /** By the host of its URL. */
  moodOf: (host: string) => Mood
  /** An event that a subscriber answers with. */
  reply: () => Event
  began: (host: string, event: Event) => void
  /** Called before the broker hears of it. */
  answered: (host: string, event: Event, outcome: Outcome) => void
}

export function network(options: NetworkOptions): Pick<Deliverer, 'send'> {
  const { clock, moodOf, began, answered } = options
  return {
    send(request, done) {
      const host = request.target.origin.slice('http://'.length)
      const mood = moodOf(host)
      began(host, request.event)
      clock.setTimer(delayMs(options, mood, request), () => {
        const outcome = answer(options, mood, request)
        answered(host, request.event, outcome)
        done(outcome)
      })
    },
  }
}

function delayMs({ chance }: NetworkOptions, mood: Mood, { timeoutMs }: AttemptRequest): number {
  return mood === 'slow' ? chance() * timeoutMs : chance.pick([0, 1, 8, 40])
}

function answer({ chance, reply }: NetworkOptions, mood: Mood, request: AttemptRequest): Outcome {
  const status = statusOf(chance, mood)
  const hasReply = status === 200 && request.reply && mood !== 'well' && chance() < 0.4
  const retryAfterMs = status === 503 ? chance.pick([0, 300, 5000]) : 0
  return outcomeOf(status, hasReply ? reply() : undefined, retryAfterMs)
}

/** 0: no connection, or no answer in time. */
function statusOf(chance: Chance, mood: Mood): number {
  if (mood === 'down') return chance.pick([0, 0, 503])
  if (mood === 'refusing') return chance.pick([400, 400, 200])
  if (mood === 'slow') return chance.pick([200, 0])
  return mood === 'flaky' ? chance.pick([200, 200, 200, 204, 500, 503, 0, 400]) : 200
}

/** As delivery classifies it (KNATIVE.md 2, DP retry table). */
function outcomeOf(status: number, reply: Event | undefined, retryAfterMs: number): Outcome {
  const isDelivered = status >= 200 && status < 300
  return {
    verdict: isDelivered ? 'delivered' : status === 400 ? 'dead' : 'retry',
    status,
    reply,
    error: isDelivered ? '' : status === 0 ? 'no answer' : `answered ${status}`,
    response: undefined,
    retryAfterMs,
    pressure: status === 0 || status === 503,
    durationMs: 0,
  }
}
