// An append-only store of entries in segment files. Hot path (bench/append.ts).
//
//     begin ── write the payload ── end      ...      committed, once one write and one sync have made it durable
//
// Whatever is appended while the disk is busy makes up the next batch (group commit). A batch that can't be written
// closes its segment for good: its bytes go into a new file, once; after a second failure its owner is told, and the
// store refuses until a new file can be made (DESIGN "The log"; a failed sync is never tried again on the same handle).

import { randomInt } from 'node:crypto'
import type { SluiceError } from '@sluice/event'
import type { Batch } from './batch.ts'
import { Blocks } from './blocks.ts'
import { Damages } from './damages.ts'
import { Entries } from './entries.ts'
import { diskFailed } from './explain.ts'
import type { Found } from './find.ts'
import { FRAME_HEAD, announcedLength, frameBytes, sealFrame } from './frame.ts'
import { Outage } from './outage.ts'
import { quarantine } from './quarantine.ts'
import { Recent, type Slab } from './recent.ts'
import { scan, type ScanOptions, type ScanResult } from './scan.ts'
import { FORMAT, fileName, headFrame, type Segment } from './segment.ts'
import type { StoreOptions } from './store-options.ts'
import { SegmentWriter } from './writer.ts'

const SALT_MAX = 2 ** 32

export class SegmentStore<Entry> {
  /** Oldest first; the last one is being written. */
  readonly segments: Segment[]
  /** The buffer that a payload goes into, between {@link begin} and {@link end}. */
  buffer: Buffer = Buffer.alloc(0)
  /** Bytes that are appended and not durable yet. */
  pendingBytes = 0
  readonly #options: StoreOptions<Entry>
  readonly #recent: Recent
  readonly #blocks: Blocks
  readonly #entries: Entries
  readonly #writer: SegmentWriter
  readonly #damages: Damages
  readonly #outage: Outage
  /** No longer among the segments, and still on the disk: the oldest first. */
  readonly #removed: Segment[] = []
  #next: number
  #committed: number
  #segmentNumber: number
  #tail: Segment | undefined
  /** Bytes of the tail that are taken, durable or not. */
  #tailEnd = 0
  #nextSize: number
  #open: Batch<Entry> | undefined
  readonly #closed: Batch<Entry>[] = []
  #flushing: Promise<void> | undefined
  #isScheduled = false

