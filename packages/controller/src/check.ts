// Reads a data directory, or a part of one, without changing it: what is there, what is damaged, and what a start would
// find. For that a start's own recovery is run, on a disk that keeps to itself what is written (./overlay-disk.ts); and
// every segment is read whole, of which a start reads the last one only.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { Channel } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import { openStore, systemDisk, type Problem } from '@sluice/segments'
import { DATA_OWNERS, FOLDERS, FORMAT, nameIn, namesIn, type DataOwner } from './data.ts'
import { openLogIn, type StorageProblem } from './drivers.ts'
import { overlayDisk } from './overlay-disk.ts'
import { inWords } from './retry.ts'

/** What {@link checkData} has found. */
export interface DataReport {
  /** Folders of Brokers; or of one Broker or one store, where that was asked for. */
  readonly brokers: readonly BrokerReport[]
  /** Folders in the trash; they are not looked into. */
  readonly trash: number
  /** Whether a process has it open could not be told, and why. */
  readonly unlocked?: string
}

/** Of one Broker, or of what of it was asked for. */
export interface BrokerReport {
  readonly folder: string
  /** Whose it is. */
  readonly of: DataOwner
  /** `namespace/name`, where its folder says so. */
  readonly name?: string
  readonly stores: readonly StoreReport[]
  /** What was durable once and can't be read, or is not where it should be. */
  readonly problems: readonly StorageProblem[]
  /** What a start would find; absent where one store was asked for. */
  readonly start?: StartReport | { readonly refused: string }
}

/** What a start would find in a Broker's folder. */
export interface StartReport {
  /** Progress is missing or damaged: some events would be delivered again. */
  readonly isRewound: boolean
  readonly subscriptions: readonly SubscriptionReport[]
}

/** How far one subscription is. */
export interface SubscriptionReport {
  /** The trigger's uid. */
  readonly id: string
  /** Events that it has still to settle: at most so many unless `isExact`. */
  readonly events: number
  readonly isExact: boolean
  /** Of these, those that were tried and wait for their next try. */
  readonly parked: number
  /** When the oldest of them was stored, wall-clock ms. */
  readonly oldestMs: number | undefined
}

/** Of one store: a folder of segments. */
export interface StoreReport {
  readonly name: StoreName
  readonly segments: number
  readonly entries: number
  readonly bytes: number
  /** Sequence numbers of the first and the last good entry. */
  readonly range: readonly [number, number] | undefined
  /** When these were stored, wall-clock ms; of events only. */
  readonly timesMs: readonly [number, number] | undefined
  /** At the end, written and never durable: nobody was told that it is stored. A start cuts it off. */
  readonly tornBytes: number
}

/** The folders of a Broker's stores, with the names that the stores have. */
const STORES = { segments: 'events', progress: 'progress', 'dead-letters': 'dead-letters' } as const

type StoreName = (typeof STORES)[keyof typeof STORES]

/**
 * Looks at a data directory, the folder of a Broker in it, or that of one store. Changes nothing.
 *
 * @throws SluiceError `SLUICE_DATA_LOCKED` while a process has it open; `SLUICE_DATA_UNKNOWN` for what holds no data;
 *   `SLUICE_DATA_FORMAT` for another version's
 */
export async function checkData(given: string, clock: Clock): Promise<DataReport> {
  const path = given.replace(/(?<=.)\/+$/, '')
  const kind = kindOf(path)
  const lock = await lockAll(path, LOCKS[kind])
  try {
    const found = kind === 'data' ? await checkBrokers(path, clock) : await checkOne(path, kind, clock)
    return { ...found, ...(lock.failed !== undefined && { unlocked: lock.failed }) }
  } finally {
    await lock.release()
  }
}

type DataKind = 'data' | 'broker' | 'store'

