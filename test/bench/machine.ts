// On what the figures were measured. They mean nothing beside figures of another machine, or of a busy one.

import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  /** Cores that this process may use. Program and load need one each. */
  readonly cores: number
  readonly memoryMiB: number
  readonly system: string
  readonly node: string
  /** Mean number of busy cores in the minute before the benchmark began. */
  readonly loadBefore: number
  readonly startedAt: string
  /** A smoke run: its values mean nothing. */
  readonly quick: boolean
}

export function describeMachine(quick: boolean): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    system: `${process.platform} ${release()}`,
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
    startedAt: new Date().toISOString(),
    quick,
  }
}
