// PingSource: an event whenever its schedule says so (KNATIVE.md 1.4), given to the sink until that has stored it.
//
// From: the clock. Next: the sink. An event that is refused for now waits here, with those that are due meanwhile, 1,000 of
// them; it is tried again after 200 ms, then after twice as long, at most 30 s. Its id follows from the source and the time
// at which it was due, so that it is the same in every process and at every try.

import { hash } from 'node:crypto'
import type { Timer } from '@sluice/clock'
import { newEvent, SluiceError, type Event } from '@sluice/event'
import type { Source, SourceContext, SourceDriver, SourceStatus } from '@sluice/source'
import { schedule, type Schedule } from './schedule.ts'

/** The spec beside the sink, as Knative has it; checked. */
interface PingSpec {
  readonly schedule: string
  readonly timezone?: string
  readonly contentType?: string
  readonly data?: string
  readonly dataBase64?: string
}

/** The source that sends by a schedule. */
export const pingSource: SourceDriver = {
  kinds: [{ apiVersion: 'sources.knative.dev/v1', kind: 'PingSource' }],
  async open(context) {
    const catchUp = context.annotations['sluice.dev/catch-up'] ?? 'none'
    const ping = new Ping(context, catchUp)
    if (catchUp !== 'none') await ping.catchUp()
    ping.start()
    return ping
  },
}

export const TYPE = 'dev.knative.sources.ping'
const WAITING_MAX = 1000
const RETRY_MS = 200
const RETRY_MS_MAX = 30_000
/** A wall clock that jumps is noticed so soon. */
const LOOK_MS_MAX = 60_000

class Ping implements Source {
  readonly #context: SourceContext
  readonly #spec: PingSpec
  readonly #schedule: Schedule
  readonly #source: string
  readonly #keepsTime: boolean
  readonly #catchUp: string
  /** Times that are due and not stored yet, the oldest first. */
  readonly #waiting: number[] = []
  #nextMs: number | undefined
  #timer: Timer | undefined
  #sending: Promise<void> | undefined
  #retry: Timer | undefined
  #failures = 0
  #lastError: string | undefined
  #sent = 0
  #lost = 0
  #isStopped = false

  constructor(context: SourceContext, catchUp: string) {
    const { namespace, name, spec } = context
    this.#context = context
    this.#spec = spec as unknown as PingSpec
    this.#schedule = schedule(this.#spec.schedule, this.#spec.timezone ?? '')
    this.#source = `/apis/v1/namespaces/${namespace}/pingsources/${name}`
    this.#catchUp = catchUp
    this.#keepsTime = catchUp !== 'none'
  }

  // --- Time ---

