// Where removed triggers stood, for 24 h: one that is declared again with `sluice.dev/from: resume` goes on from there
// (DESIGN "Delivery is per trigger"). It holds no event back: what is gone from the channel meanwhile is gone.
//
//     brokers/<uid>/removed.json    {"<uid of the trigger>": {"position": "42", "removed": "2026-11-24T20:40:57Z"}}
//
// In the folder of the Broker, for it means nothing to another channel, and goes into the trash with it.

import { readFile, rename, writeFile } from 'node:fs/promises'
import type { Position } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { systemDisk } from '@sluice/segments'

/** How long one is kept. */
const KEPT_MS = 24 * 3600 * 1000
/** Most of a Broker; beyond, the oldest is forgotten. */
const KEPT_MAX = 10_000

interface Tombstone {
  readonly position: Position
  /** RFC 3339. */
  readonly removed: string
}

export class Tombstones {
  readonly #folder: string
  readonly #clock: Clock
  readonly #all: Map<string, Tombstone>
  #writing: Promise<void> | undefined
  #next: Promise<void> | undefined

  private constructor(folder: string, clock: Clock, all: Map<string, Tombstone>) {
    this.#folder = folder
    this.#clock = clock
    this.#all = all
  }

  /** Those of a Broker, in its folder. What can't be read is as good as none: then `resume` is `latest`. */
  static async open(folder: string, clock: Clock): Promise<Tombstones> {
    const all = new Map<string, Tombstone>()
    try {
      const read = JSON.parse(await readFile(`${folder}/removed.json`, 'utf8')) as Record<string, Tombstone>
      for (const [id, tombstone] of Object.entries(read)) if (isTombstone(tombstone)) all.set(id, tombstone)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') process.emitWarning(error as Error)
    }
    return new Tombstones(folder, clock, all)
  }

  get size(): number {
    return this.#all.size
  }

  /** Where the trigger with this uid stood, if it was removed within the last 24 h. */
  of(id: string): Position | undefined {
    const found = this.#all.get(id)
    return found !== undefined && !this.#isOld(found) ? found.position : undefined
  }

  /** Keeps it. Resolves once it is on the disk, as does what was asked for in the same turn: one write for all. */
  keep(id: string, position: Position): Promise<void> {
    this.#all.delete(id) // the newest are the last
    this.#all.set(id, { position, removed: new Date(this.#clock.now()).toISOString() })
    for (const [other, tombstone] of this.#all) {
      if (this.#all.size <= KEPT_MAX && !this.#isOld(tombstone)) break
      this.#all.delete(other)
    }
    return this.#save()
  }

  /** It is declared again. */
  forget(id: string): void {
    if (this.#all.delete(id)) this.#save().catch((error: unknown) => process.emitWarning(error as Error))
  }

  /** Forgets all of them; returns how many there were. */
  async prune(): Promise<number> {
    const { size } = this.#all
    this.#all.clear()
    if (size > 0) await this.#save()
    return size
  }

  #isOld({ removed }: Tombstone): boolean {
    return this.#clock.now() - Date.parse(removed) > KEPT_MS
  }

  /** What changes while it is being written is written once more. */
  #save(): Promise<void> {
    this.#next ??= (this.#writing ?? Promise.resolve()).then(() => {
      this.#next = undefined
      const written = this.#write()
      this.#writing = written.catch(() => {})
      return written
    })
    return this.#next
  }

  async #write(): Promise<void> {
    const path = `${this.#folder}/removed.json`
    await writeFile(`${path}.new`, `${JSON.stringify(Object.fromEntries(this.#all))}\n`, { flush: true })
    await rename(`${path}.new`, path)
    await systemDisk.syncFolder(this.#folder)
  }
}

function isTombstone(value: Tombstone): boolean {
  return typeof value?.position === 'string' && typeof value.removed === 'string'
}
