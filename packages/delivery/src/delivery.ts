// Hot path (bench/attempt.ts). One attempt of one event at one HTTP subscriber. From: broker/src/dispatch.ts. The
// event goes out over one of the kept-alive connections to its origin; what becomes of it is told in attempt.ts.

import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { systemClock, TimerWheel, type Clock, type Timer } from '@sluice/clock'
import { binaryHeaderBytes, encodeBinary, encodeStructured, STRUCTURED_CONTENT_TYPE, type Event } from '@sluice/event'
import { addressGuard, type AllowedTargets } from '@sluice/target'
import { Attempt, NO_TIMER, type Sender } from './attempt.ts'
import { UNWRITABLE } from './explain.ts'
import { connectionMaker, type ConnectionLimits } from './connection.ts'
import { Connections } from './connections.ts'
import type { AttemptRequest, Outcome } from './outcome.ts'

/** Sends attempts. Made by {@link deliverer}. */
export interface Deliverer {
  /**
   * Makes one attempt (CloudEvents HTTP 3; spec 115 to 120): POSTs the event, and calls `done` exactly once with
   * what came of it, never before this returns. Never throws, and needs no promise. What is wrong with the event
   * or the target comes out as an outcome `dead`.
   */
  send(request: AttemptRequest, done: (outcome: Outcome) => void): void
  /** Attempts under way. */
  readonly inFlight: number
  /**
   * Waits for the attempts under way, for `deadlineMs` at most; those that are still there then are broken off,
   * outcome `retry`. Closes all connections. From the call on, an attempt sent gets an outcome `retry`.
   */
  close(options: { deadlineMs: number }): Promise<void>
}

/** Settings of a {@link Deliverer}; each has a default. */
export interface DelivererOptions {
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Connections to one origin at once; attempts beyond wait for one, within their deadline. Default 1024. */
  readonly connectionsPerOrigin?: number
  /** Until a connection stands, TLS included, in ms. Default 10 s. */
  readonly connectTimeoutMs?: number
  /**
   * How long an unused connection is kept, in ms, unless the subscriber's `Keep-Alive: timeout` says otherwise.
   * Default 15 s.
   */
  readonly keepAliveMs?: number
  /** A connection older than this is not used again, so that names are looked up afresh, in ms. Default 5 min. */
  readonly connectionAgeMaxMs?: number
  /** An origin that nothing was sent to for so long is forgotten, with its connections, in ms. Default 10 min. */
  readonly originIdleMs?: number
  /** Of an answer of which only the status counts, so much is read; then the connection is broken off. Default 64 KiB. */
  readonly responseBytesMax?: number
  /** A larger reply is malformed. Default 1 MiB. */
  readonly replyBytesMax?: number
  /** Headers of an answer; larger ones are no answer. Default 16 KiB. */
  readonly responseHeaderBytesMax?: number
  /** Which addresses may be connected to. Default `any`: see {@link AllowedTargets}. */
  readonly targets?: AllowedTargets
  /** Finds the addresses of a name. Default: `dns.lookup`. */
  readonly lookup?: LookupFunction
}

/** Above this the event goes structured: with 4 KiB more for the rest of a request it is Node's cap of 16 KiB (CE-14). */
export const BINARY_HEADER_BYTES_MAX: number = 12 * 1024

/** Whether an event goes out as structured JSON: it was asked for, or its attributes are too long for headers. */
export function goesStructured(event: Event, format: AttemptRequest['format']): boolean {
  return format === 'json' || binaryHeaderBytes(event) > BINARY_HEADER_BYTES_MAX
}