  /** What was due while nothing ran, since the last one that was stored. */
  async catchUp(): Promise<void> {
    const { checkpoint, clock } = this.#context
    const text = (await checkpoint.load())?.toString('latin1') ?? ''
    const nowMs = clock.now()
    const lastMs = /^\d{1,15}$/.test(text) ? Number(text) : undefined
    if (lastMs === undefined || lastMs > nowMs) return checkpoint.save(Buffer.from(String(nowMs)))
    const max = this.#catchUp === 'last' ? 1 : WAITING_MAX
    const { times, left } = this.#schedule.between(Math.max(lastMs, nowMs - CATCH_UP_MS_MAX), nowMs, max)
    if (this.#catchUp === 'all') this.#lost += left
    this.#waiting.push(...times)
  }

  start(): void {
    this.#nextMs = this.#schedule.next(this.#context.clock.now())
    this.#wait()
    this.#send()
  }

  #wait(): void {
    if (this.#nextMs === undefined || this.#isStopped) return
    const { clock } = this.#context
    const leftMs = Math.max(0, this.#nextMs - clock.now())
    this.#timer = clock.setTimer(Math.min(leftMs, LOOK_MS_MAX), () => this.#look())
  }

  /** Something may be due: one, or after a jump of the clock several, of which the last counts unless all are wanted. */
  #look(): void {
    const nowMs = this.#context.clock.now()
    const dueMs = this.#nextMs!
    if (nowMs >= dueMs) {
      const max = this.#catchUp === 'all' ? WAITING_MAX : 1
      const { times } = this.#schedule.between(dueMs - 1, nowMs, max)
      for (const time of times) this.#due(time)
      this.#nextMs = this.#schedule.next(nowMs)
    } else if (dueMs - nowMs > LOOK_MS_MAX) {
      this.#nextMs = this.#schedule.next(nowMs - 1) // the clock may have been set back
    }
    this.#wait()
  }

  #due(timeMs: number): void {
    this.#waiting.push(timeMs)
    if (this.#waiting.length > WAITING_MAX) {
      this.#waiting.shift()
      this.#lost++
    }
    if (this.#retry === undefined) this.#send()
  }

  // --- Sending ---

  #send(): void {
    if (this.#sending !== undefined || this.#isStopped || this.#waiting.length === 0) return
    this.#sending = this.#sendAll().finally(() => (this.#sending = undefined))
  }

  /** One after another, in order, until one is refused. */
  async #sendAll(): Promise<void> {
    for (let time = this.#waiting[0]; time !== undefined && !this.#isStopped; time = this.#waiting[0]) {
      try {
        await this.#context.emit([this.#eventOf(time)])
        this.#failures = 0
        this.#lastError = undefined
        this.#sent++
      } catch (error) {
        this.#lastError = error instanceof Error ? error.message : String(error)
        if (!(error instanceof SluiceError) || error.retryable) return this.#later(error)
        this.#lost++
      }
      if (this.#waiting[0] === time) this.#waiting.shift()
      if (this.#keepsTime) await this.#keep(time)
    }
  }

  #later(error: unknown): void {
    if (this.#isStopped) return
    const askedMs = error instanceof SluiceError ? (error.retryAfterMs ?? 0) : 0
    const delayMs = Math.min(RETRY_MS_MAX, Math.max(askedMs, RETRY_MS * 2 ** Math.min(this.#failures++, 10)))
    this.#retry = this.#context.clock.setTimer(delayMs, () => {
      this.#retry = undefined
      this.#send()
    })
  }

  /** A checkpoint that can't be written costs a repetition at the next start, under the same id. */
  async #keep(timeMs: number): Promise<void> {
    try {
      await this.#context.checkpoint.save(Buffer.from(String(timeMs)))
    } catch (error) {
      this.#lastError = `The checkpoint can't be written: ${(error as Error).message}`
    }
  }

  #eventOf(timeMs: number): Event {
    const { contentType, data, dataBase64 } = this.#spec
    const bytes = data ? Buffer.from(data) : dataBase64 ? Buffer.from(dataBase64, 'base64') : undefined
    const time = new Date(timeMs).toISOString()
    return newEvent({
      type: TYPE,
      source: this.#source,
      id: idOf(`${this.#context.uid} ${time}`),
      time,
      ...(bytes !== undefined && { data: bytes }),
      ...(bytes !== undefined && contentType && { datacontenttype: contentType }),
    })
  }

  // --- The source ---

  status(): SourceStatus {
    const at = (ms: number): string => new Date(ms).toISOString()
    const isLate = this.#failures >= FAILURES_TOLD && this.#lastError !== undefined
    return {
      ...(isLate && { trouble: `The sink takes no events: ${this.#lastError} They wait, and are tried again.` }),
      ceAttributes: [{ type: TYPE, source: this.#source }],
      fields: {
        schedule: {
          ...(this.#nextMs !== undefined && { next: at(this.#nextMs) }),
          ...{ sent: this.#sent, waiting: this.#waiting.length, lost: this.#lost },
          ...(this.#lastError !== undefined && { lastError: this.#lastError }),
        },
      },
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#retry?.cancel()
    await this.#sending
  }
}

/** More than a hiccup. */
const FAILURES_TOLD = 3
/** No downtime is made up for beyond this: a year. */
const CATCH_UP_MS_MAX = 366 * 86_400_000

/** A name-based UUID (RFC 9562, version 8) of what it is of. */
function idOf(name: string): string {
  const hex = hash('sha256', name)
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
