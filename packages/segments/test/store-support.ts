// What the tests of the store share: a store of texts on a simulated disk, and what a person finds on the disk.

import { setImmediate } from 'node:timers/promises'
import { manualClock, type ManualClock } from '@sluice/clock'
import type { SluiceError } from '@sluice/event'
import {
  openStore,
  type Disk,
  type OpenOptions,
  type Problem,
  type Recovery,
  type SegmentStore,
} from '@sluice/segments'
import { simulatedDisk, type SimulatedDisk } from '@sluice/segments/simulation'

export const FOLDER = '/store'

export interface Opened {
  readonly store: SegmentStore<string>
  readonly recovery: Recovery
  /** `7 seven`: sequence number and text, in the order in which they were told to be durable. */
  readonly committed: string[]
  /** The texts whose owners were told that they are not stored. */
  readonly failed: string[]
  /** The code of each failure that was told, `ok` where it was over. */
  readonly states: string[]
  /** The code of each failure after which a batch was written once more. */
  readonly retried: string[]
  /** What turned out to be damaged after the open. */
  readonly damaged: Problem[]
  /** The last segment's entries, as the open read them. */
  readonly recovered: string[]
}

export type Options = Partial<OpenOptions<string>>

/** Opens the store; what it tells is kept. */
export async function opened(disk: Disk, options: Options = {}): Promise<Opened> {
  const told = {
    committed: [] as string[],
    failed: [] as string[],
    states: [] as string[],
    retried: [] as string[],
    damaged: [] as Problem[],
    recovered: [] as string[],
  }
  const { store, recovery } = await openStore<string>({
    disk,
    clock: manualClock(),
    folder: FOLDER,
    name: 'texts',
    segmentBytes: { first: 4096, max: 16 * 1024 },
    slabBytes: 4096,
    recentBytes: 16 * 1024,
    cacheBytes: 64 * 1024,
    committed: ({ entries, first }) => entries.forEach((text, i) => told.committed.push(`${first + i} ${text}`)),
    failed: (entries) => told.failed.push(...entries),
    changed: (failure) => told.states.push(codeOf(failure)),
    retrying: (failure) => told.retried.push(codeOf(failure)),
    damaged: (problem) => told.damaged.push(problem),
    recovered: (_, { seq, start, length }, buffer) => {
      told.recovered.push(`${seq} ${buffer.toString('utf8', start, start + length).trimEnd()}`)
    },
    ...options,
  })
  return { store, recovery, ...told }
}

function codeOf(failure: SluiceError | undefined): string {
  return failure === undefined ? 'ok' : ((failure.cause as NodeJS.ErrnoException | undefined)?.code ?? failure.code)
}

/** Appends the text, filled up with blanks to `bytes` bytes. */
export function append({ store }: Opened, text: string, bytes: number = 0): number {
  return store.append(Buffer.from(text.padEnd(bytes)), text)
}

/** Appends each and waits until all is durable, or told not to be. */
export async function appendAll(to: Opened, texts: readonly string[], bytes?: number): Promise<void> {
  for (const text of texts) append(to, text, bytes)
  await to.store.flushed()
}

/** One after the other, each durable before the next: a batch of its own. */
export async function appendEach(to: Opened, texts: readonly string[], bytes?: number): Promise<void> {
  for (const text of texts) await appendAll(to, [text], bytes)
}

/** `count` texts: `a1`, `a2`, ... */
export function texts(count: number, prefix: string = 'a'): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`)
}

/** Texts with the sequence numbers that they get from `first` on. */
export function numbered(entries: readonly string[], first: number = 1): string[] {
  return entries.map((text, i) => `${first + i} ${text}`)
}

/** What is in a store, as whoever opens it finds it. */
export interface Found {
  /** `7 seven` */
  readonly entries: string[]
  /** First and last number of each stretch that is lost, by scanning. */
  readonly lost: (readonly [number, number])[]
  readonly recovery: Recovery
  readonly next: number
}

/** Opens the store, reads every segment of it, and closes it. */
export async function find(disk: Disk, options: Options = {}): Promise<Found> {
  const to = await opened(disk, options)
  const found = await read(to)
  await to.store.close()
  return found
}

export async function read({ store, recovery }: Opened): Promise<Found> {
  const entries: string[] = []
  const lost: (readonly [number, number])[] = []
  for (const segment of [...store.segments]) {
    const { damages } = await store.scan(segment, ({ seq, start, length }, buffer) => {
      entries.push(`${seq} ${buffer.toString('utf8', start, start + length).trimEnd()}`)
    })
    for (const damage of damages) lost.push(damage.lost)
  }
  return { entries, lost, recovery, next: store.next }
}

/** The path of a segment's file. */
export function file(number: number): string {
  return `${FOLDER}/${String(number).padStart(10, '0')}.seg`
}

/** Names in the store's folder. */
export async function names(disk: Disk, folder: string = FOLDER): Promise<string[]> {
  return await disk.list(folder)
}

/** A disk on which nothing takes time, and every change is recorded. */
export function recordedDisk(seed: number = 1): SimulatedDisk {
  return simulatedDisk({ record: true, seed, turn: 'microtask' })
}

export function quickDisk(seed: number = 1): SimulatedDisk {
  return simulatedDisk({ seed, turn: 'microtask' })
}

/** Lets so much time pass, and everything happen that follows. */
export async function pass(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms)
  for (let i = 0; i < 20; i++) await setImmediate()
}

/** Where in a file a text stands. */
export function offsetOf(disk: SimulatedDisk, path: string, text: string): number {
  const at = disk.files().get(path)!.indexOf(text)
  if (at < 0) throw new Error(`${text} is not in ${path}`)
  return at
}
