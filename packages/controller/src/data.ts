// The data directory: what outlives the process, and the lock that keeps a second process out.
//
//     LOCK                  held as long as it is open
//     format                the version of this layout
//     resources/            what came through the API (@sluice/resource)
//     brokers/<uid>/        of a Broker: `name`, and what its driver keeps there
//     channels/<uid>/       of a channel, likewise
//     operations/           what people did to triggers beside changing their resources (./operation-notes.ts)
//     trash/<uid>-<time>/   of one that was deleted, for 24 h
//
// Nothing is made before the first Broker, or `sluice up`, asks for it. A Broker's uid is the same in every process that
// has the same files (DESIGN, end of "The channel contract").

import { existsSync } from 'node:fs'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock, Timer } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import { systemDisk } from '@sluice/segments'

/** Of {@link dataDirectory}. */
export interface DataOptions {
  /** The folder. It is made where it isn't there. */
  path: string
  clock: Clock
}

/** A Broker or a channel, as its resource has it. */
export interface BrokerIdentity {
  readonly kind: string
  readonly uid: string
  readonly namespace: string
  readonly name: string
}

/** What has a folder. */
export type DataName = Pick<BrokerIdentity, 'kind' | 'uid'>

/** Whose data there is. */
export type DataOwner = 'Broker' | 'Channel'
export const DATA_OWNERS: readonly DataOwner[] = ['Broker', 'Channel']
/** Their folders in the data directory. */
export const FOLDERS: Readonly<Record<DataOwner, string>> = { Broker: 'brokers', Channel: 'channels' }

function ownerOf(kind: string): DataOwner {
  return kind === 'Broker' ? 'Broker' : 'Channel'
}

/** Data that was moved into the trash. */
export interface Discarded {
  /** `Broker` or `Channel`. */
  readonly of: DataOwner
  /** `namespace/name` of it, or its uid where that is not known. */
  readonly broker: string
  /** Where it is now. */
  readonly folder: string
  /** When it is removed for good, wall-clock ms. */
  readonly untilMs: number
}

/** The version of the layout that is written. Another one is refused (fault 18). */
export const FORMAT = '1'
const TRASH_MS = 24 * 3600 * 1000
/** What can't be removed now is tried again after so long. */
const PURGE_RETRY_MS = 3600 * 1000

/** A data directory that is not open yet. */
export function dataDirectory(options: DataOptions): DataDirectory {
  return new DataDirectory(options)
}

export class DataDirectory {
  readonly path: string
  readonly #clock: Clock
  /** Wall clock less monotonic clock, once: a wall clock that jumps must not empty the trash (fault 19). */
  readonly #wallMs: number
  #opening: Promise<void> | undefined
  #unlock: (() => Promise<void>) | undefined
  #purgeTimer: Timer | undefined

  constructor({ path, clock }: DataOptions) {
    this.path = path
    this.#clock = clock
    this.#wallMs = clock.now() - clock.monotonic()
  }

  get isOpen(): boolean {
    return this.#unlock !== undefined
  }

  /**
   * Makes this process the only one that has it. Later calls join the first; after a failure they try again.
   *
   * @throws SluiceError `SLUICE_DATA_LOCKED`: another process has it. `SLUICE_DATA_FORMAT`: another version's; nothing was
   *   changed. `SLUICE_DISK`: it can't be made or written.
   */
  open(): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #open(): Promise<void> {
    try {
      await this.#checkFormat() // before anything is made: of another version's data nothing is touched
      await systemDisk.makeFolder(this.path)
      const unlock = await systemDisk.lock(`${this.path}/LOCK`)
      try {
        if (!(await this.#checkFormat())) await this.#writeFormat()
      } catch (error) {
        await unlock()
        throw error
      }
      this.#unlock = unlock
    } catch (error) {
      throw this.#explained(error)
    }
    await this.#purge()
  }

  /** Whether there is one. */
  async #checkFormat(): Promise<boolean> {
    const path = `${this.path}/format`
    if (!existsSync(path)) return false
    const format = (await readFile(path, 'utf8')).trim()
    if (format === FORMAT) return true
    throw new SluiceError(
      'SLUICE_DATA_FORMAT',
      `${path} says ${JSON.stringify(format.slice(0, 20))}, and this version of Sluice knows only "${FORMAT}". Nothing was ` +
        'changed. Start the version that wrote it, or name another data directory (--data).',
    )
  }

