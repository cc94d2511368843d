// Hot path (bench/attempt.ts). One attempt under way: what undici asks about the request, and what it tells about
// the answer. From: delivery.ts. Next: the outcome, to whoever sent it.

import { decodeHttp, hasEventMarks, SluiceError, type Event } from '@sluice/event'
import type { Dispatcher } from 'undici'
import { Body } from './body.ts'
import { answerInWords, isPressure, retryAfterMs, verdictOf } from './classify.ts'
import type { Connection, Rider } from './connection.ts'
import type { Pool } from './connections.ts'
import { explain, isStaleConnection } from './explain.ts'
import type { AttemptRequest, Outcome } from './outcome.ts'

/** What all attempts of one deliverer share. */
export interface Sender {
  /** Wall-clock time in milliseconds. */
  now(): number
  /** Monotonic time in milliseconds. */
  monotonic(): number
  readonly responseBytesMax: number
  readonly replyBytesMax: number
  readonly allRepliesBytesMax: number
  /** Of replies that are being read. */
  replyBytes: number
  /** Takes the attempt off the books; it is called exactly once for each. */
  finish(attempt: Attempt, outcome: Outcome): void
  /** Sends the attempt once more, on a connection of its own. */
  resend(attempt: Attempt): void
}

/**
 * One POST. It is both what undici reads of a request (`path`, `method`, `headers`, `body`) and the handler of its
 * answer: one object for each attempt, of one hidden class.
 */
export class Attempt implements Rider {
  path: string
  readonly method = 'POST'
  headers: string[]
  body: Buffer | null
  reset: boolean
  connection: Connection | undefined
  isOver: boolean
  next: Rider | undefined
  readonly request: AttemptRequest
  readonly pool: Pool
  readonly done: (outcome: Outcome) => void
  /** In the deliverer's timer wheel; {@link NO_TIMER} before it is there, and once it is over. */
  timer: number
  readonly #sender: Sender
  readonly startedMs: number
  /** There once the request is being written; until then the attempt waits for a connection. */
  #controller: Dispatcher.DispatchController | undefined
  #resent: boolean
  /** At least one byte of an answer has come. */
  #answerBegan: boolean
  #interim: number
  /** Of the final answer; 0 until its headers have ended. */
  #status: number
  #responseHeaders: string[]
  #retryAfterMs: number
  #location: string | string[] | undefined
  #isReply: boolean
  /** Why the reply can't be one. */
  #malformed: string
  /** What is kept of the body; undefined while there is none. */
  #body: Body | undefined
  /** Of the body, so far. */
  #bytes: number
  /** Of a reply, kept so far. */
  #replyBytes: number
  /** There was no room for a reply of this size beside all others. */
  #noRoom: boolean
  /** Why we broke off ourselves, in words, where that isn't the limit of a body. */
  #brokenOff: string
  #timedOut: boolean

  constructor(
    sender: Sender,
    request: AttemptRequest,
    pool: Pool,
    headers: string[],
    body: Buffer | null,
    done: (outcome: Outcome) => void,
  ) {
    this.path = request.target.path
    this.headers = headers
    this.body = body
    this.reset = false
    this.connection = undefined
    this.isOver = false
    this.next = undefined
    this.request = request
    this.pool = pool
    this.done = done
    this.timer = NO_TIMER
    this.#sender = sender
    this.startedMs = sender.monotonic()
    this.#controller = undefined
    this.#resent = false
    this.#answerBegan = false
    this.#interim = 0
    this.#status = 0
    this.#responseHeaders = NO_HEADERS
    this.#retryAfterMs = 0
    this.#location = undefined
    this.#isReply = false
    this.#malformed = ''
    this.#body = undefined
    this.#bytes = 0
    this.#replyBytes = 0
    this.#noRoom = false
    this.#brokenOff = ''
    this.#timedOut = false
  }

