// Writes segments' files: preallocated ones, so that a sync has only data to write and no metadata (DESIGN "The log").
// The next file is prepared while the present one is written; on a full disk it is what is left in reserve.

import type { Disk, DiskFile } from './disk.ts'
import type { Segment } from './segment.ts'

/** The file that is prepared, until it becomes a segment. */
export const PREPARED = 'prepared'
const ZEROS = Buffer.alloc(1024 * 1024)

interface Writing {
  readonly segment: Segment
  readonly file: DiskFile
  /** Its name is durable. */
  isNamed: boolean
}

interface Prepared {
  readonly file: DiskFile
  readonly size: number
}

export class SegmentWriter {
  readonly #disk: Disk
  readonly #folder: string
  #writing: Writing | undefined
  #preparing: Promise<Prepared | undefined> | undefined
  readonly #closing = new Set<Promise<void>>()

  constructor(disk: Disk, folder: string) {
    this.#disk = disk
    this.#folder = folder
  }

  /** Writes the bytes at `at` of the segment, and makes them durable. */
  async write(segment: Segment, bytes: Buffer, at: number): Promise<void> {
    const writing = this.#writing?.segment === segment ? this.#writing : await this.#begin(segment)
    await writing.file.write(bytes, at)
    await writing.file.sync()
    if (writing.isNamed) return
    await this.#disk.syncFolder(this.#folder)
    writing.isNamed = true
    this.#preparing ??= this.#prepareNext(segment.size)
  }

  /** Makes sure that a next file is there; rejects where there can't be one. */
  async prepare(size: number): Promise<void> {
    this.#preparing ??= this.#makePrepared(size)
    const preparing = this.#preparing
    const prepared = await preparing.catch((error: unknown) => {
      this.#preparing = undefined
      throw error
    })
    if (prepared !== undefined) return
    this.#preparing = undefined
    await this.prepare(size)
  }

  /** Nothing more is written to this segment; what is durable stays. */
  abandon(segment: Segment): void {
    const writing = this.#writing
    if (writing?.segment !== segment) return
    this.#writing = undefined
    this.#later(cut(writing.file, segment.bytes))
  }

  async close(): Promise<void> {
    const prepared = await this.#preparing?.catch(() => undefined)
    await prepared?.file.close()
    const writing = this.#writing
    if (writing !== undefined) await cut(writing.file, writing.segment.bytes)
    await Promise.all(this.#closing)
  }

  async #begin(segment: Segment): Promise<Writing> {
    const before = this.#writing
    if (before !== undefined) this.#later(cut(before.file, before.segment.bytes))
    this.#writing = undefined
    const writing = { segment, file: await this.#fileFor(segment), isNamed: false }
    this.#writing = writing
    return writing
  }

  /** The prepared file, where there is one large enough; else a new one, which grows as it is written. */
  async #fileFor(segment: Segment): Promise<DiskFile> {
    const prepared = await this.#preparing?.catch(() => undefined)
    this.#preparing = undefined
    if (prepared === undefined) return await this.#disk.open(segment.path, 'create')
    try {
      if (prepared.size < segment.size) await prepared.file.truncate(segment.size)
      await this.#disk.rename(`${this.#folder}/${PREPARED}`, segment.path)
      return prepared.file
    } catch (error) {
      await prepared.file.close()
      throw error
    }
  }

  /** In the background: a disk too full for it is noticed again when the file is needed. */
  #prepareNext(size: number): Promise<Prepared | undefined> {
    return this.#makePrepared(size).catch(() => undefined)
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