  /** @param found from ./open.ts: what is there, and the first sequence number that is free */
  constructor(options: StoreOptions<Entry>, found: Omit<Found, 'gaps' | 'unreadable'> & { next: number }) {
    this.#options = options
    this.#damages = new Damages(found.problems, options.damaged)
    this.segments = found.segments
    this.#next = found.next
    this.#committed = found.next - 1
    this.#segmentNumber = found.lastNumber
    this.#nextSize = options.segmentBytes.first / 2
    this.#recent = new Recent(options.slabBytes, options.recentBytes)
    this.#blocks = new Blocks(options.disk, options.cacheBytes)
    this.#entries = new Entries(this.#recent, this.#blocks, this.#damages)
    const { disk, folder, clock, syncMs } = options
    const interval = syncMs === undefined ? undefined : { clock, everyMs: syncMs, failed: this.#syncFailed }
    this.#writer = new SegmentWriter(disk, folder, interval)
    this.#outage = new Outage({
      clock,
      probe: () => this.#writer.prepare(options.segmentBytes.first),
      failed: (error) => diskFailed(folder, error),
      changed: (failure) => options.changed?.(failure),
    })
  }

  /** Why nothing can be stored now. */
  get failure(): SluiceError | undefined {
    return this.#outage.failure
  }

  /** The sequence number that the next entry gets. */
  get next(): number {
    return this.#next
  }

  /** That of the last durable entry. */
  get last(): number {
    return this.#committed
  }

  /** Makes room for a payload of up to `bytes` bytes; returns where in {@link buffer} it goes. {@link end} follows, or nothing. */
  begin(bytes: number): number {
    const length = frameBytes(bytes)
    let tail = this.#tail
    if (tail === undefined || (this.#tailEnd > 0 && this.#tailEnd + length > tail.size)) tail = this.#newTail(length)
    let batch = this.#open
    if (batch === undefined || batch.segment !== tail || batch.slab.used + length > batch.slab.buffer.length) {
      batch = this.#openBatch(tail, length)
    }
    this.buffer = batch.slab.buffer
    return batch.slab.used + FRAME_HEAD
  }

  /** Appends the payload of `length` bytes that was written after {@link begin}. Returns its sequence number. */
  end(length: number, entry: Entry): number {
    const batch = this.#open!
    const { slab } = batch
    const seq = this.#next++
    const at = slab.used
    slab.used = sealFrame(slab.buffer, at, length, seq, batch.entries.length, batch.segment.salt)
    batch.at.push(at)
    batch.entries.push(entry)
    batch.end = slab.used
    this.#tailEnd = slab.base + slab.used
    this.pendingBytes += slab.used - at
    if (!this.#isScheduled && this.#flushing === undefined) {
      this.#isScheduled = true
      setImmediate(() => {
        this.#isScheduled = false
        this.#startFlush()
      })
    }
    return seq
  }

  /** Appends a payload that lies elsewhere. */
  append(payload: Buffer, entry: Entry): number {
    const at = this.begin(payload.length)
    payload.copy(this.buffer, at)
    return this.end(payload.length, entry)
  }

  /** Resolves once nothing is under way. */
  async flushed(): Promise<void> {
    for (;;) {
      this.#startFlush()
      if (this.#flushing === undefined) return
      await this.#flushing
    }
  }

  #newTail(bytes: number): Segment {
    const { folder, clock, segmentBytes, name } = this.#options
    const number = ++this.#segmentNumber
    const path = `${folder}/${fileName(number)}`
    const created = clock.now()
    const salt = randomInt(SALT_MAX)
    const head = headFrame({ format: FORMAT, store: name, segment: number, created }, this.#next, salt)
    this.#nextSize = Math.min(this.#nextSize * 2, segmentBytes.max)
    const size = Math.max(this.#nextSize, head.length + bytes)
    const tail: Segment = { number, path, first: this.#next, created, salt, bytes: 0, size }
    this.#tail = tail
    this.#tailEnd = 0
    const batch = this.#openBatch(tail, head.length + bytes)
    head.copy(batch.slab.buffer, 0)
    batch.slab.used = batch.headBytes = batch.end = this.#tailEnd = head.length
    return tail
  }

  #openBatch(segment: Segment, bytes: number): Batch<Entry> {
    const before = this.#open
    this.#closeOpen(segment)
    const shared = before !== undefined && before.segment === segment ? before.slab : this.#lastSlab(segment)
    const hasRoom = shared !== undefined && shared.used + bytes <= shared.buffer.length
    const slab = hasRoom ? shared : this.#recent.open(segment, this.#tailEnd, bytes)
    slab.pins++
    this.#open = {
      segment,
      slab,
      start: slab.used,
      end: slab.used,
      headBytes: 0,
      first: this.#next,
      entries: [],
      at: [],
      isSecondTry: false,
    }
    return this.#open
  }

  /** Nothing is added any more to what is open. `next`: the segment that is written from here on. */
  #closeOpen(next?: Segment): void {
    const open = this.#open
    this.#open = undefined
    if (open === undefined) return
    // A head without entries is written only where entries of its segment follow.
    if (open.entries.length > 0 || (open.headBytes > 0 && open.segment === next)) this.#closed.push(open)
    else open.slab.pins--
  }

  #lastSlab(segment: Segment): Slab | undefined {
    return this.#tailEnd === 0 ? undefined : this.#recent.find(segment, this.#tailEnd - 1, this.#tailEnd)
  }

  // --- Writing ---

  #startFlush(): void {
    if (this.#flushing !== undefined) return
    if (this.#closed.length > 0 || (this.#open !== undefined && this.#open.entries.length > 0)) {
      this.#flushing = this.#flush()
    }
  }

  async #flush(): Promise<void> {
    for (;;) {
      const batch = this.#closed.shift() ?? this.#takeOpen()
      if (batch === undefined) {
        this.#flushing = undefined // in the same tick: what is appended from here on starts the next one
        return
      }
      try {
        await this.#write(batch)
      } catch (error) {
        this.#writeFailed(batch, error)
        continue
      }
      this.#commit(batch)
    }
  }

  #takeOpen(): Batch<Entry> | undefined {
    const batch = this.#open
    if (batch === undefined || batch.entries.length === 0) return undefined
    this.#open = undefined
    return batch
  }

  async #write({ segment, slab, start, end }: Batch<Entry>): Promise<void> {
    const { clock, synced } = this.#options
    const began = clock.monotonic()
    await this.#writer.write(segment, slab.buffer.subarray(start, end), slab.base + start)
    synced?.(clock.monotonic() - began)
  }

  #commit(batch: Batch<Entry>): void {
    const { segment, slab } = batch
    if (segment.bytes === 0) this.segments.push(segment)
    segment.bytes = slab.base + batch.end
    slab.pins--
    this.#outage.end()
    this.#committed = batch.first + batch.entries.length - 1
    this.pendingBytes -= batch.end - batch.start - batch.headBytes
    const offsets = batch.at
    if (slab.base > 0) for (let i = 0; i < offsets.length; i++) offsets[i]! += slab.base
    this.#options.committed({ segment, entries: batch.entries, offsets, first: batch.first })
  }

  /** The segment is done with. What was to be written moves to a new one, or fails. */
  #writeFailed(batch: Batch<Entry>, error: unknown): void {
    this.#writer.abandon(batch.segment)
    this.#closeOpen()
    const batches = [batch, ...this.#closed.splice(0)]
    this.#tail = undefined
    this.#next = batch.first
    for (const each of batches) this.pendingBytes -= each.end - each.start - each.headBytes
    if (!batch.isSecondTry) this.#options.retrying?.(diskFailed(batch.segment.path, error))
    if (batch.isSecondTry) this.#giveUp(batches, error)
    else for (const each of batches) this.#appendAgain(each)
    for (const { slab } of batches) slab.pins-- // not before: their bytes were still needed
  }

  /** Of a sync that nothing waited for. A file that has failed one is not to be trusted with more. */
  readonly #syncFailed = (segment: Segment, error: unknown): void => {
    this.#options.retrying?.(diskFailed(segment.path, error))
    if (this.#tail === segment) this.roll()
  }

  /** The same frames, in a new segment. */
  #appendAgain(batch: Batch<Entry>): void {
    const { slab, at } = batch
    for (let i = 0; i < at.length; i++) {
      const length = announcedLength(slab.buffer, at[i]!)
      const target = this.begin(length)
      slab.buffer.copy(this.buffer, target, at[i]! + FRAME_HEAD, at[i]! + FRAME_HEAD + length)
      this.end(length, batch.entries[i]!)
      this.#open!.isSecondTry = true
    }
  }

  #giveUp(batches: readonly Batch<Entry>[], error: unknown): void {
    const failure = diskFailed(this.#options.folder, error)
    this.#outage.begin(failure)
    for (const { entries } of batches) this.#options.failed(entries, failure)
  }

  // --- Reading ---

  /**
   * The payload of the entry whose frame is at `at`, in bytes of its own, if it is in memory. Throws
   * `SLUICE_RECORD_DAMAGED` where no whole entry stands there, or not that of the sequence number `seq`: it never will
   * again.
   */
  read(segment: Segment, at: number, seq?: number): Buffer | undefined {
    return this.#entries.read(segment, at, seq)
  }

  /** The same, from the disk if need be. Rejects as the disk does where it can't be read now. */
  load(segment: Segment, at: number, seq?: number): Promise<Buffer> {
    return this.#entries.load(segment, at, seq)
  }

  /** Reads a whole segment (see ./scan.ts), as it is on the disk. */
  async scan(segment: Segment, visit: NonNullable<ScanOptions['visit']>): Promise<ScanResult> {
    const { first, salt, path } = segment
    const next = this.segments[this.segments.indexOf(segment) + 1]
    const file = await this.#options.disk.open(path, 'read')
    try {
      const result = await scan(file, { first, salt, before: next?.first ?? this.#committed + 1, visit })
      this.#damages.scanned(segment, result.damages)
      if (next !== undefined) segment.bytes = result.end // it was only the size of the file until now
      return result
    } finally {
      await file.close()
    }
  }

  /**
   * Removes the oldest segment, durably; one that is damaged is kept in the folder `damaged`. The segment that is being
   * written is not for removing. After a rejection the next call goes on with the same file.
   */
  async removeOldest(): Promise<void> {
    const { disk, folder, clock } = this.#options
    const oldest = this.segments.shift()
    if (oldest === undefined) return
    this.#blocks.forget(oldest)
    this.#removed.push(oldest)
    await this.#writer.removeLeftovers()
    for (let next = this.#removed[0]; next !== undefined; next = this.#removed[0]) {
      const removal = this.#damages.in(next) ? quarantine(disk, folder, next.path, clock.now()) : disk.remove(next.path)
      await removal.catch(forgiveMissing)
      this.#damages.forget(next)
      this.#removed.shift()
      await disk.syncFolder(folder)
    }
  }

  /** Begins a new segment with the next entry. */
  roll(): void {
    this.#closeOpen()
    this.#tail = undefined
  }

  /** Writes what is under way, and closes. */
  async close(): Promise<void> {
    await this.flushed()
    this.#outage.close()
    await this.#writer.close()
    await this.#blocks.close()
  }
}

/** Somebody else was faster. */
function forgiveMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
