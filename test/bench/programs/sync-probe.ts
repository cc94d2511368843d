// What the disk takes by itself, run as `node sync-probe.ts FOLDER COUNT`: so often 1 KiB is written behind the last,
// into a file that has its size already, and synced. It pauses between, as a log does that isn't busy.

import { mkdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { quantile } from '../statistics.ts'
import { tell } from './measuring.ts'

/** What this program prints: of one write and its fdatasync. */
export interface SyncReading {
  readonly p50Ms: number
  readonly p99Ms: number
}

const RECORD_BYTES = 1024

const folder = process.argv[2]!
const syncs = Number(process.argv[3])
mkdirSync(folder, { recursive: true })
const file = await open(`${folder}/sync-probe`, 'w')
await file.write(Buffer.alloc(syncs * RECORD_BYTES))
await file.sync()
const record = Buffer.alloc(RECORD_BYTES, 'x')
const tookMs = new Float64Array(syncs)
for (let i = 0; i < syncs; i++) {
  const sinceMs = performance.now()
  await file.write(record, 0, RECORD_BYTES, i * RECORD_BYTES)
  await file.datasync()
  tookMs[i] = performance.now() - sinceMs
  await sleep(1)
}
await file.close()
const sorted = tookMs.toSorted()
tell({ p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) } satisfies SyncReading)
