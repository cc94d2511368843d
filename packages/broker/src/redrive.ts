// Entries of the dead-letter box on their way to their trigger once more: past its filter, through its dispatch, by its
// policy, and no more of them at once than a window (DESIGN "The dead-letter box").
//
//     asked for ──▶ out ──▶ settled: the entry goes
//                   │ ▲ └─▶ kept: it failed again, and the entry says so. It stays, under its id
//                   ▼ │
//                  parked
//
// Until it is settled or kept the entry stands in the box unchanged, so whatever ends the process costs a duplicate. What
// was asked for is forgotten then, and can be asked for again.
//
// From: triggers.ts. Next: dispatch.ts, as with every delivery; boxing.ts where it failed again.

import type { DeadLetter, DeadLetterBox, Delivery, NewDeadLetter, Window } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import { recordBytes, type Event, type SluiceError } from '@sluice/event'

/** Entries of one trigger that are out or parked at once, at most; its own window, if that is smaller. */
export const REDRIVE_EVENTS_MAX = 64
/** A box that can't be read or written is asked again after so many ms. */
const BOX_RETRY_MS = 1000

/** One entry on its way. */
export class Redriven implements Delivery {
  /** As the subscriber is shown it: with `sluiceredrive`, and what is known of the tries before. */
  readonly event: Event
  readonly position: string
  /** Of this redrive. */
  attempt = 1
  readonly entry: DeadLetter
  /** It failed again, and the box has taken note. */
  isKept = false
  readonly #redrive: Redrive

  constructor(entry: DeadLetter, redrive: Redrive) {
    const { event, trigger, attempts } = entry
    this.event = event.with({ sluicetrigger: trigger, sluiceattempts: attempts, sluiceredrive: true })
    this.position = `dead letter ${entry.id}`
    this.entry = entry
    this.#redrive = redrive
  }

  settle(): void {
    this.#redrive.settled(this)
  }

  release(delayMs: number, attempt: 'used' | 'unused' = 'used'): void {
    if (attempt === 'used') this.attempt++
    this.#redrive.released(this, delayMs)
  }

  /** It failed again. Resolves once the box says so; where somebody has removed the entry meanwhile, it stays removed. */
  async keep({ attempts, code, error, response, reason }: NewDeadLetter): Promise<{ stored: true }> {
    const { entry } = this
    const all = entry.attempts + attempts
    await this.#redrive.box.replace(entry.id, { ...entry, attempts: all, code, error, response, reason })
    this.isKept = true
    return { stored: true }
  }
}

export interface RedriveOptions {
  box: DeadLetterBox
  clock: Clock
  /** `namespace/name`. */
  trigger: string
  window: Window
  /** Takes one to the trigger's dispatch, again where it was parked. It is settled or released there. */
  deliver: (redriven: Redriven) => void
}

/** What one trigger redrives. */
export class Redrive {
  readonly box: DeadLetterBox
  readonly #options: RedriveOptions
  #window: Window
  /** Ids, the first one asked for first. */
  readonly #asked = new Set<string>()
  /** Over all that the trigger has in the box. */
  #pass: { after: string | undefined; left: number } | undefined
  readonly #out = new Map<string, Redriven>()
  #outBytes = 0
  /** Of those that are parked, or whose entry could not be removed yet. */
  readonly #timers = new Map<Redriven, Timer>()
  #retry: Timer | undefined
  #isTaking = false
  #isPaused = false
  #isStopped = false
  #ended: PromiseWithResolvers<void> | undefined

  constructor(options: RedriveOptions) {
    this.#options = options
    this.box = options.box
    this.#window = options.window
  }

  /** Entries that were asked for, and have not ended. */
  get size(): number {
    return this.#out.size + this.#asked.size + (this.#pass?.left ?? 0)
  }

