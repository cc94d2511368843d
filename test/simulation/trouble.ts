// The simulated disk of one run, through all lives of its process: how it fails, and when it works again.

import type { ManualClock } from '@sluice/clock'
import { simulatedDisk, type DiskOperation, type SimulatedDisk } from '@sluice/segments/simulation'
import type { Chance } from './chance.ts'

export interface TroubleOptions {
  seed: number
  clock: ManualClock
  chance: Chance
  /** Which files fail. */
  paths: readonly RegExp[]
  said: (what: string) => void
}

/** After the disk works again, what was under way may still take as long as it took, in ms. */
const AFTERMATH_MS = 3000

export class Trouble {
  disk: SimulatedDisk
  /** Until when it failed, so that nothing is known of what was saved by then; Infinity: it fails. */
  until: number = -Infinity
  /** When it works. */
  readonly latencyMs: number
  /** Called as it begins to fail. */
  began: () => void = () => {}
  readonly #options: TroubleOptions
  #faults: (() => void)[] = []

  constructor(options: TroubleOptions) {
    const { seed, clock, chance } = options
    this.#options = options
    this.latencyMs = chance.pick([0.1, 1, 1, 6, 25])
    this.disk = simulatedDisk({ seed, clock, latencyMs: this.latencyMs })
  }

  /** Something of it fails from now on. */
  begin(): void {
    const { chance, said, paths } = this.#options
    const dice = chance()
    if (dice < 0.2) {
      this.disk.capacityBytes = chance.pick([0, 20_000])
      said(`capacity ${this.disk.capacityBytes}`)
    } else if (dice < 0.3) {
      this.disk.latencyMs = chance.pick([0.1, 30, 100])
      said(`latency ${this.disk.latencyMs}`)
    } else {
      const error = chance.pick(['EIO', 'EIO', 'ENOSPC', 'EROFS', 'EMFILE', 'SHORT_WRITE'])
      const operation = this.#operation(error)
      const path = chance.pick(paths)
      const times = chance.pick([1, 1, 2, Infinity])
      const after = chance.below(4)
      said(`fail ${operation ?? 'all'} of ${path} by ${error}, ${times} times after ${after}`)
      this.#faults.push(this.disk.fail({ error, path, times, after, ...(operation !== undefined && { operation }) }))
    }
    this.until = Infinity
    this.began()
  }

  #operation(error: string): DiskOperation | undefined {
    if (error === 'EROFS') return undefined
    if (error === 'EMFILE') return 'open'
    if (error === 'ENOSPC' || error === 'SHORT_WRITE') return 'write'
    return this.#options.chance.pick([
      'write',
      'sync',
      'sync',
      'syncFolder',
      'rename',
      'truncate',
      'remove',
      'read',
      'open',
    ])
  }

  /** All of it works again. */
  end(): void {
    if (this.until < Infinity) return
    this.#options.said('mend')
    for (const lift of this.#faults) lift()
    this.#faults = []
    this.disk.capacityBytes = Infinity
    this.disk.latencyMs = this.latencyMs
    this.until = this.#options.clock.monotonic() + AFTERMATH_MS
  }

  /** The process ends, and with it the power where `power` says so; what fails goes on failing. */
  crash(power: boolean): void {
    this.disk = this.disk.crash({ power })
  }
}
