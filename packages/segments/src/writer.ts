// Writes segments' files: preallocated ones, so that a sync has only data to write and no metadata (DESIGN "The log").
// The next file is prepared while the present one is written; on a full disk it is what is left in reserve.

import type { Clock, Timer } from '@sluice/clock'
import type { Disk, DiskFile } from './disk.ts'
import type { Segment } from './segment.ts'

/** The file that is prepared, until it becomes a segment. */
export const PREPARED = 'prepared'
const ZEROS = Buffer.alloc(1024 * 1024)

/** Syncs are made so often, instead of before what was written counts. */
export interface SyncInterval {
  readonly clock: Clock
  readonly everyMs: number
  /** What was written to this segment since the sync before may not be on the disk. Nothing more should be written there. */
  readonly failed: (segment: Segment, error: unknown) => void
}

interface Writing {
  readonly segment: Segment
  readonly file: DiskFile
  /** Something was written after the last sync. */
  isUnsynced: boolean
  /** Its name is durable. */
  isNamed: boolean
}

interface Prepared {
  readonly file: DiskFile
  readonly size: number
}

/** `undefined`: it could not be made. */
type Preparing = Promise<Prepared | undefined>

export class SegmentWriter {
  readonly #disk: Disk
  readonly #folder: string
  readonly #interval: SyncInterval | undefined
  #syncTimer: Timer | undefined
  #writing: Writing | undefined
  /** Under way, or there until it is used: never two at once, for there is one name. */
  #preparing: Preparing | undefined
  readonly #closing = new Set<Promise<void>>()
  /** Files of which nothing counts, and which are still to be removed. */
  readonly #leftovers = new Set<string>()

  constructor(disk: Disk, folder: string, interval?: SyncInterval) {
    this.#disk = disk
    this.#folder = folder
    this.#interval = interval
  }

  /** Writes the bytes at `at` of the segment, and makes them durable, or sees to it that they will be. */
  async write(segment: Segment, bytes: Buffer, at: number): Promise<void> {
    const writing = this.#writing?.segment === segment ? this.#writing : await this.#begin(segment)
    await writing.file.write(bytes, at)
    if (this.#interval !== undefined && writing.isNamed) return this.#syncLater(writing, this.#interval)
    await writing.file.sync()
    if (writing.isNamed) return
    await this.#disk.syncFolder(this.#folder)
    writing.isNamed = true
    // In the background: a disk too full for it is noticed again when the file is needed.
    this.#preparing ??= this.#makePrepared(segment.size).catch(() => undefined)
  }

  /** Makes sure that a next file is there; rejects where there can't be one. */
  async prepare(size: number): Promise<void> {
    for (;;) {
      const preparing = (this.#preparing ??= this.#makePrepared(size))
      try {
        if ((await preparing) !== undefined) return
      } catch (error) {
        this.#notPrepared(preparing)
        throw error
      }
      this.#notPrepared(preparing)
    }
  }

  /** Nothing more is written to this segment; what is durable stays. */
  abandon(segment: Segment): void {
    if (segment.bytes === 0) this.#leftovers.add(segment.path)
    const writing = this.#writing
    if (writing?.segment === segment) {
      this.#writing = undefined
      const syncing = Promise.all(this.#closing)
      this.#later(
        syncing.then(() => cut(writing.file, segment.bytes)).then(() => this.removeLeftovers().catch(() => {})),
      )
    } else this.#later(this.removeLeftovers().catch(() => {}))
  }

  /**
   * Removes the files of segments that were given up before anything in them counted. Until they are gone no older
   * segment may be removed: what is in them would be taken for entries once nothing before them says otherwise.
   */
  async removeLeftovers(): Promise<void> {
    for (const path of this.#leftovers) {
      await this.#disk.remove(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
      this.#leftovers.delete(path)
    }
  }

  #syncLater(writing: Writing, { clock, everyMs }: SyncInterval): void {
    writing.isUnsynced = true
    this.#syncTimer ??= clock.setTimer(everyMs, () => {
      this.#syncTimer = undefined
      const now = this.#writing
      if (now?.isUnsynced) this.#later(this.#sync(now))
    })
  }

  /** Once it is over, what was written before is on the disk, or it is told that it may not be. */
  async #sync(writing: Writing): Promise<void> {
    if (!writing.isUnsynced) return
    writing.isUnsynced = false // what is written meanwhile is for the next one
    try {
      await writing.file.sync()
    } catch (error) {
      this.#interval!.failed(writing.segment, error)
    }
  }

  async close(): Promise<void> {
    this.#syncTimer?.cancel()
    const prepared = await this.#preparing?.catch(() => undefined)
    await prepared?.file.close()
    const writing = this.#writing
    if (writing !== undefined) await this.#sync(writing)
    await Promise.all(this.#closing) // a sync that is under way needs its file
    if (writing !== undefined) await cut(writing.file, writing.segment.bytes)
  }

  async #begin(segment: Segment): Promise<Writing> {
    const before = this.#writing
    this.#writing = undefined
    if (before !== undefined) {
      await this.#sync(before) // before anything that follows it is durable
      this.#later(Promise.all(this.#closing).then(() => cut(before.file, before.segment.bytes)))
    }
    const writing = { segment, file: await this.#fileFor(segment), isUnsynced: false, isNamed: false }
    this.#writing = writing
    return writing
  }

  /** The prepared file, where there is one; else a new one, which grows as it is written. */
  async #fileFor(segment: Segment): Promise<DiskFile> {
    const preparing = this.#preparing
    const prepared = await preparing?.catch(() => undefined)
    if (prepared === undefined) {
      this.#notPrepared(preparing)
      return await this.#disk.open(segment.path, 'create')
    }
    try {
      if (prepared.size < segment.size) await prepared.file.truncate(segment.size)
      await this.#disk.rename(`${this.#folder}/${PREPARED}`, segment.path)
      return prepared.file
    } catch (error) {
      await prepared.file.close()
      throw error
    } finally {
      this.#notPrepared(preparing) // not before: whoever prepares the next one needs the name
    }
  }

  #notPrepared(preparing: Preparing | undefined): void {
    if (this.#preparing === preparing) this.#preparing = undefined
  }

  async #makePrepared(size: number): Promise<Prepared> {
    const path = `${this.#folder}/${PREPARED}`
    await this.#disk.remove(path).catch(() => {})
    const file = await this.#disk.open(path, 'create')
    try {
      for (let at = 0; at < size; at += ZEROS.length) {
        await file.write(ZEROS.subarray(0, Math.min(ZEROS.length, size - at)), at)
      }
      await file.sync()
      return { file, size }
    } catch (error) {
      await file.close()
      await this.#disk.remove(path).catch(() => {})
      throw error
    }
  }

  #later(work: Promise<void>): void {
    const done = work.finally(() => this.#closing.delete(done))
    this.#closing.add(done)
  }
}

/** Cuts off what was preallocated and not written. If it can't be, a scan finds the same end. */
async function cut(file: DiskFile, bytes: number): Promise<void> {
  await file.truncate(bytes).catch(() => {})
  await file.close()
}