  /** Those that are on their way already go once. */
  ask(ids: Iterable<string>): void {
    for (const id of ids) if (!this.#out.has(id)) this.#asked.add(id)
    this.#take()
  }

  /** All that the trigger has in the box now. Returns how many. What comes in meanwhile ends no later than they do. */
  askAll(): number {
    const { events } = this.box.usage(this.#options.trigger)
    this.#pass = { after: undefined, left: events }
    this.#take()
    return events
  }

  setWindow(window: Window): void {
    this.#window = window
    this.#take()
  }

  /** Takes no more until {@link resume}. */
  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#take()
  }

  /** Forgets what is not in the dispatch. What is may still settle. */
  stop(): void {
    this.#isStopped = true
    this.#asked.clear()
    this.#pass = undefined
    this.#retry?.cancel()
    for (const [redriven, timer] of this.#timers) {
      timer.cancel()
      this.#end(redriven)
    }
    this.#timers.clear()
  }

  /** After {@link stop}: resolves once nothing is out. */
  ended(): Promise<void> {
    if (this.#out.size === 0) return Promise.resolve()
    this.#ended ??= Promise.withResolvers()
    return this.#ended.promise
  }

  // --- Out of the box ---

  #take(): void {
    if (this.#isTaking) return // the loop that is running sees it
    this.#isTaking = true
    void this.#takeAll()
  }

  /** One after the other, so that no more is read than there is room for. */
  async #takeAll(): Promise<void> {
    try {
      while (this.#mayTake()) {
        const entry = this.#asked.size > 0 ? await this.#nextAsked() : await this.#nextOfPass()
        if (entry !== undefined && !this.#isStopped && !this.#out.has(entry.id)) this.#send(entry)
      }
    } catch {
      this.#retry ??= this.#options.clock.setTimer(BOX_RETRY_MS, () => {
        this.#retry = undefined
        this.#take()
      })
    }
    this.#isTaking = false
  }

  #mayTake(): boolean {
    if (this.#isStopped || this.#isPaused || (this.#asked.size === 0 && this.#pass === undefined)) return false
    if (this.#out.size >= Math.min(REDRIVE_EVENTS_MAX, this.#window.events)) return false
    return this.#outBytes < this.#window.bytes
  }

  async #nextAsked(): Promise<DeadLetter | undefined> {
    const id = this.#asked.values().next().value!
    const entry = await this.box.get(id).catch((error: SluiceError) => {
      if (error.code !== 'SLUICE_RECORD_DAMAGED') throw error
      return undefined // since it was asked for; the box has told
    })
    this.#asked.delete(id)
    return entry
  }

  async #nextOfPass(): Promise<DeadLetter | undefined> {
    const pass = this.#pass!
    const { trigger } = this.#options
    const after = pass.after
    const [entry] =
      pass.left === 0 ? [] : await this.box.list({ trigger, limit: 1, ...(after !== undefined && { after }) })
    if (this.#pass !== pass) return undefined // begun anew meanwhile
    if (entry === undefined) {
      this.#pass = undefined
      return undefined
    }
    pass.after = entry.id
    pass.left--
    return entry
  }

  #send(entry: DeadLetter): void {
    const redriven = new Redriven(entry, this)
    this.#out.set(entry.id, redriven)
    this.#outBytes += recordBytes(entry.event)
    this.#options.deliver(redriven)
  }

  // --- And its end ---

  /** From dispatch.ts. */
  settled(redriven: Redriven): void {
    if (redriven.isKept) this.#end(redriven)
    else void this.#remove(redriven)
  }

  /** Nothing is forgotten before the entry is gone: until then a second redrive of it is none. */
  async #remove(redriven: Redriven): Promise<void> {
    const isRemoved = await this.box.remove(redriven.entry.id).then(
      () => true,
      () => false,
    )
    if (isRemoved || this.#isStopped) this.#end(redriven)
    else this.#later(redriven, BOX_RETRY_MS, () => void this.#remove(redriven))
  }

  /** From dispatch.ts. */
  released(redriven: Redriven, delayMs: number): void {
    if (this.#isStopped) this.#end(redriven)
    else this.#later(redriven, delayMs, () => this.#options.deliver(redriven))
  }

  #later(redriven: Redriven, delayMs: number, wake: () => void): void {
    const timer = this.#options.clock.setTimer(delayMs, () => {
      this.#timers.delete(redriven)
      wake()
    })
    this.#timers.set(redriven, timer)
  }

  #end({ entry }: Redriven): void {
    if (!this.#out.delete(entry.id)) return
    this.#outBytes -= recordBytes(entry.event)
    this.#take()
    if (this.#out.size === 0) this.#ended?.resolve()
  }
}
