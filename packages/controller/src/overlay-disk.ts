// A disk over another one, which it reads and never changes: whatever is written stays in memory. So a recovery can be
// run for real, to see what it would do.

import { basename, dirname, resolve } from 'node:path'
import type { Disk, DiskFile } from '@sluice/segments'

/** `under` is asked for `open` to read, and for `list`; nothing else. Locks are nobody's but its own. */
export function overlayDisk(under: Pick<Disk, 'open' | 'list'>): Disk {
  /** By absolute path: what was opened or made. `undefined`: it is gone, whatever `under` has. */
  const files = new Map<string, Overlay | undefined>()
  const folders = new Set<string>()

  async function find(path: string): Promise<Overlay> {
    if (files.has(path)) return files.get(path) ?? missing('open', path)
    const below = await under.open(path, 'read')
    const overlay = new Overlay(await below.size(), { disk: under, path })
    await below.close()
    files.set(path, overlay)
    return overlay
  }

  return {
    async open(given, mode) {
      const path = resolve(given)
      if (mode !== 'create') return (await find(path)).handle()
      const there = await find(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
      if (there !== undefined) throw failed('EEXIST', 'open', path)
      const made = new Overlay(0, undefined)
      files.set(path, made)
      return made.handle()
    },
    async list(given) {
      const folder = resolve(given)
      const names = new Set(
        await under.list(folder).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT' && folders.has(folder)) return []
          throw error
        }),
      )
      for (const [path, overlay] of files) {
        if (dirname(path) !== folder) continue
        if (overlay === undefined) names.delete(basename(path))
        else names.add(basename(path))
      }
      for (const each of folders) if (dirname(each) === folder) names.add(basename(each))
      return [...names].toSorted()
    },
    async makeFolder(folder) {
      folders.add(resolve(folder))
    },
    async rename(from, to) {
      files.set(resolve(to), await find(resolve(from)))
      files.set(resolve(from), undefined)
    },
    async remove(path) {
      await find(resolve(path))
      files.set(resolve(path), undefined)
    },
    async syncFolder() {},
    async lock() {
      return async () => {}
    },
  }
}

interface Base {
  readonly disk: Pick<Disk, 'open'>
  readonly path: string
}

/** One file: as much of the base as still counts, and what was written over it. */
class Overlay {
  size: number
  readonly #base: Base | undefined
  /** Bytes of the base that were not cut off. */
  #baseSize: number
  /** In the order of writing. */
  #patches: { readonly at: number; readonly bytes: Buffer }[] = []

  constructor(size: number, base: Base | undefined) {
    this.size = this.#baseSize = size
    this.#base = base
  }

  handle(): DiskFile {
    const below = this.#base?.disk.open(this.#base.path, 'read')
    below?.catch(() => {}) // told by the first read
    return {
      size: async () => this.size,
      read: (target, at) => this.#read(target, at, below),
      write: async (bytes, at) => this.#write(bytes, at),
      sync: async () => {},
      truncate: async (size) => this.#truncate(size),
      close: async () => (await below?.catch(() => undefined))?.close(),
    }
  }

  async #read(target: Buffer, at: number, below: Promise<DiskFile> | undefined): Promise<number> {
    const end = Math.min(this.size, at + target.length)
    if (end <= at) return 0
    target.fill(0, 0, end - at)
    const baseEnd = Math.min(end, this.#baseSize)
    if (below !== undefined && baseEnd > at) await (await below).read(target.subarray(0, baseEnd - at), at)
    for (const patch of this.#patches) {
      const from = Math.max(at, patch.at)
      const to = Math.min(end, patch.at + patch.bytes.length)
      if (from < to) patch.bytes.copy(target, from - at, from - patch.at, to - patch.at)
    }
    return end - at
  }

  #write(bytes: Buffer, at: number): void {
    this.#patches.push({ at, bytes: Buffer.from(bytes) })
    this.size = Math.max(this.size, at + bytes.length)
  }

  #truncate(size: number): void {
    this.#baseSize = Math.min(this.#baseSize, size)
    this.#patches = this.#patches
      .filter(({ at }) => at < size)
      .map(({ at, bytes }) => ({ at, bytes: bytes.subarray(0, size - at) }))
    this.size = size
  }
}

function missing(call: string, path: string): never {
  throw failed('ENOENT', call, path)
}

function failed(code: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}, ${call} '${path}'`), { code, path })
}
