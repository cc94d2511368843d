// Parts of segments that were read from the disk, a bounded number of them, shared by all who read there. Who lags
// reads one after the other, so a block serves many reads.

import type { Disk, DiskFile } from './disk.ts'
import type { Segment } from './segment.ts'

const BLOCK_BYTES = 64 * 1024
/** A longer run is read for itself, and not kept. */
const SHARED_BLOCKS_MAX = 4
const HANDLES_MAX = 16

interface Block {
  readonly bytes: Buffer
}

interface Handle {
  readonly file: Promise<DiskFile>
  users: number
  isUnused: boolean
}

/** Reads durable bytes of segments, through a cache. */
export class Blocks {
  readonly #disk: Disk
  readonly #blocksMax: number
  /** The least lately used first. */
  readonly #blocks = new Map<string, Block>()
  readonly #loading = new Map<string, Promise<void>>()
  /** The least lately used first. */
  readonly #handles = new Map<Segment, Handle>()

  constructor(disk: Disk, bytesMax: number) {
    this.#disk = disk
    this.#blocksMax = Math.max(SHARED_BLOCKS_MAX, Math.floor(bytesMax / BLOCK_BYTES))
  }

  /** The bytes, if they are in memory. They may be shared: not to be kept, nor written to. */
  get(segment: Segment, from: number, to: number): Buffer | undefined {
    const firstBlock = Math.floor(from / BLOCK_BYTES)
    const lastBlock = Math.floor((to - 1) / BLOCK_BYTES)
    if (lastBlock - firstBlock >= SHARED_BLOCKS_MAX) return undefined
    const parts: Buffer[] = []
    for (let number = firstBlock; number <= lastBlock; number++) {
      const base = number * BLOCK_BYTES
      const bytes = this.#use(segment, number)
      const end = Math.min(to - base, BLOCK_BYTES)
      if (bytes === undefined || bytes.length < end) return undefined
      parts.push(bytes.subarray(Math.max(0, from - base), end))
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts)
  }

  /** The bytes, from the disk if need be; fewer than asked for where the file ends before `to`. */
  async load(segment: Segment, from: number, to: number): Promise<Buffer> {
    const known = this.get(segment, from, to)
    if (known !== undefined) return known
    const firstBlock = Math.floor(from / BLOCK_BYTES)
    const lastBlock = Math.floor((to - 1) / BLOCK_BYTES)
    if (lastBlock - firstBlock < SHARED_BLOCKS_MAX) {
      const loads: Promise<void>[] = []
      for (let number = firstBlock; number <= lastBlock; number++) {
        const base = number * BLOCK_BYTES
        loads.push(this.#loadBlock(segment, number, Math.min(to - base, BLOCK_BYTES)))
      }
      await Promise.all(loads)
      const loaded = this.get(segment, from, to)
      if (loaded !== undefined) return loaded
    }
    return await this.#read(segment, from, to - from)
  }

  /** The segment is removed. */
  forget(segment: Segment): void {
    for (const key of this.#blocks.keys()) if (key.startsWith(`${segment.number}/`)) this.#blocks.delete(key)
    this.#drop(segment)
  }

  async close(): Promise<void> {
    this.#blocks.clear()
    const files = [...this.#handles.values()].map(({ file }) => file)
    this.#handles.clear()
    for (const file of files) {
      const opened = await file.catch(() => undefined)
      await opened?.close()
    }
  }

  #use(segment: Segment, number: number): Buffer | undefined {
    const key = `${segment.number}/${number}`
    const block = this.#blocks.get(key)
    if (block === undefined) return undefined
    this.#blocks.delete(key)
    this.#blocks.set(key, block)
    return block.bytes
  }

  /** Reads the block unless it is there with `bytes` bytes at least: one that was still being written has grown since. */
  async #loadBlock(segment: Segment, number: number, bytes: number): Promise<void> {
    const key = `${segment.number}/${number}`
    for (;;) {
      const known = this.#blocks.get(key)
      if (known !== undefined && known.bytes.length >= bytes) return
      const loading = this.#loading.get(key)
      if (loading === undefined) break
      await loading
    }
    const load = this.#readBlock(segment, number).then((block) => {
      this.#blocks.delete(key)
      this.#blocks.set(key, block)
      for (const oldest of this.#blocks.keys()) {
        if (this.#blocks.size <= this.#blocksMax) break
        this.#blocks.delete(oldest)
      }
    })
    const settled = load.catch(() => {}).finally(() => this.#loading.delete(key))
    this.#loading.set(key, settled)
    await load
  }

  /** Of a segment that is being written only what is durable. */
  async #readBlock(segment: Segment, number: number): Promise<Block> {
    const base = number * BLOCK_BYTES
    return { bytes: await this.#read(segment, base, Math.min(BLOCK_BYTES, segment.bytes - base)) }
  }

  async #read(segment: Segment, from: number, length: number): Promise<Buffer> {
    const handle = this.#handle(segment)
    handle.users++
    try {
      const target = Buffer.allocUnsafeSlow(Math.max(0, length))
      const read = await (await handle.file).read(target, from)
      return target.subarray(0, read)
    } finally {
      handle.users--
      this.#closeUnused(handle)
    }
  }

  #handle(segment: Segment): Handle {
    const known = this.#handles.get(segment)
    const handle = known ?? { file: this.#disk.open(segment.path, 'read'), users: 0, isUnused: false }
    this.#handles.delete(segment)
    this.#handles.set(segment, handle)
    // A handle that could not be opened is tried anew by whoever comes next.
    if (known === undefined) handle.file.catch(() => this.#handles.delete(segment))
    for (const oldest of this.#handles.keys()) {
      if (this.#handles.size <= HANDLES_MAX) break
      this.#drop(oldest)
    }
    return handle
  }

  #drop(segment: Segment): void {
    const handle = this.#handles.get(segment)
    if (handle === undefined) return
    this.#handles.delete(segment)
    handle.isUnused = true
    this.#closeUnused(handle)
  }

  #closeUnused(handle: Handle): void {
    if (!handle.isUnused || handle.users > 0) return
    handle.isUnused = false
    void handle.file.then(
      (file) => file.close(),
      () => {},
    )
  }
}
