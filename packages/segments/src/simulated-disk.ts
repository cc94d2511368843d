// A disk in memory, for tests: it completes operations in an order of its own, fails when told to, and its power can be
// cut at any point. The same seed and the same calls give the same course.
//
// A power cut keeps what was synced, as disk.ts promises. Of the rest it keeps any part: for each sector of 512 bytes,
// and for each file's size, any value since the last sync; for each folder, a beginning of its changes. A sync covers
// what had completed when it was called. After a sync that failed, what was written before is never made durable by a
// later one, though reads still show it.
//
// Parts: simulated-file.ts (content), simulated-volume.ts (names), simulated-turns.ts (order), simulated-faults.ts.

import { posix } from 'node:path'
import type { Clock } from '@sluice/clock'
import { diskError } from './disk-error.ts'
import type { Disk, DiskFile } from './disk.ts'
import { Faults, type Call, type DiskOperation, type Fault } from './simulated-faults.ts'
import type { Choose } from './simulated-file.ts'
import type { Node } from './simulated-folder.ts'
import { SimulatedHandle, type SimulatedProcess } from './simulated-handle.ts'
import { endProcess, Past, type Called } from './simulated-past.ts'
import { seededRandom, timedTurns, untimedTurns, type Turns } from './simulated-turns.ts'
import { Volume, type Change } from './simulated-volume.ts'

export interface SimulatedDiskOptions {
  /** Chooses the order of operations, delays, and what survives. Default 1. */
  seed?: number
  /** Where given, each operation takes a time of its own up to `latencyMs`. */
  clock?: Clock
  /** In milliseconds, with a clock. Default 1. */
  latencyMs?: number
  /** Without a clock: how often one of the operations under way completes. Default `immediate` (the event loop). */
  turn?: 'immediate' | 'microtask'
  /** Beyond it writes reject with `ENOSPC`. Space is taken by sectors that were written. Default: no bound. */
  capacityBytes?: number
  /** Keeps every change for {@link SimulatedDisk.imageAfter}; memory grows with them. Default false. */
  record?: boolean
}

/** A {@link Disk} as one process sees it. Paths begin at `/`, the only folder there is at first. */
export interface SimulatedDisk extends Disk {
  /** {@link SimulatedDiskOptions.capacityBytes}; may be set at any time, and takes nothing away. */
  capacityBytes: number
  /** {@link SimulatedDiskOptions.latencyMs}; may be set at any time, for operations that are called from then on. */
  latencyMs: number
  /** How many operations are under way. */
  readonly pending: number

  /** Makes operations fail that are called from now on. Returns what lifts the rule. */
  fail(fault: Fault): () => void

  /**
   * Ends the process: what is under way never resolves, and every call, also on open files, rejects with `EBADF`.
   * Returns the disk as the next process finds it, with the same options and faults. Of what was under way each is there
   * wholly, in part or not at all. `power: false` (kill -9) keeps all that had completed, but makes none of it durable;
   * `power: true` keeps what was durable, and of the rest what the seed chooses.
   */
  crash(options: { power: boolean }): SimulatedDisk

  /** With `record`: every change in the order of completion; what only reads is not among them. */
  readonly recorded: readonly RecordedOperation[]
  /**
   * With `record`: the disk after a power cut at the moment when exactly the first `n` of {@link recorded} had completed;
   * those that had been called by then were under way. `choose` gives numbers from 0 up to 1: `() => 0` keeps no more
   * than has to be, `() => 0.999` everything. The image has the same options, and no faults; nothing changes here.
   */
  imageAfter(n: number, choose: Choose): SimulatedDisk

  /** The content of every file, as a process reads it now, by its path. */
  files(): Map<string, Buffer>
  /** Puts these files there, durably, with their folders. */
  copyFrom(files: ReadonlyMap<string, Buffer>): void
  /** Overwrites durable bytes; without `bytes`, flips the lowest bit of the one at `at`. RangeError outside the file. */
  damage(path: string, at: number, bytes?: Buffer): void
}

/** A change, for the message of a test that fails. */
export interface RecordedOperation {
  readonly operation: DiskOperation | 'damage' | 'copyFrom'
  readonly path: string
}