/** Where the locks are that a process with this open holds: its own folder's, and those of the folders around it. */
const LOCKS: Readonly<Record<DataKind, readonly string[]>> = {
  data: ['.'],
  broker: ['.', '../..'],
  store: ['.', '..', '../../..'],
}

function kindOf(path: string): DataKind {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) throw unknown(path, 'There is no such folder')
  if (!stats.isDirectory()) throw unknown(path, 'It is no folder')
  if (['format', ...Object.values(FOLDERS)].some((name) => existsSync(join(path, name)))) return 'data'
  if (Object.keys(STORES).some((folder) => existsSync(join(path, folder)))) return 'broker'
  if (Object.hasOwn(STORES, basename(resolve(path)))) return 'store'
  throw unknown(path, 'It holds no data of Sluice')
}

function unknown(path: string, what: string): SluiceError {
  const hint = 'Name a data directory, such as .sluice, the folder of a Broker in it, or that of one of its stores.'
  return new SluiceError('SLUICE_DATA_UNKNOWN', `${path}: ${what}. ${hint}`)
}

/** Holds the locks that are there, so that no process begins with it meanwhile; makes none. */
async function lockAll(
  path: string,
  folders: readonly string[],
): Promise<{ release: () => Promise<void>; failed?: string }> {
  const held: (() => Promise<void>)[] = []
  const release = async (): Promise<void> => {
    for (const unlock of held) await unlock()
  }
  let failed: string | undefined
  for (const folder of folders) {
    const lock = join(path, folder, 'LOCK')
    if (!existsSync(lock)) continue
    try {
      held.push(await systemDisk.lock(lock))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'EBUSY') {
        await release()
        throw inUse(join(path, folder))
      }
      failed ??= `${lock}: ${message}`
    }
  }
  return { release, ...(failed !== undefined && { failed }) }
}

function inUse(folder: string): SluiceError {
  return new SluiceError(
    'SLUICE_DATA_LOCKED',
    `A running process has ${folder} open, and writes to it. Stop it first, or check a copy of the folder.`,
  )
}

async function checkOne(path: string, kind: 'broker' | 'store', clock: Clock): Promise<DataReport> {
  return { brokers: [await check(path, kind, clock)], trash: 0 }
}

async function checkBrokers(path: string, clock: Clock): Promise<DataReport> {
  checkFormat(path)
  const brokers: BrokerReport[] = []
  for (const of of DATA_OWNERS) {
    for (const uid of await namesIn(`${path}/${FOLDERS[of]}`)) {
      const folder = `${path}/${FOLDERS[of]}/${uid}`
      if (statSync(folder).isDirectory()) brokers.push(await check(folder, 'broker', clock))
    }
  }
  return { brokers, trash: (await namesIn(`${path}/trash`)).length }
}

function checkFormat(path: string): void {
  const file = join(path, 'format')
  const format = existsSync(file) ? readFileSync(file, 'utf8').trim() : FORMAT
  if (format === FORMAT) return
  const message = `${file} says ${JSON.stringify(format.slice(0, 20))}, and this version of Sluice knows only "${FORMAT}".`
  throw new SluiceError('SLUICE_DATA_FORMAT', `${message} Check it with the version that wrote it.`)
}

/** Everything in it, or the one store that it is. */
async function check(path: string, kind: 'broker' | 'store', clock: Clock): Promise<BrokerReport> {
  const folders = kind === 'store' ? [path] : Object.keys(STORES).map((folder) => join(path, folder))
  const stores: StoreReport[] = []
  const problems: StorageProblem[] = []
  for (const folder of folders.filter((each) => existsSync(each))) {
    const store = await checkStore(folder, clock, problems).catch((error: unknown) => {
      note(problems, { path: folder, what: inWords(error), lost: [1, 0] })
    })
    if (store !== undefined) stores.push(store)
  }
  const of = ownerOfFolder(path, kind)
  if (kind === 'store') return { of, folder: path, stores, problems }
  const name = await nameIn(path)
  const start = await tryStart(path, clock, problems)
  return { of, folder: path, ...(name !== undefined && { name }), stores, problems, start }
}

