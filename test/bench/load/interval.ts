// The measured interval of a run: what was counted and what was spent between its two ends.

import { cpuMsOf } from '../proc.ts'

/** Counters at one moment. */
export interface Reading {
  readonly atMs: number
  readonly programCpuMs: number
  readonly loadCpuMs: number
  readonly events: number
  readonly deliveries: number
}

/** What happened between two readings. */
export interface Interval {
  readonly elapsedMs: number
  /** Events that every one of their subscribers has, per second. */
  readonly eventsPerSecond: number
  readonly events: number
  readonly deliveries: number
  /** CPU of the program's own process, all threads, for each event and each delivery, in microseconds. */
  readonly cpuUsPerEvent: number
  readonly cpuUsPerDelivery: number
  /** Share of one core that the program, and the load process, used: 1 = a whole core. */
  readonly programCores: number
  readonly loadCores: number
}

/** Reads the counters now. `pid` is the program's; 0 when there is none (the sink is loaded directly). */
export function readNow(pid: number, events: number, deliveries: number): Reading {
  const own = process.cpuUsage()
  return {
    atMs: performance.now(),
    programCpuMs: pid === 0 ? 0 : cpuMsOf(pid),
    loadCpuMs: (own.user + own.system) / 1000,
    events,
    deliveries,
  }
}

export function between(begin: Reading, end: Reading): Interval {
  const elapsedMs = end.atMs - begin.atMs
  const events = end.events - begin.events
  const deliveries = end.deliveries - begin.deliveries
  const programCpuMs = end.programCpuMs - begin.programCpuMs
  return {
    elapsedMs,
    eventsPerSecond: (events * 1000) / elapsedMs,
    events,
    deliveries,
    // A smoke run on a busy machine may see none.
    cpuUsPerEvent: (programCpuMs * 1000) / Math.max(1, events),
    cpuUsPerDelivery: (programCpuMs * 1000) / Math.max(1, deliveries),
    programCores: programCpuMs / elapsedMs,
    loadCores: (end.loadCpuMs - begin.loadCpuMs) / elapsedMs,
  }
}