/** An empty disk. */
export function simulatedDisk(options: SimulatedDiskOptions = {}): SimulatedDisk {
  return new Simulated(options, new Volume(), new Faults())
}

class Simulated implements SimulatedDisk, SimulatedProcess {
  capacityBytes: number
  latencyMs: number
  pending = 0
  hasEnded = false
  readonly #options: SimulatedDiskOptions
  readonly #random: () => number
  readonly #turns: Turns
  readonly #volume: Volume
  readonly #faults: Faults
  readonly #handles = new Set<SimulatedHandle>()
  readonly #underWay = new Set<Called>()
  readonly #locked = new Set<string>()
  readonly #past: Past | undefined

  constructor(options: SimulatedDiskOptions, volume: Volume, faults: Faults) {
    const { seed = 1, clock, latencyMs = 1, turn = 'immediate', capacityBytes = Infinity, record = false } = options
    this.capacityBytes = capacityBytes
    this.latencyMs = latencyMs
    this.#options = options
    this.#random = seededRandom(seed)
    this.#turns = clock ? timedTurns(clock, () => this.latencyMs, this.#random) : untimedTurns(turn, this.#random)
    this.#volume = volume
    this.#faults = faults
    this.#past = record ? new Past(volume.clone()) : undefined
  }

  open(path: string, mode: 'create' | 'write' | 'read'): Promise<DiskFile> {
    const at = absolute(path)
    const opened = (node: Node): DiskFile => {
      const handle = new SimulatedHandle(this, node, at, mode === 'read')
      this.#handles.add(handle)
      return handle
    }
    if (mode === 'create') return this.#change('open', { operation: 'open', path: at }, opened)
    const call = { operation: 'open', paths: [at], isReading: mode === 'read' } as const
    return this.#call(call, () => opened(this.#volume.fileAt(at)))
  }

  list(folder: string): Promise<string[]> {
    const path = absolute(folder)
    return this.read('list', path, (volume) => volume.list(path))
  }

  makeFolder(folder: string): Promise<void> {
    return this.change('makeFolder', { operation: 'makeFolder', path: absolute(folder) })
  }

  rename(from: string, to: string): Promise<void> {
    return this.change('rename', { operation: 'rename', path: absolute(from), to: absolute(to) })
  }

  remove(path: string): Promise<void> {
    return this.change('remove', { operation: 'remove', path: absolute(path) })
  }

  syncFolder(folder: string): Promise<void> {
    const change = { operation: 'syncFolder', path: absolute(folder), upTo: this.changes } as const
    return this.#change('syncFolder', change, () => this.#volume.sweep(this.#openNodes()))
  }

