// Tells when files may say something else than they did: by the system's notices, one watch for each folder that counts
// (sight.ts), and where there are none, by looking.
//
// Why node:fs and no library: what has to be watched is known exactly from reading, links included. A library that walks
// for itself follows other links than the reading does, and misses what a mounted ConfigMap exchanges.

import { watch as watchFolder, type FSWatcher } from 'node:fs'
import { stat, statfs } from 'node:fs/promises'
import { relative, sep } from 'node:path'
import type { Clock, Timer } from '@sluice/clock'
import { isRead } from './files.ts'
import { nearestFolder, noteName, type Watched } from './sight.ts'

/** Of {@link watchFiles}. */
export interface WatchOptions {
  clock: Clock
  /** What is watched may be another than it was seen to be. Called once things are quiet. */
  changed: () => void
  /** Whether all that was seen, by whom it is watched for, is as it was. */
  isAsSeen: () => Promise<boolean>
  /** Changes of this path can't be told by the system, and are looked for every {@link LOOK_MS}. Called once. */
  looking?: (path: string, why: string) => void
}

/** Watches what was seen. */
export interface FileWatch {
  /**
   * Watches this from now on. Resolves once it does; what changed since it was seen is told like any other change, so
   * that nothing that happens meanwhile is missed.
   */
  set(watched: Watched): Promise<void>
  close(): void
}

/** An editor writes more than once to save a file: so long nothing may happen before `changed` is called. */
const QUIET_MS = 100
/** But no longer than so long after the first change. */
const UNQUIET_MS_MAX = 400
/** Between two looks where the system gives no notice. */
export const LOOK_MS = 2000

export function watchFiles(options: WatchOptions): FileWatch {
  return new SystemWatch(options)
}

class SystemWatch implements FileWatch {
  readonly #options: WatchOptions
  #watched: Watched | undefined
  /** By path and inode: a folder that is replaced by another of its name is another. */
  readonly #watchers = new Map<string, FSWatcher>()
  #firstMs: number | undefined
  #quiet: Timer | undefined
  #look: Timer | undefined
  #mustLook = false
  #isClosed = false

  constructor(options: WatchOptions) {
    this.#options = options
  }

  async set(watched: Watched): Promise<void> {
    this.#watched = watched
    const wanted = new Set<string>()
    for (const folder of new Set([...watched.folders, ...watched.names.keys()])) {
      const path = await nearestFolder(folder)
      if (path !== folder) noteName(path, relative(path, folder).split(sep)[0]!, watched)
      const stats = await stat(path).catch(() => undefined)
      if (stats === undefined) continue // gone just now: isAsSeen says so
      const id = `${stats.dev}:${stats.ino}:${path}`
      wanted.add(id)
      if (!this.#watchers.has(id)) await this.#watch(id, path)
    }
    for (const [id, watcher] of this.#watchers) {
      if (wanted.has(id)) continue
      watcher.close()
      this.#watchers.delete(id)
    }
    if (this.#isClosed) return this.close()
    if (!(await this.#options.isAsSeen())) this.#noticed()
    this.#lookLater()
  }

  async #watch(id: string, path: string): Promise<void> {
    if (await tellsNothing(path)) this.#startLooking(path, 'its file system is on another machine')
    try {
      const watcher = watchFolder(path, (event, name) => {
        if (name === null || this.#counts(path, name, event)) this.#noticed()
      })
      watcher.on('error', (error) => this.#startLooking(path, error.message))
      this.#watchers.set(id, watcher)
    } catch (error) {
      this.#startLooking(path, (error as Error).message) // such as no watches left: fs.inotify.max_user_watches
    }
  }

  /** Not every file that is written beside them: a log in the same folder would never be quiet. */
  #counts(folder: string, name: string, event: string): boolean {
    const { folders, names } = this.#watched!
    if (names.get(folder)?.has(name)) return true
    return folders.has(folder) && !name.startsWith('.') && (event === 'rename' || isRead(name))
  }

  #noticed(): void {
    if (this.#isClosed) return
    const { clock, changed } = this.#options
    const now = clock.monotonic()
    this.#firstMs ??= now
    this.#quiet?.cancel()
    this.#quiet = clock.setTimer(Math.min(QUIET_MS, Math.max(0, this.#firstMs + UNQUIET_MS_MAX - now)), () => {
      this.#firstMs = undefined
      changed()
    })
  }

  #startLooking(path: string, why: string): void {
    if (!this.#mustLook) this.#options.looking?.(path, why)
    this.#mustLook = true
    this.#lookLater()
  }

  #lookLater(): void {
    if (!this.#mustLook || this.#isClosed) return
    this.#look?.cancel()
    this.#look = this.#options.clock.setTimer(LOOK_MS, () => {
      void this.#options.isAsSeen().then((same) => {
        if (!same) this.#noticed()
        this.#lookLater()
      })
    })
  }

  close(): void {
    this.#isClosed = true
    this.#quiet?.cancel()
    this.#look?.cancel()
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }
}

/** File systems whose other machines' changes the system is not told of, by the magic numbers of statfs(2). */
const REMOTE = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x01021997, // 9p: WSL, gVisor
  0x65735546, // FUSE: sshfs, folders that Docker Desktop and virtiofs share
  0x786f4256, // VirtualBox
])

async function tellsNothing(path: string): Promise<boolean> {
  if (process.platform !== 'linux') return false
  const { type } = await statfs(path).catch(() => ({ type: 0 }))
  return REMOTE.has(type >>> 0)
}
