// The machine's disk: POSIX calls, made whole. A write goes on until all is written, a read until its target is full.
// `write` and `sync` are on the hot path: each is one promise and one callback, however many calls it takes.

import fs from 'node:fs'
import { mkdir, readdir, rename, stat, unlink } from 'node:fs/promises'
import { dirname, resolve as absolute } from 'node:path'
import { promisify } from 'node:util'
import { diskError } from './disk-error.ts'
import type { Disk, DiskFile } from './disk.ts'
import { lockFile } from './system-lock.ts'

/** The disk of the machine that this process runs on. */
export const systemDisk: Disk = { open, list, makeFolder, rename, remove: unlink, syncFolder, lock: lockFile }

const FLAGS = { create: 'wx+', write: 'r+', read: 'r' } as const
/** Node takes up to 2 GiB in one call. */
const CALL_BYTES_MAX = 2 ** 30

const openFile = promisify(fs.open)
const syncFile = promisify(fs.fsync)
const closeFile = promisify(fs.close)

async function open(path: string, mode: 'create' | 'write' | 'read'): Promise<DiskFile> {
  return new SystemFile(await openFile(path, FLAGS[mode]), path)
}

class SystemFile implements DiskFile {
  readonly #fd: number
  readonly #path: string
  #underWay = 0
  #closed: Promise<void> | undefined
  #closeNow: (() => void) | undefined

  constructor(fd: number, path: string) {
    this.#fd = fd
    this.#path = path
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (!this.#begin('fstat', reject)) return
      fs.fstat(this.#fd, (error, stats) => {
        if (error === null) resolve(stats.size)
        else this.#reject(error, reject)
        this.#end()
      })
    })
  }

  write(bytes: Buffer, at: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#begin('write', reject)) return
      let done = 0
      const writeRest = (): void => {
        fs.write(this.#fd, bytes, done, Math.min(bytes.length - done, CALL_BYTES_MAX), at + done, wrote)
      }
      const wrote = (error: NodeJS.ErrnoException | null, written: number): void => {
        if (error !== null) {
          if (isPassing(error)) return writeRest()
          this.#reject(error, reject)
        } else {
          done += written
          if (written > 0 && done < bytes.length) return writeRest()
          if (done === bytes.length) resolve()
          else reject(diskError('SHORT_WRITE', 'write', this.#path))
        }
        this.#end()
      }
      if (bytes.length === 0) wrote(null, 0)
      else writeRest()
    })
  }

  read(target: Buffer, at: number): Promise<number> {
    return new Promise((resolve, reject) => {
      if (!this.#begin('read', reject)) return
      let done = 0
      const readRest = (): void => {
        fs.read(this.#fd, target, done, Math.min(target.length - done, CALL_BYTES_MAX), at + done, got)
      }
      const got = (error: NodeJS.ErrnoException | null, read: number): void => {
        if (error !== null) {
          if (isPassing(error)) return readRest()
          this.#reject(error, reject)
        } else {
          done += read
          if (read > 0 && done < target.length) return readRest()
          resolve(done)
        }
        this.#end()
      }
      if (target.length === 0) got(null, 0)
      else readRest()
    })
  }

  // The size is data to fdatasync, the time of the last change is not: over bytes that are there already it spares
  // the journal (DESIGN "The log").
  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#begin('fdatasync', reject)) return
      fs.fdatasync(this.#fd, (error) => this.#finish(error, resolve, reject))
    })
  }

  truncate(size: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#begin('ftruncate', reject)) return
      fs.ftruncate(this.#fd, size, (error) => this.#finish(error, resolve, reject))
    })
  }

  /** Waits for what is under way: else its descriptor could be another file's by the time that it is used. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#closeNow = () => fs.close(this.#fd, () => resolve())
      if (this.#underWay === 0) this.#closeNow()
    })
    return this.#closed
  }

  #begin(call: string, reject: (error: Error) => void): boolean {
    if (this.#closed !== undefined) {
      reject(diskError('EBADF', call, this.#path))
      return false
    }
    this.#underWay++
    return true
  }

  #finish(error: NodeJS.ErrnoException | null, resolve: () => void, reject: (error: Error) => void): void {
    if (error === null) resolve()
    else this.#reject(error, reject)
    this.#end()
  }

  /** Calls on a descriptor fail without a word on the file. */
  #reject(error: NodeJS.ErrnoException, reject: (error: Error) => void): void {
    error.path = this.#path
    error.message += ` '${this.#path}'`
    reject(error)
  }

  #end(): void {
    if (--this.#underWay === 0) this.#closeNow?.()
  }
}

/** Says nothing about the disk, and nothing was done (fault 13). */
function isPassing({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EINTR' || code === 'EAGAIN'
}

async function list(folder: string): Promise<string[]> {
  return (await readdir(folder)).toSorted()
}

// A folder that is there may be one that an earlier process made, and didn't live to sync. As each is synced before
// anything is made in it, that can only be the deepest one.
async function makeFolder(folder: string): Promise<void> {
  const missing: string[] = []
  let there = absolute(folder)
  for (let found = await isFolder(there); !found; found = await isFolder(there)) {
    missing.push(there)
    there = dirname(there)
  }
  await syncFolder(dirname(there)).catch(forgiveForeign)
  for (const each of missing.toReversed()) {
    await mkdir(each).catch(forgiveExisting)
    await syncFolder(dirname(each))
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  throw diskError('EEXIST', 'mkdir', path)
}

/** Another process was faster. */
function forgiveExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

/** What this process may not even open, none like it has made anything in. */
function forgiveForeign(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES' && error.code !== 'EPERM' && error.code !== 'EROFS') throw error
}

// Windows has no handle to a folder that could be synced, and some network and shared file systems refuse it: there
// the file system alone decides when a name is durable.
const CANT_SYNC_FOLDERS = process.platform === 'win32' ? ['EPERM', 'EISDIR', 'EACCES'] : ['EINVAL']
/** Zero where the platform has none. */
const FOLDER_FLAGS = fs.constants.O_RDONLY | (fs.constants.O_DIRECTORY ?? 0)

async function syncFolder(folder: string): Promise<void> {
  let fd: number | undefined
  try {
    fd = await openFile(folder, FOLDER_FLAGS)
    await syncFile(fd)
  } catch (error) {
    if (!CANT_SYNC_FOLDERS.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    if (fd !== undefined) await closeFile(fd)
  }
}
