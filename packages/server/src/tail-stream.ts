// Lines to one who follows events. What doesn't fit, as the reader is slower than what happens, is counted and told.
//
// From: tail.ts. Next: the socket.

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Clock, Timer } from '@sluice/clock'

/** Lines that wait for a slow reader, at most. */
export const LINES_MAX = 1000
/** And their bytes. */
export const LINE_BYTES_MAX: number = 4 * 1024 * 1024
/** Without lines, something is written so often, in ms: who is gone is noticed. */
const HEARTBEAT_MS = 15_000

export interface TailOptions {
  readonly clock: Clock
  /** Server-sent events, instead of a JSON object a line. */
  readonly isEventStream: boolean
}

export class TailStream {
  readonly #response: ServerResponse
  readonly #isEventStream: boolean
  readonly #clock: Clock
  readonly #gone: Promise<unknown>
  #heartbeat: Timer
  #lines: string[] = []
  #bytes = 0
  #dropped = 0
  /** Nothing is written from the queue: the socket is full, or something else goes first. */
  #isHeld = false
  #isScheduled = false

  constructor(response: ServerResponse, { clock, isEventStream }: TailOptions) {
    this.#response = response
    this.#isEventStream = isEventStream
    this.#clock = clock
    response.writeHead(200, {
      'content-type': isEventStream ? 'text/event-stream' : 'application/x-ndjson',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    response.flushHeaders()
    response.on('error', () => {}) // its reader is gone; 'close' follows
    this.#gone = new Promise((resolve) => response.once('close', resolve))
    this.#heartbeat = this.#beatLater()
    this.closed(() => this.#heartbeat.cancel())
  }

  get isClosed(): boolean {
    return this.#response.closed || this.#response.writableEnded
  }

  closed(listener: () => void): void {
    this.#response.on('close', listener)
  }

  /** Whether the next line is taken; where not, it is counted as lost. Asked before it is made. */
  hasRoom(): boolean {
    if (this.#lines.length < LINES_MAX && this.#bytes < LINE_BYTES_MAX) return true
    this.#dropped++
    return false
  }

  /** Written at the end of this turn of the event loop, or once the reader has taken what is before it. */
  push(line: string): void {
    this.#lines.push(line)
    this.#bytes += line.length
    this.#flushSoon()
  }

  /** What `work` writes comes before everything that is pushed meanwhile. */
  async before(work: () => Promise<void>): Promise<void> {
    this.#isHeld = true
    try {
      await work()
    } catch (error) {
      this.#response.destroy(error as Error)
    }
    this.#isHeld = false
    this.#flush()
  }

  /** Writes a line at once; resolves when there may be a next one. */
  async write(line: string): Promise<void> {
    if (this.isClosed) return
    if (!this.#response.write(this.#framed(line))) await Promise.race([once(this.#response, 'drain'), this.#gone])
  }

  /** Ends it in good order, with what it has. */
  end(): void {
    this.#flush()
    this.#response.end()
  }

  #flushSoon(): void {
    if (this.#isScheduled || this.#isHeld) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#isHeld || this.isClosed) return
    if (this.#dropped > 0) this.#lines.push(JSON.stringify({ step: 'dropped', lines: this.#dropped }))
    this.#dropped = 0
    const text = this.#lines.map((line) => this.#framed(line)).join('')
    this.#lines = []
    this.#bytes = 0
    if (text === '' || this.#response.write(text)) return
    this.#isHeld = true
    this.#response.once('drain', () => {
      this.#isHeld = false
      this.#flush()
    })
  }

  #framed(line: string): string {
    return this.#isEventStream ? `data: ${line}\n\n` : `${line}\n`
  }

  #beatLater(): Timer {
    return this.#clock.setTimer(HEARTBEAT_MS, () => {
      if (this.isClosed) return
      if (!this.#isHeld) this.#response.write(this.#isEventStream ? ':\n\n' : '\n')
      this.#heartbeat = this.#beatLater()
    })
  }
}