  /** A connection is there; undici writes the request right after this. Throwing takes it out of undici's queue. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.isOver) throw ABANDONED
    this.#controller = controller
    this.connection?.begin(this.startedMs)
  }

  onResponseStarted(): void {
    this.#answerBegan = true
  }

  /** Once for each 1xx that comes first (RFC 9110, 15.2), then once for the final answer. */
  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) {
      if (++this.#interim > INTERIM_ANSWERS_MAX) this.#flooded()
      return
    }
    this.#status = status
    if (status < 300) {
      if (status === 200 && this.request.reply) this.#expectReply(controller, headers)
      return
    }
    if (isPressure(status)) this.#retryAfterMs = retryAfterMs(headers['retry-after'], this.#sender.now())
    if (status < 400) this.#location = headers['location']
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#isReply) return this.#collectReply(controller, chunk)
    if (this.#status >= 300) this.#keepStart(chunk)
    // The status has decided. What is left of the body only matters for keeping the connection, up to this limit.
    if (this.#bytes > this.#sender.responseBytesMax) controller.abort(ENOUGH)
  }

  onResponseEnd(): void {
    if (this.isOver) return
    this.connection?.end()
    this.#conclude()
  }

  /** `controller` is null where the request never reached a connection. */
  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.isOver) return
    if (this.#status !== 0) {
      // A status line alone decides, but a reply needs all of its body (fault 28).
      if (this.#isReply) this.#malformed ||= this.#brokenOff || `it was cut off: ${error.message}`
      return this.#conclude()
    }
    if (this.#brokenOff !== '') return this.#unanswered('retry', 0, this.#brokenOff, this.#timedOut)
    if (this.#isStale(error)) return this.#sendAgain()
    const { verdict, status, words, pressure } = explain(error, this.request.target.origin)
    this.#unanswered(verdict, status, words, pressure)
  }

  /** The deadline has passed. */
  expire(): void {
    this.#timedOut = true
    const { timeoutMs, target } = this.request
    const waitedFor =
      this.#controller === undefined
        ? 'there was no connection'
        : this.#status === 0
          ? 'there was no answer'
          : 'the answer had no end'
    this.stop(
      `${target.origin}: ${waitedFor} within ${timeoutMs} ms; check whether the subscriber hangs, or set a longer delivery.timeout`,
    )
  }

  /** Breaks the attempt off, and its connection with it. Its outcome is there when this returns. */
  stop(why: string): void {
    if (this.isOver) return
    this.#brokenOff = why
    if (this.#controller !== undefined) return this.#controller.abort(ENOUGH)
    // It still waits in undici's queue, out of which nothing takes it. So it is made light, and unfit: without a
    // path undici throws it out when its turn comes, and doesn't connect for its sake.
    this.path = ''
    this.headers = []
    this.body = null
    this.#unanswered('retry', 0, why, this.#timedOut)
  }

  #expectReply(
    controller: Dispatcher.DispatchController,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    const raw = latin1(controller.rawHeaders)
    if (!hasEventMarks(raw)) return
    this.#isReply = true
    this.#responseHeaders = raw
    this.connection?.expectReply()
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      this.#malformed = `it has the content-encoding ${String(encoding)}, which nobody asked for; answer without`
    }
  }

  #collectReply(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#bytes > this.#sender.replyBytesMax) {
      this.#malformed ||= `it has more than ${this.#sender.replyBytesMax} bytes (replyBytesMax; of sluice up, --max-event-bytes)`
      return controller.abort(ENOUGH)
    }
    if (this.#malformed !== '') return this.#keepStart(chunk)
    ;(this.#body ??= new Body()).add(chunk)
    this.#replyBytes += chunk.length
    const sender = this.#sender
    sender.replyBytes += chunk.length
    if (this.#replyBytes > SMALL_REPLY_BYTES && sender.replyBytes > sender.allRepliesBytesMax) {
      this.#noRoom = true
      this.#malformed = `there was no room for it: ${sender.allRepliesBytesMax} bytes of replies are being read`
      controller.abort(ENOUGH)
    }
  }

  #keepStart(chunk: Buffer): void {
    const room = RESPONSE_BYTES_KEPT - (this.#bytes - chunk.length)
    if (room > 0) (this.#body ??= new Body()).add(chunk.subarray(0, room))
  }

  #flooded(): void {
    this.stop(`${this.request.target.origin}: more than ${INTERIM_ANSWERS_MAX} interim answers (1xx) and no final one`)
  }

  #isStale(error: Error): boolean {
    const { connection } = this
    if (this.#resent || this.#answerBegan || this.#controller === undefined || connection === undefined) return false
    return connection.answered > 0 && connection.continues === 0 && isStaleConnection(error)
  }

  /** A kept-alive connection that the target had given up: not its fault, and no try of the event's (fault 27). */
  #sendAgain(): void {
    this.#resent = true
    this.#controller = undefined
    this.#interim = 0
    this.#sender.resend(this)
  }

  #conclude(): void {
    const status = this.#status
    if (this.#isReply) return this.#concludeReply()
    const verdict = verdictOf(status)
    const delivered = verdict === 'delivered'
    this.#finish(
      verdict,
      status,
      undefined,
      delivered ? '' : answerInWords(this.request.target, status, this.#location),
      delivered ? undefined : this.#body?.start(RESPONSE_BYTES_KEPT),
      !delivered && (this.#timedOut || isPressure(status)),
    )
  }

  #concludeReply(): void {
    let reply: Event | undefined
    if (this.#malformed === '') {
      try {
        const events = decodeHttp(this.#responseHeaders, this.#body?.all(), {
          maxEventBytes: this.#sender.replyBytesMax,
        })
        if (events.length === 1) reply = events[0]
        else this.#malformed = `it is a batch of ${events.length} events; a reply is one event`
      } catch (error) {
        this.#malformed = error instanceof SluiceError ? error.message : String(error)
      }
    }
    if (reply !== undefined) return this.#finish('delivered', 200, reply, '', undefined, false)
    const words = `the reply of ${this.request.target.origin} is malformed: ${this.#malformed}`
    // DESIGN, "The life of an event", 6.
    const pressure = this.#timedOut || this.#noRoom
    this.#finish('retry', 502, undefined, words, this.#body?.start(RESPONSE_BYTES_KEPT), pressure)
  }

  #unanswered(verdict: 'retry' | 'dead', status: 0 | 101, words: string, pressure: boolean): void {
    this.#finish(verdict, status, undefined, words, undefined, pressure)
  }

  #finish(
    verdict: Outcome['verdict'],
    status: number,
    reply: Event | undefined,
    error: string,
    response: Buffer | undefined,
    pressure: boolean,
  ): void {
    this.isOver = true
    this.#sender.replyBytes -= this.#replyBytes
    const durationMs = this.#sender.monotonic() - this.startedMs
    const wait = this.#retryAfterMs
    this.#sender.finish(this, { verdict, status, reply, error, response, retryAfterMs: wait, pressure, durationMs })
  }
}

export const NO_TIMER = -1

/** Of the body of an answer that was no success, for people (Knative's dead letters carry as much). */
const RESPONSE_BYTES_KEPT = 1024
/** A subscriber may say "still at it" (102, 103), but not without end (fault 29). */
const INTERIM_ANSWERS_MAX = 32
/** Up to here a reply always has room: those of others, which are large or hang, are nothing to it. */
const SMALL_REPLY_BYTES = 64 * 1024
const NO_HEADERS: string[] = []

// Made once: their stacks would say nothing, and cost more than the rest of an attempt.
const ABANDONED = new Error('the attempt was over before there was a connection for it')
const ENOUGH = new Error('broken off')

/** Header bytes as text, name, value, name, value; undici hands them over as it read them. */
function latin1(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  const texts: string[] = []
  if (!Array.isArray(raw)) return texts
  for (const part of raw) texts.push(typeof part === 'string' ? part : part.toString('latin1'))
  return texts
}