  async lock(path: string): Promise<() => Promise<void>> {
    this.#mustRun()
    const at = absolute(path)
    if (this.#locked.has(at)) throw diskError('EBUSY', 'lock', at)
    this.#locked.add(at)
    return async () => void this.#locked.delete(at)
  }

  fail(fault: Fault): () => void {
    return this.#faults.add(fault)
  }

  crash({ power }: { power: boolean }): SimulatedDisk {
    this.#mustRun()
    this.hasEnded = true
    this.#turns.stop()
    this.pending = 0
    const underWay = Array.from(this.#underWay, ({ change }) => change)
    const volume = endProcess(this.#volume, underWay, power, this.#random)
    return this.#next(volume, this.#faults, this.#random)
  }

  get recorded(): readonly RecordedOperation[] {
    return this.#past?.changes ?? []
  }

  imageAfter(n: number, choose: Choose): SimulatedDisk {
    if (this.#past === undefined) throw new Error('this disk keeps no past; open it with record: true')
    const { length } = this.#past.changes
    if (!(n >= 0 && n <= length)) throw new RangeError(`${length} operations are recorded; no image is after ${n}`)
    const underWay = this.#past.underWayAfter(n, this.#underWay)
    return this.#next(endProcess(this.#past.volumeAfter(n), underWay, true, choose), new Faults(), choose)
  }

  files(): Map<string, Buffer> {
    this.#mustRun()
    return new Map(Array.from(this.#volume.named(), ([path, node]) => [path, this.#volume.file(node).content()]))
  }

  copyFrom(files: ReadonlyMap<string, Buffer>): void {
    this.#mustRun()
    for (const [path, bytes] of files) this.#perform({ operation: 'copyFrom', path: absolute(path), bytes })
  }

  damage(path: string, at: number, bytes?: Buffer): void {
    this.#mustRun()
    const target = absolute(path)
    const old = this.#volume.file(this.#volume.fileAt(target)).content()
    this.#perform({ operation: 'damage', path: target, bytes: bytes ?? Buffer.of((old[at] ?? 0) ^ 1), at })
  }

  get changes(): number {
    return this.#volume.changes
  }

  read<T>(operation: DiskOperation, path: string, look: (volume: Volume) => T): Promise<T> {
    return this.#call({ operation, paths: [path], isReading: true }, () => look(this.#volume))
  }

  change(operation: DiskOperation, change: Change): Promise<void> {
    return this.#change(operation, change, () => {})
  }

  closed(handle: SimulatedHandle): Promise<void> {
    this.#handles.delete(handle)
    if (this.hasEnded) return Promise.resolve()
    return new Promise((resolve) => this.#later(resolve))
  }

  #change<T>(operation: DiskOperation, change: Change, finish: (node: Node) => T): Promise<T> {
    const called: Called = { change, calledAfter: this.recorded.length }
    if (!this.hasEnded) this.#underWay.add(called)
    const paths = 'to' in change ? [change.path, change.to] : [change.path]
    const complete = (): T => {
      this.#underWay.delete(called)
      return finish(this.#make(called))
    }
    const spoil = (fault: Fault): void => {
      this.#underWay.delete(called)
      this.#makeFailed(called, fault)
    }
    return this.#call({ operation, paths, isReading: false }, complete, spoil)
  }

  /** Calls later what decides how it ends: `complete`, or `spoil` where it is to fail. */
  #call<T>(call: Call, complete: () => T, spoil?: (fault: Fault) => void): Promise<T> {
    const { operation, paths } = call
    if (this.hasEnded) return Promise.reject(diskError('EBADF', operation, paths[0]!))
    const fault = this.#faults.match(call)
    return new Promise((resolve, reject) => {
      this.#later(() => {
        try {
          if (fault === undefined) return resolve(complete())
          spoil?.(fault)
          reject(diskError(fault.error, operation, paths[0]!))
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #later(complete: () => void): void {
    this.pending++
    this.#turns.add(() => {
      this.pending--
      complete()
    })
  }

  #make({ change, calledAfter }: Called): Node {
    if (change.operation !== 'write' || this.capacityBytes === Infinity) return this.#perform(change, calledAfter)
    const { path, node, bytes, at } = change
    const free = this.capacityBytes - this.#volume.bytesInUse(this.#openNodes())
    const fits = this.#volume.file(node).fits(bytes.length, at, free)
    this.#perform({ ...change, bytes: bytes.subarray(0, fits) }, calledAfter)
    if (fits < bytes.length) throw diskError('ENOSPC', 'write', path)
    return node
  }

  #makeFailed({ change, calledAfter }: Called, { written }: Fault): void {
    if (change.operation === 'sync') this.#perform({ ...change, failed: true }, calledAfter)
    if (change.operation !== 'write') return
    const count = written ?? Math.floor(this.#random() * (change.bytes.length + 1))
    this.#perform({ ...change, bytes: change.bytes.subarray(0, count) }, calledAfter)
  }

  #perform(change: Change, calledAfter: number = this.recorded.length): Node {
    const node = this.#volume.perform(change)
    this.#past?.add({ change, calledAfter })
    return node
  }

  #openNodes(): Node[] {
    return Array.from(this.#handles, ({ node }) => node)
  }

  #next(volume: Volume, faults: Faults, choose: Choose): SimulatedDisk {
    const { capacityBytes, latencyMs } = this
    const seed = Math.floor(choose() * 2 ** 32)
    return new Simulated({ ...this.#options, capacityBytes, latencyMs, seed }, volume, faults)
  }

  #mustRun(): void {
    if (this.hasEnded) throw new Error('the process of this disk has ended; use the disk that crash() returned')
  }
}

function absolute(path: string): string {
  return posix.resolve('/', path)
}
