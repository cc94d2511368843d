// What people did to triggers beside changing their resources: kept in the data directory, so that it holds after a
// restart too.
//
//     operations/<uid>.json    {"trigger": "default/billing", "paused": {"since": "..."}, "seek": {"to": "...", "time": "..."}}
//
// Where no data directory is open, nothing outlives the process, the events of the trigger neither.

import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { diskFailed, systemDisk } from '@sluice/segments'
import { namesIn, type DataDirectory } from './data.ts'

/** Of one trigger. Times are RFC 3339. */
export interface OperationNote {
  /** `namespace/name`, for people who look into the file. */
  readonly trigger: string
  /** It is paused. */
  readonly paused?: { readonly since: string }
  /** The last time that it was set to another place. */
  readonly seek?: { readonly to: string; readonly time: string }
}

export class OperationNotes {
  readonly #data: DataDirectory | undefined
  readonly #notes = new Map<string, OperationNote>()
  #isLoaded = false
  #isSwept = false
  /** Files are written one after the other. */
  #writing: Promise<unknown> = Promise.resolve()

  constructor(data: DataDirectory | undefined) {
    this.#data = data
  }

  /** Whether what is noted outlives the process. */
  get isKept(): boolean {
    return this.#data?.isOpen === true
  }

  of(uid: string): OperationNote | undefined {
    return this.#notes.get(uid)
  }

  /** Whether there may be some of earlier processes. `needsData`: whether the data directory is going to be opened. */
  mayLoad(needsData: () => boolean): boolean {
    if (this.#data === undefined || this.#isLoaded) return false
    return this.#data.isOpen || needsData()
  }

  /**
   * What earlier processes have left, before the first trigger runs; what this one has noted already wins. Where the data
   * directory can't be opened, the Brokers that need it say so.
   */
  async load(): Promise<void> {
    await this.#data?.open().catch(() => {})
    if (this.#isLoaded || !this.isKept) return
    const folder = this.#data!.operationsFolder
    for (const name of await namesIn(folder)) {
      const [, uid] = /^([\w-]+)\.json$/.exec(name) ?? []
      if (uid !== undefined && !this.#notes.has(uid)) this.#notes.set(uid, await readNote(`${folder}/${name}`))
    }
    this.#isLoaded = true
  }

  /** Notes it, or forgets it where there is nothing to note. Resolves once that is kept. Rejects where the disk fails. */
  set(uid: string, note: OperationNote): Promise<void> {
    return this.#inTurn(async () => {
      const isEmpty = note.paused === undefined && note.seek === undefined
      if (this.isKept) await (isEmpty ? this.#remove(uid) : this.#write(uid, note)).catch(this.#failed)
      if (isEmpty) this.#notes.delete(uid)
      else this.#notes.set(uid, note)
    })
  }

  /** It is removed: who is declared again is a new one. */
  forget(uid: string): void {
    const note = this.#notes.get(uid)
    if (note === undefined) return
    this.#notes.delete(uid)
    this.set(uid, { trigger: note.trigger }).catch((error: unknown) => process.emitWarning(error as Error))
  }

  /** Once: forgets triggers that were taken away while no process ran. */
  sweep(isDeclared: (uid: string) => boolean): void {
    if (!this.#isLoaded || this.#isSwept) return
    this.#isSwept = true
    for (const uid of [...this.#notes.keys()]) if (!isDeclared(uid)) this.forget(uid)
  }

  async #write(uid: string, note: OperationNote): Promise<void> {
    const folder = this.#data!.operationsFolder
    const path = `${folder}/${uid}.json`
    await systemDisk.makeFolder(folder)
    await writeFile(`${path}.new`, `${JSON.stringify(note)}\n`, { flush: true })
    await rename(`${path}.new`, path)
    await systemDisk.syncFolder(folder)
  }

  async #remove(uid: string): Promise<void> {
    await rm(`${this.#data!.operationsFolder}/${uid}.json`, { force: true })
  }

  readonly #failed = (error: unknown): never => {
    throw diskFailed(this.#data!.operationsFolder, error)
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#writing.then(work)
    this.#writing = turn.catch(() => {})
    return turn
  }
}

/** What can't be read counts as a pause: events that wait are not lost, and somebody will look. */
async function readNote(path: string): Promise<OperationNote> {
  try {
    const note = JSON.parse(await readFile(path, 'utf8')) as OperationNote
    if (typeof note.trigger === 'string') return note
  } catch {
    // As below.
  }
  return { trigger: path, paused: { since: new Date(0).toISOString() } }
}
