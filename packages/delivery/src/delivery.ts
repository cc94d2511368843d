// Hot path (bench/attempt.ts). One attempt of one event at one HTTP subscriber. From: broker/src/dispatch.ts. The
// event goes out over one of the kept-alive connections to its origin; what becomes of it is told in attempt.ts.

import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { systemClock, TimerWheel, type Clock, type Timer } from '@sluice/clock'
import { binaryHeaderBytes, encodeBinary, encodeStructured, STRUCTURED_CONTENT_TYPE, type Event } from '@sluice/event'
import { addressGuard, type AllowedTargets } from '@sluice/target'
import { Attempt, NO_TIMER, type Sender } from './attempt.ts'
import { Authorizer, proofHeaders, type Proof } from './authorizing.ts'
import { connectionMaker, guardedConnector, type ConnectionLimits } from './connection.ts'
import { Connections, type Pool } from './connections.ts'
import { exchange, type Exchanged, type ExchangeRequest } from './exchange.ts'
import { UNWRITABLE } from './explain.ts'
import { sharedLookup } from './lookup.ts'
import { call, later, notSent, SHUTTING_DOWN, type AttemptRequest, type Outcome } from './outcome.ts'
import type { TlsIdentity } from './tls.ts'

/** Sends attempts. Made by {@link deliverer}. */
export interface Deliverer {
  /**
   * Makes one attempt (CloudEvents HTTP 3; spec 115 to 120): POSTs the event, and calls `done` exactly once with
   * what came of it, never before this returns. Never throws, and needs no promise. What is wrong with the event
   * or the target comes out as an outcome `dead`.
   */
  send(request: AttemptRequest, done: (outcome: Outcome) => void): void
  /**
   * Makes one plain request that carries no event, as a receiver is asked for its consent, by the access of its target
   * without the signatures. Rejects with a SluiceError where there is no answer, in words.
   */
  exchange(request: ExchangeRequest): Promise<Exchanged>
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
  /** Of all replies that are being read; beyond, those of more than 64 KiB are broken off. Default 64 MiB, twice `replyBytesMax` at least. */
  readonly allRepliesBytesMax?: number
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
    allRepliesBytesMax = Math.max(64 * 1024 * 1024, 2 * replyBytesMax),
    targets = 'any',
  } = options
  const responseHeaderBytesMax = options.responseHeaderBytesMax ?? 16 * 1024
  const limits: ConnectionLimits = {
    connectionsPerOrigin: options.connectionsPerOrigin ?? 1024,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    keepAliveMs: options.keepAliveMs ?? 15_000,
    connectionAgeMaxMs: options.connectionAgeMaxMs ?? 300_000,
    responseHeaderBytesMax,
    answerBytesMax: FRAMING_FACTOR * (responseBytesMax + responseHeaderBytesMax),
    replyAnswerBytesMax: FRAMING_FACTOR * (replyBytesMax + responseHeaderBytesMax),
  }
  const lookup = sharedLookup(options.lookup ?? systemLookup, clock, limits.connectTimeoutMs)
  const guard = addressGuard(targets)
  /** By origin, and where there is one the name of the TLS identity. */
  const pools = new Map<string, Pool>()
  const authorizer = new Authorizer({
    clock,
    exchange: exchangeAs,
    send: sendWith,
    waits: (attempts) => {
      inFlight += attempts
      if (inFlight === 0) drained?.()
    },
  })
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
    allRepliesBytesMax,
    replyBytes: 0,
    finish,
    resend,
  }

  function send(request: AttemptRequest, done: (outcome: Outcome) => void): void {
    if (closing !== undefined) return later(done, notSent('retry', SHUTTING_DOWN))
    const { access } = request.target
    if (access === undefined) sendWith(request, undefined, done)
    else authorizer.send(request, access, done)
  }

  function sendWith(request: AttemptRequest, proof: Proof | undefined, done: (outcome: Outcome) => void): void {
    let attempt: Attempt
    try {
      attempt = encode(request, proof, done)
      attempt.timer = deadlines.add(request.timeoutMs)
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error)
      return later(done, notSent('dead', `${UNWRITABLE}: ${words}`))
    }
    attempts[attempt.timer] = attempt
    attempt.pool.inFlight++
    inFlight++
    isSending = true
    try {
      attempt.pool.shared.send(attempt)
    } finally {
      isSending = false
    }
  }

  /** Binary unless asked otherwise or too long for headers; the event's headers are made once for all its deliveries. */
  function encode(request: AttemptRequest, proof: Proof | undefined, done: (outcome: Outcome) => void): Attempt {
    const { event, target, headers } = request
    const pool = poolOf(target.origin, proof?.tls)
    const isStructured =
      goesStructured(event, request.format) || (proof?.needsBody === true && event.data === undefined)
    const body = isStructured ? encodeStructured(event) : (event.data ?? null)
    const own = isStructured ? ['content-type', STRUCTURED_CONTENT_TYPE] : event.binaryHeaders(encodeBinary)
    const proving = proof === undefined ? headers : headers.concat(proofHeaders(proof, event, clock.now(), body))
    return new Attempt(sender, request, pool, own.concat(proving, event.headers), body, done)
  }

  function exchangeAs(request: ExchangeRequest, tls: TlsIdentity | undefined): Promise<Exchanged> {
    const connect = guardedConnector(guard, lookup, limits.connectTimeoutMs, tls)
    return exchange(request, { connect, clock, headerBytesMax: limits.responseHeaderBytesMax })
  }

  // --- The end of an attempt ---

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
    const { pool } = attempt
    inFlight--
    if (--pool.inFlight === 0) pool.idleSinceMs = clock.monotonic()
    if (isSending) later(attempt.done, outcome)
    else call(attempt.done, outcome)
    if (inFlight === 0) drained?.()
  }

  function resend(attempt: Attempt): void {
    const { pool } = attempt
    pool.unshared ??= pool.open(false)
    pool.unshared.send(attempt)
  }

  // --- Connections ---

  function poolOf(origin: string, tls: TlsIdentity | undefined): Pool {
    const name = tls === undefined ? origin : `${origin} ${tls.name}`
    const known = pools.get(name)
    if (known !== undefined) return known
    const connect = guardedConnector(guard, lookup, limits.connectTimeoutMs, tls)
    const openConnections = (reuse: boolean): Connections =>
      new Connections(clock, connectionMaker(origin, limits, connect, reuse), limits.connectionsPerOrigin)
    const pool: Pool = {
      shared: openConnections(true),
      unshared: undefined,
      open: openConnections,
      inFlight: 0,
      idleSinceMs: clock.monotonic(),
    }
    pools.set(name, pool)
    sweep ??= clock.setTimer(originIdleMs / 2, forgetIdle)
    return pool
  }

  function forgetIdle(): void {
    const idleBefore = clock.monotonic() - originIdleMs
    for (const [name, pool] of pools) {
      if (pool.inFlight > 0 || pool.idleSinceMs > idleBefore) continue
      pools.delete(name)
      void shut(pool)
    }
    sweep = pools.size === 0 ? undefined : clock.setTimer(originIdleMs / 2, forgetIdle)
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
    authorizer.close()
    sweep?.cancel()
    deadlines.close()
    await Promise.all([...pools.values()].map(shut))
    pools.clear()
  }

  return {
    send,
    exchange: (request) => authorizer.exchange(request),
    get inFlight() {
      return inFlight
    },
    close: ({ deadlineMs }) => (closing ??= close(deadlineMs)),
  }
}

/** Attempts past their deadline that are broken off in one turn of the event loop. */
const BROKEN_OFF_AT_ONCE = 16

/** Of what an answer may have, so much is read of it, with all that frames it: chunks of six bytes and more fit. */
const FRAMING_FACTOR = 2

/** How exactly the deadline of an attempt is kept. */
const DEADLINE_TICK_MS = 10

async function shut(pool: Pool): Promise<void> {
  await Promise.all([pool.shared.destroy(), pool.unshared?.destroy()])
}
