// A real broker on a real in-memory channel, on a clock moved by hand. Only the network is missing: what would be
// POSTed waits in `scripted` until somebody says what came of it.

import { setImmediate } from 'node:timers/promises'
import { memoryChannel } from '@sluice/channel-memory'
import { manualClock, type ManualClock } from '@sluice/clock'
import type { Channel, DeadLetterBox } from '@sluice/channel'
import { DEFAULT_POLICY, type AttemptRequest, type Deliverer, type Outcome, type Target } from '@sluice/delivery'
import { Event, type AttributeValue } from '@sluice/event'
import { compileTrigger, type Filter } from '@sluice/filter'
import {
  memoryBox,
  NO_OBSERVER,
  openBroker,
  type Broker,
  type BrokerOptions,
  type Observer,
  type TriggerConfig,
} from '@sluice/broker'

/** An attempt that no one has answered yet. */
export interface Attempt {
  readonly request: AttemptRequest
  readonly answer: (outcome: Outcome) => void
}

/** What a script decides about an attempt; `undefined` lets it wait. */
export type Answering = (request: AttemptRequest) => Partial<Outcome> | undefined

/** A deliverer in whose place a script answers. */
export interface Scripted extends Pick<Deliverer, 'send'> {
  /** Attempts under way, oldest first. */
  readonly underWay: Attempt[]
  /** Attempts that were ever made. */
  readonly sent: number
  /** Asked at each attempt; what it answers comes back after a microtask. */
  answering: Answering
}

export function scripted(onSend: (request: AttemptRequest) => void = () => {}): Scripted {
  const underWay: Attempt[] = []
  let sent = 0
  return {
    underWay,
    answering: () => undefined,
    get sent() {
      return sent
    },
    send(request, done) {
      sent++
      onSend(request)
      const attempt: Attempt = {
        request,
        answer: (came) => {
          underWay.splice(underWay.indexOf(attempt), 1)
          done(came)
        },
      }
      underWay.push(attempt)
      const answer = this.answering(request)
      if (answer !== undefined) queueMicrotask(() => attempt.answer(outcome(200, answer)))
    },
  }
}

/** Has subscribers answer after so long by the clock: [status, ms], or more than a status. */
export function answerLater(
  { network, clock }: Pick<Scene, 'network' | 'clock'>,
  answer: (request: AttemptRequest) => readonly [status: number, afterMs: number, details?: Partial<Outcome>],
): void {
  network.send = (request, done) => {
    const [status, afterMs, details] = answer(request)
    if (afterMs === 0) queueMicrotask(() => done(outcome(status, details)))
    else clock.setTimer(afterMs, () => done(outcome(status, details)))
  }
}

/** Always the same numbers, from 0 to below 1. */
export function seededRandom(): () => number {
  let seed = 1
  return () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
}

/** The outcome of an answer with this status; 0 = no answer (KNATIVE.md 2, DP retry table). */
export function outcome(status: number, details: Partial<Outcome> = {}): Outcome {
  const code = details.status ?? status
  const delivered = code >= 200 && code < 300
  const retried = code === 0 || code === 404 || code === 408 || code === 409 || code === 429 || code >= 500
  return {
    verdict: delivered ? 'delivered' : retried ? 'retry' : 'dead',
    status: code,
    reply: undefined,
    error: delivered ? '' : code === 0 ? 'no connection' : `answered ${code}`,
    response: undefined,
    retryAfterMs: 0,
    pressure: code === 0 || code === 429 || code === 503,
    durationMs: 0,
    ...details,
  }
}

export function target(name: string): Target {
  return { url: `http://${name}/`, origin: `http://${name}`, path: '/' }
}

export function event(attributes: Record<string, AttributeValue>, data?: Buffer, headers?: string[]): Event {
  const all = { specversion: '1.0', id: '1', source: '/test', type: 'order', ...attributes }
  return new Event(new Map(Object.entries(all)), data, undefined, headers)
}

export function filterFor(type: string | undefined): Filter {
  return compileTrigger(type === undefined ? {} : { filters: [{ exact: { type } }] })
}

/** A trigger that takes everything, at `http://NAME/`, with the default policy. */
export function trigger(name: string, changes: Partial<TriggerConfig> = {}): TriggerConfig {
  return {
    id: `uid-${name}`,
    namespace: 'default',
    name,
    filter: filterFor(undefined),
    route: { subscriber: target(name), deadLetterSink: undefined, policy: DEFAULT_POLICY, concurrency: 64 },
    order: 'none',
    window: { events: 256, bytes: 16 * 1024 * 1024 },
    paused: false,
    start: 'latest',
    ...changes,
  }
}

export interface SceneOptions {
  kind?: string
  bytesMax?: number | undefined
  /** Of what is settled, so that there is something to seek. Default: none. */
  historyBytes?: number
  boxBytesMax?: number | undefined
  boxTriggerBytesMax?: number | undefined
  /** Default: one in memory. */
  box?: DeadLetterBox
  hopsMax?: number | undefined
  random?: () => number
  whenFull?: () => 'reject' | 'deadLetter'
  judge?: NonNullable<BrokerOptions['judge']>
  observer?: Partial<Observer>
  onSend?: (request: AttemptRequest) => void
}

export interface Scene {
  readonly clock: ManualClock
  readonly channel: Channel
  readonly box: DeadLetterBox
  readonly network: Scripted
  readonly broker: Broker
  /** Lets everything happen that needs no time. */
  quiet(): Promise<void>
  /** Lets time pass, step by step, so that promises keep up with timers. */
  pass(ms: number, stepMs?: number): Promise<void>
}

export function openScene(options: SceneOptions = {}): Scene {
  const clock = manualClock()
  const { bytesMax, historyBytes = 0, boxBytesMax, boxTriggerBytesMax, hopsMax } = options
  const channel = memoryChannel({ clock, historyBytes, ...(bytesMax !== undefined && { bytesMax }) })
  const box =
    options.box ??
    memoryBox({
      clock,
      ...(boxBytesMax !== undefined && { bytesMax: boxBytesMax }),
      ...(boxTriggerBytesMax !== undefined && { triggerBytesMax: boxTriggerBytesMax }),
    })
  const network = scripted(options.onSend)
  const broker = openBroker({
    ...(options.kind !== undefined && { kind: options.kind }),
    namespace: 'default',
    name: 'main',
    channel,
    box,
    deliverer: network,
    observer: { ...NO_OBSERVER, ...options.observer },
    clock,
    random: options.random ?? (() => 0),
    ...(hopsMax !== undefined && { hopsMax }),
    ...(options.whenFull !== undefined && { whenFull: options.whenFull }),
    ...(options.judge !== undefined && { judge: options.judge }),
  })
  return {
    clock,
    channel,
    box,
    network,
    broker,
    quiet: () => setImmediate(),
    async pass(ms, stepMs = 5) {
      await setImmediate()
      for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
        clock.advance(Math.min(stepMs, leftMs))
        await setImmediate()
      }
    },
  }
}