/** By the folder that it stands in. */
function ownerOfFolder(path: string, kind: 'broker' | 'store'): DataOwner {
  const folder = basename(resolve(path, kind === 'broker' ? '..' : '../..'))
  return folder === FOLDERS.Channel ? 'Channel' : 'Broker'
}

// --- One store ---

async function checkStore(folder: string, clock: Clock, problems: StorageProblem[]): Promise<StoreReport> {
  const name = STORES[basename(resolve(folder)) as keyof typeof STORES]
  const { store, recovery } = await openStore<never>({
    disk: overlayDisk(systemDisk),
    clock,
    folder,
    name,
    segmentBytes: { first: BUFFER_BYTES, max: BUFFER_BYTES },
    slabBytes: BUFFER_BYTES,
    recentBytes: BUFFER_BYTES,
    cacheBytes: 0,
    committed() {},
    failed() {},
  })
  for (const problem of recovery.problems) note(problems, problem)
  let entries = 0
  let bytes = 0
  let range: [number, number] | undefined
  let timesMs: [number, number] | undefined
  for (const segment of [...store.segments]) {
    const { damages } = await store.scan(segment, ({ seq, start }, buffer) => {
      entries++
      range = [range?.[0] ?? seq, seq]
      if (name !== 'events') return
      const timeMs = buffer.readDoubleLE(start) // channels/log: an event begins with when it was stored
      timesMs = [timesMs?.[0] ?? timeMs, timeMs]
    })
    bytes += segment.bytes
    for (const { from, to, lost } of damages) {
      note(problems, { path: segment.path, what: `damaged from byte ${from} to ${to}`, lost })
    }
  }
  await store.close()
  return { name, segments: recovery.segments, entries, bytes, range, timesMs, tornBytes: recovery.tornBytes }
}

/** Nothing is appended. */
const BUFFER_BYTES = 4096

/** Once: what two of the ways to look find is one problem. */
function note(problems: StorageProblem[], problem: Problem): void {
  const { path, lost } = problem
  const events = Math.max(0, lost[1] - lost[0] + 1)
  const what = problem.what.replace(MOVED, '; a start moves it into the folder damaged')
  const isKnown = problems.some((known) =>
    events === 0
      ? known.path === path && known.what === what
      : known.path.startsWith(folderOf(path)) && known.lost.join() === lost.join(),
  )
  if (!isKnown) problems.push({ path, what, events, lost })
}

/** What a start has done, in the words of @sluice/segments, and this one has not. */
const MOVED = /[,;] (?:it is )?now \S+$/

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}

// --- A start ---

async function tryStart(
  folder: string,
  clock: Clock,
  problems: StorageProblem[],
): Promise<StartReport | { refused: string }> {
  try {
    const { channel, box, recovery } = await openLogIn(folder, { clock, disk: overlayDisk(systemDisk) })
    for (const problem of recovery.problems) note(problems, problem)
    const subscriptions = await subscriptionsOf(channel)
    await channel.close({ deadlineMs: 0 })
    await box.close()
    return { isRewound: recovery.isRewound, subscriptions }
  } catch (error) {
    return { refused: inWords(error) }
  }
}

async function subscriptionsOf(channel: Channel): Promise<SubscriptionReport[]> {
  const reports: SubscriptionReport[] = []
  for (const id of [...channel.subscriptions()].toSorted()) {
    const subscription = await channel.subscribe({ id, filter: NOTHING, paused: true }, () => {})
    const { events, bound, parked, oldest } = subscription.lag()
    reports.push({ id, events, isExact: bound === 'exact', parked, oldestMs: oldest })
  }
  return reports
}

const NOTHING: Filter = { ast: { kind: 'any', of: [] }, needsData: false, matches: () => false }