/** Makes a deliverer. It holds no timer and no connection until something is sent. */
export function deliverer(options: DelivererOptions = {}): Deliverer {
  const {
    clock = systemClock,
    originIdleMs = 600_000,
    responseBytesMax = 64 * 1024,
    replyBytesMax = 1024 * 1024,
    targets = 'any',
    lookup = systemLookup,
  } = options
  const limits: ConnectionLimits = {
    connectionsPerOrigin: options.connectionsPerOrigin ?? 1024,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    keepAliveMs: options.keepAliveMs ?? 15_000,
    connectionAgeMaxMs: options.connectionAgeMaxMs ?? 300_000,
    responseHeaderBytesMax: options.responseHeaderBytesMax ?? 16 * 1024,
  }
  const guard = addressGuard(targets)
  const origins = new Map<string, Origin>()
  /** By the handle of its timer. */
  const attempts: (Attempt | undefined)[] = []
  const deadlines = new TimerWheel({ clock, tickMs: DEADLINE_TICK_MS, expire })
  /** Past their deadline, and not broken off yet. */
  const expired: Attempt[] = []
  let inFlight = 0
  let isSending = false
  let sweep: Timer | undefined
  let closing: Promise<void> | undefined
  let drained: (() => void) | undefined

  const sender: Sender = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    responseBytesMax,
    replyBytesMax,
    finish,
    resend,
  }

  function send(request: AttemptRequest, done: (outcome: Outcome) => void): void {
    if (closing !== undefined) return later(done, notSent('retry', 'Sluice is shutting down'))
    let attempt: Attempt
    try {
      attempt = encode(request, done)
      attempt.timer = deadlines.add(request.timeoutMs)
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error)
      return later(done, notSent('dead', `${UNWRITABLE}: ${words}`))
    }
    attempts[attempt.timer] = attempt
    const origin = origins.get(request.target.origin) ?? open(request.target.origin)
    origin.inFlight++
    inFlight++
    isSending = true
    try {
      origin.shared.send(attempt)
    } finally {
      isSending = false
    }
  }

  /** Binary unless asked otherwise or too long for headers; the event's headers are made once for all its deliveries. */
  function encode(request: AttemptRequest, done: (outcome: Outcome) => void): Attempt {
    const { event, headers } = request
    if (goesStructured(event, request.format)) {
      const structured = ['content-type', STRUCTURED_CONTENT_TYPE].concat(headers, event.headers)
      return new Attempt(sender, request, structured, encodeStructured(event), done)
    }
    const binary = event.binaryHeaders(encodeBinary).concat(headers, event.headers)
    return new Attempt(sender, request, binary, event.data ?? null, done)
  }

  function expire(timer: number): void {
    const attempt = attempts[timer]!
    attempts[timer] = undefined
    attempt.timer = NO_TIMER
    if (expired.length === 0) setImmediate(breakOff)
    expired.push(attempt)
  }

  /**
   * Not before what has arrived is read: after a pause of the process all deadlines are over, and the answers are there
   * (faults 6, 7). Closing a connection takes its time; hundreds at once, as when a target stops answering, would hold up
   * all others.
   */
  function breakOff(): void {
    const now = expired.splice(0, BROKEN_OFF_AT_ONCE)
    if (expired.length > 0) setImmediate(breakOff)
    for (const attempt of now) attempt.expire()
  }

  function finish(attempt: Attempt, outcome: Outcome): void {
    if (attempt.timer !== NO_TIMER) {
      deadlines.cancel(attempt.timer)
      attempts[attempt.timer] = undefined
    }
    const origin = origins.get(attempt.request.target.origin)!
    inFlight--
    if (--origin.inFlight === 0) origin.idleSinceMs = clock.monotonic()
    if (isSending) later(attempt.done, outcome)
    else call(attempt.done, outcome)
    if (inFlight === 0) drained?.()
  }

  function resend(attempt: Attempt): void {
    const { origin } = attempt.request.target
    const known = origins.get(origin)!
    known.unshared ??= connectionsTo(origin, false)
    known.unshared.send(attempt)
  }

  function open(origin: string): Origin {
    const opened: Origin = { shared: connectionsTo(origin, true), unshared: undefined, inFlight: 0, idleSinceMs: 0 }
    origins.set(origin, opened)
    sweep ??= clock.setTimer(originIdleMs / 2, forgetIdle)
    return opened
  }

  function connectionsTo(origin: string, reuse: boolean): Connections {
    const make = connectionMaker(origin, limits, guard, lookup, reuse)
    return new Connections(clock, make, limits.connectionsPerOrigin)
  }

  function forgetIdle(): void {
    const idleBefore = clock.monotonic() - originIdleMs
    for (const [url, origin] of origins) {
      if (origin.inFlight > 0 || origin.idleSinceMs > idleBefore) continue
      origins.delete(url)
      void shut(origin)
    }
    sweep = origins.size === 0 ? undefined : clock.setTimer(originIdleMs / 2, forgetIdle)
  }

  async function close(deadlineMs: number): Promise<void> {
    if (inFlight > 0 && deadlineMs > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const deadline = clock.setTimer(deadlineMs, resolve)
      drained = resolve
      await promise
      deadline.cancel()
    }
    for (const attempt of [...expired, ...attempts])
      attempt?.stop('Sluice is shutting down; the answer was not waited for')
    sweep?.cancel()
    deadlines.close()
    await Promise.all([...origins.values()].map(shut))
    origins.clear()
  }

  return {
    send,
    get inFlight() {
      return inFlight
    },
    close: ({ deadlineMs }) => (closing ??= close(deadlineMs)),
  }
}

/** What is kept for one origin, shared by all triggers that send there. */
interface Origin {
  readonly shared: Connections
  /** For the second sending of attempts that met a stale connection: one connection for each. */
  unshared: Connections | undefined
  inFlight: number
  /** Monotonic. */
  idleSinceMs: number
}

/** Attempts past their deadline that are broken off in one turn of the event loop. */
const BROKEN_OFF_AT_ONCE = 16

/** How exactly the deadline of an attempt is kept. */
const DEADLINE_TICK_MS = 10

async function shut(origin: Origin): Promise<void> {
  await Promise.all([origin.shared.destroy(), origin.unshared?.destroy()])
}

function notSent(verdict: 'retry' | 'dead', error: string): Outcome {
  const nothing = { reply: undefined, response: undefined, retryAfterMs: 0, pressure: false, durationMs: 0 }
  return { verdict, status: 0, error, ...nothing }
}

function later(done: (outcome: Outcome) => void, outcome: Outcome): void {
  queueMicrotask(() => done(outcome))
}

/** What the callback throws is a fault of its own: it must come out, and not end up as an error of the answer. */
function call(done: (outcome: Outcome) => void, outcome: Outcome): void {
  try {
    done(outcome)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
