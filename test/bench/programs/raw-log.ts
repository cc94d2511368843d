// G2, run as `node raw-log.ts ENGINE FOLDER WRITERS WARMUP_MS MEASURE_MS`: writers that append records of 1 KiB, each
// waiting until its last one is on the disk; first a single one, so that every record takes a sync of its own.

import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { quantile } from '../statistics.ts'
import { tell } from './measuring.ts'
import { ENGINES, type Engine } from './raw-stores.ts'

/** What this program prints. */
export interface RawReading {
  readonly many: WritersReading
  readonly one: WritersReading
}

export interface WritersReading {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU of the whole process, in microseconds for each record. */
  readonly cpuUs: number
}

const RECORD_BYTES = 1024

const [engine, folder, ...numbers] = process.argv.slice(2)
const [writers, warmUpMs, measureMs] = numbers.map(Number)
mkdirSync(folder!, { recursive: true })
const store = await ENGINES[engine as Engine](folder!)
const one = await write(1)
const many = await write(writers!)
tell({ many, one } satisfies RawReading)

async function write(writers: number): Promise<WritersReading> {
  const record = Buffer.alloc(RECORD_BYTES, '{"order":1} ')
  const tookMs: number[] = []
  let isMeasuring = false
  let isStopping = false
  let underWay = writers
  let stopped!: () => void
  const end = new Promise<void>((resolve) => (stopped = resolve))
  const writer = (): void => {
    let sinceMs = performance.now()
    const stored = (): void => {
      const nowMs = performance.now()
      if (isMeasuring) tookMs.push(nowMs - sinceMs)
      sinceMs = nowMs
      if (!isStopping) store.append(record, stored)
      else if (--underWay === 0) stopped()
    }
    store.append(record, stored)
  }
  for (let i = 0; i < writers; i++) writer()
  await sleep(warmUpMs)
  isMeasuring = true
  const sinceMs = performance.now()
  const cpu = process.cpuUsage()
  await sleep(measureMs)
  isMeasuring = false
  const elapsedMs = performance.now() - sinceMs
  const { user, system } = process.cpuUsage(cpu)
  isStopping = true
  await end
  const sorted = Float64Array.from(tookMs).toSorted()
  return {
    perSecond: (sorted.length * 1000) / elapsedMs,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    cpuUs: (user + system) / sorted.length,
  }
}
