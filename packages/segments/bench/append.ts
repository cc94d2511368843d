// What the segments cost an entry of 1 KiB, on this machine's disk: appended, read from memory, read from the disk, and
// scanned as a start does. Run: node packages/segments/bench/append.ts [FOLDER]
//
// Times are processor time of this process, its threads included, so that a busy machine doesn't change them much; what
// a sync takes stands beside them, for it is the machine's. To see where the time goes: node --cpu-prof …

import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@sluice/clock'
import { openStore, systemDisk, type Segment, type SegmentStore } from '@sluice/segments'

const MIB = 1024 * 1024
const PAYLOAD = Buffer.alloc(1024, '{"order":1} ')
const ENTRIES = 200_000
const ROUNDS = 5
const WRITERS = [1, 64, 1024]

const folder = mkdtempSync(join(process.argv[2] ?? import.meta.dirname, 'bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

type Stored = () => void
const synced: number[] = []
const offsets: { readonly segment: Segment; readonly offset: number; readonly seq: number }[] = []
let stores = 0

async function open(name: string = String(stores++)): Promise<SegmentStore<Stored>> {
  const { store } = await openStore<Stored>({
    disk: systemDisk,
    clock: systemClock,
    folder: join(folder, name),
    name: 'bench',
    segmentBytes: { first: MIB, max: 64 * MIB },
    slabBytes: MIB,
    recentBytes: 4 * MIB,
    cacheBytes: 8 * MIB,
    committed: ({ entries, segment, offsets: at, first }) => {
      for (let i = 0; i < at.length; i++) offsets.push({ segment, offset: at[i]!, seq: first + i })
      for (const stored of entries) stored()
    },
    failed: (_, error) => {
      throw error
    },
    synced: (ms) => synced.push(ms),
  })
  return store
}

/** Microseconds of processor time that `work` takes for each of `count`. */
async function cpuUs(count: number, work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1]!
}

function report(what: string, values: readonly number[], unit: string): void {
  process.stdout.write(`${what.padEnd(60)} ${median(values).toFixed(3).padStart(9)} ${unit}\n`)
}

/** So many writers, each of which waits until its last entry is durable. */
async function append(store: SegmentStore<Stored>, writers: number, count: number): Promise<void> {
  let left = count
  let underWay = Math.min(writers, count)
  await new Promise<void>((resolve) => {
    const stored = (): void => {
      if (left > 0) next()
      else if (--underWay === 0) resolve()
    }
    const next = (): void => {
      left--
      store.append(PAYLOAD, stored)
    }
    for (let i = underWay; i > 0; i--) next()
  })
}

/** Entries of the last `bytes` bytes, which are still in memory. */
async function readRecent(store: SegmentStore<Stored>): Promise<number> {
  const recent = offsets.slice(-1000)
  return await cpuUs(recent.length * 100, () => {
    for (let pass = 0; pass < 100; pass++) {
      for (const { segment, offset, seq } of recent) {
        if (store.read(segment, offset, seq) === undefined) throw new Error('it is not in memory')
      }
    }
  })
}

/** One after the other, as who lags does: each block of the disk serves many of them. */
async function readDisk(store: SegmentStore<Stored>): Promise<number> {
  const old = offsets.slice(0, 50_000)
  return await cpuUs(old.length, async () => {
    for (const { segment, offset, seq } of old) {
      if (store.read(segment, offset, seq) === undefined) await store.load(segment, offset, seq)
    }
  })
}

for (const writers of WRITERS) {
  const entries = writers === 1 ? ENTRIES / 40 : ENTRIES
  const took: number[] = []
  const wall: number[] = []
  synced.length = 0
  for (let round = 0; round <= ROUNDS; round++) {
    offsets.length = 0
    const store = await open()
    const sinceMs = performance.now()
    const us = await cpuUs(entries, () => append(store, writers, entries))
    if (round > 0) took.push(us)
    if (round > 0) wall.push((entries * 1000) / (performance.now() - sinceMs))
    await store.close()
  }
  report(`append, ${writers} writers`, took, 'µs')
  report('  entries a second', wall, '/s')
  report('  a write and sync', synced, 'ms')
}

const recent: number[] = []
const disk: number[] = []
const scanned: number[] = []
offsets.length = 0
const store = await open('read')
await append(store, 1024, ENTRIES)
for (let round = 0; round < ROUNDS; round++) {
  recent.push(await readRecent(store))
  disk.push(await readDisk(store))
  const segment = store.segments.at(-2)!
  let entries = 0
  const before = process.cpuUsage()
  await store.scan(segment, () => entries++)
  const { user, system } = process.cpuUsage(before)
  scanned.push((user + system) / entries)
}
await store.close()
report('read an entry that is in memory', recent, 'µs')
report('read entries from the disk, one after the other', disk, 'µs')
report('scan an entry', scanned, 'µs')
