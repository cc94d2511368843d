// What every simulated course has: a seed that decides, a clock, a disk that fails, one life of a process after the other,
// and the history of it all in words.

import { setImmediate } from 'node:timers/promises'
import { manualClock, type ManualClock } from '@sluice/clock'
import { chanceOf, type Chance } from './chance.ts'
import { lifeClock, type LifeClock } from './life.ts'
import { Trouble } from './trouble.ts'

/** What came of a course. */
export interface Result {
  /** What is wrong, the first of it; empty: nothing. */
  readonly problem: string
  /** What happened, in words. */
  readonly history: readonly string[]
  readonly lives: number
  /** Events that were sent. */
  readonly events: number
  /** Handed over, or tried. */
  readonly deliveries: number
}

/** Real turns of the event loop after each simulated moment: enough for whatever follows from it without the disk. */
const TURNS = 2
const SLICE_MS = 4
/** Nothing that opens or closes takes longer, however many segments and however slow the disk. */
const SLICES_MAX = 100_000

export class World {
  readonly history: string[] = []
  readonly clock: ManualClock = manualClock()
  readonly chance: Chance
  readonly trouble: Trouble
  /** Of the process that lives now. */
  life: LifeClock
  #isOver = false

  /** @param paths files that may fail */
  constructor(seed: number, paths: readonly RegExp[]) {
    const { clock } = this
    this.chance = chanceOf(seed)
    this.trouble = new Trouble({ seed, clock, chance: this.chance, paths, said: (what) => this.say(what) })
    this.life = lifeClock(clock)
  }

  /** Nobody looks any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** What was done so long ago is saved, where the disk works, in ms. */
  get savedAfterMs(): number {
    return 120 + 60 * (this.trouble.latencyMs + SLICE_MS)
  }

  /** For the history, which ends where something is wrong. */
  say(what: string): void {
    if (this.#isOver || this.history.at(-1)?.includes(' !! ')) return
    this.history.push(`${this.clock.monotonic().toFixed(1)} ${what}`)
  }

  /** Lets time pass, in slices: what the disk has done is gone on with between them. */
  async pass(ms: number): Promise<void> {
    this.say(`pass ${ms}`)
    for (let left = ms; left > 0; left -= SLICE_MS) {
      this.clock.advance(Math.min(left, SLICE_MS))
      await this.turn()
    }
  }

  async turn(): Promise<void> {
    for (let i = 0; i < TURNS; i++) await setImmediate()
  }

  /** Lets time pass until it is so, or for so many slices. Returns whether it is. */
  async until(isSo: () => boolean, slices: number = SLICES_MAX): Promise<boolean> {
    for (let i = 0; i < slices && !isSo(); i++) {
      this.clock.advance(SLICE_MS)
      await this.turn()
    }
    return isSo()
  }

  /** The process ends, and with it the power where `power` says so; another one begins. */
  crash(power: boolean): void {
    this.life.end()
    this.trouble.crash(power)
    this.life = lifeClock(this.clock)
  }

  /** Lets go of everything. */
  leave(): void {
    this.#isOver = true
    this.life.end()
  }
}