  async #writeFormat(): Promise<void> {
    await writeFile(`${this.path}/format.new`, `${FORMAT}\n`, { flush: true })
    await rename(`${this.path}/format.new`, `${this.path}/format`)
    await systemDisk.syncFolder(this.path)
  }

  #explained(error: unknown): unknown {
    if (error instanceof SluiceError) return error
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EBUSY') {
      return new SluiceError(
        'SLUICE_DATA_LOCKED',
        `The data directory ${this.path} is in use by another process, and serves one at a time. Stop that one, or name ` +
          'another data directory (--data).',
        { cause: error },
      )
    }
    return new SluiceError(
      'SLUICE_DISK',
      `The data directory ${this.path} can't be used: ${message}. Make it writable, or name another one (--data).`,
      { status: 503, retryable: true, cause: error },
    )
  }

  /** Where resources that came through the API are kept; it may not be there yet. */
  get resourcesFolder(): string {
    return `${this.path}/resources`
  }

  /** Its folder, made where it isn't there; the directory is opened for it. Rejects as {@link open}. */
  async makeBrokerFolder({ namespace, name, ...of }: BrokerIdentity): Promise<string> {
    await this.open()
    const folder = this.brokerFolder(of)
    await systemDisk.makeFolder(folder)
    // For people: a uid says nothing, and can't be turned back into a name.
    if ((await nameIn(folder)) === undefined) await writeFile(`${folder}/name`, `${namespace}/${name}\n`)
    return folder
  }

  /** Whether there is data of it. */
  holds(of: DataName): boolean {
    return existsSync(this.brokerFolder(of))
  }

  get operationsFolder(): string {
    return `${this.path}/operations`
  }

  brokerFolder({ kind, uid }: DataName): string {
    return `${this.path}/${FOLDERS[ownerOf(kind)]}/${uid}`
  }

  // --- What was deleted ---

  /** Moves its data, which nobody has open any more, into the trash. `undefined`: there is none. */
  async discard(of: DataName): Promise<Discarded | undefined> {
    const { kind, uid } = of
    const from = this.brokerFolder(of)
    if (!this.isOpen || !existsSync(from)) return undefined
    const broker = (await nameIn(from)) ?? uid
    const trash = `${this.path}/trash`
    await systemDisk.makeFolder(trash)
    let timeMs = Math.floor(this.#now())
    while (existsSync(`${trash}/${trashName(uid, timeMs)}`)) timeMs++
    const folder = `${trash}/${trashName(uid, timeMs)}`
    await rename(from, folder)
    await systemDisk.syncFolder(trash)
    await systemDisk.syncFolder(dirname(from))
    await this.#purge()
    return { of: ownerOf(kind), broker, folder, untilMs: timeMs + TRASH_MS }
  }

  /** As {@link discard}, for all but these: what was taken out of the files while no process ran. */
  async discardOthers(uids: ReadonlySet<string>): Promise<Discarded[]> {
    if (!this.isOpen) return []
    const discarded: Discarded[] = []
    for (const kind of DATA_OWNERS) {
      for (const uid of await namesIn(`${this.path}/${FOLDERS[kind]}`)) {
        const moved = uids.has(uid) ? undefined : await this.discard({ kind, uid })
        if (moved !== undefined) discarded.push(moved)
      }
    }
    return discarded
  }

  /** Empties the trash at once; returns how many Brokers' data that was. Rejects where something can't be removed. */
  async emptyTrash(): Promise<number> {
    if (!this.isOpen) return 0
    const ours = (await namesIn(`${this.path}/trash`)).filter((name) => trashTime(name) !== undefined)
    for (const name of ours) await rm(`${this.path}/trash/${name}`, { recursive: true, force: true })
    return ours.length
  }

  /** Removes what has been in the trash for 24 h, and comes back when the next is due. */
  async #purge(): Promise<void> {
    let leftMs = Infinity
    try {
      for (const name of await namesIn(`${this.path}/trash`)) {
        const timeMs = trashTime(name)
        if (timeMs === undefined) continue // not ours
        const dueMs = timeMs + TRASH_MS - this.#now()
        if (dueMs > 0) leftMs = Math.min(leftMs, dueMs)
        else await rm(`${this.path}/trash/${name}`, { recursive: true, force: true })
      }
    } catch {
      leftMs = PURGE_RETRY_MS // nothing depends on it
    }
    this.#purgeTimer?.cancel()
    if (leftMs < Infinity && this.isOpen) this.#purgeTimer = this.#clock.setTimer(leftMs, () => void this.#purge())
  }

  #now(): number {
    return this.#wallMs + this.#clock.monotonic()
  }

  /** Lets another process have it. Those who have folders of it have closed them before. */
  async close(): Promise<void> {
    await this.#opening?.catch(() => {})
    this.#purgeTimer?.cancel()
    const unlock = this.#unlock
    this.#unlock = undefined
    this.#opening = undefined
    await unlock?.()
  }
}

/** `namespace/name` of the Broker that a folder is of, where it says so. */
export async function nameIn(folder: string): Promise<string | undefined> {
  const name = await readFile(`${folder}/name`, 'utf8').catch(() => '')
  return /^[^/\s]+\/[^/\s]+\n$/.test(name) ? name.trim() : undefined
}

/** What is in a folder; nothing, where there is none. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** `<uid>-20261124T204057377Z`: no colon, for Windows. */
function trashName(uid: string, timeMs: number): string {
  return `${uid}-${new Date(timeMs).toISOString().replaceAll(/[-:.]/g, '')}`
}

function trashTime(name: string): number | undefined {
  const match = /-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z$/.exec(name)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, ms] = match
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`)
}
