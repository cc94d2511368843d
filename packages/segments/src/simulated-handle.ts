// An open file of a simulated disk.

import { diskError } from './disk-error.ts'
import type { DiskFile } from './disk.ts'
import type { DiskOperation } from './simulated-faults.ts'
import type { Node } from './simulated-folder.ts'
import type { Change, Volume } from './simulated-volume.ts'

/** What a handle asks of its disk; both complete in turns of their own. */
export interface SimulatedProcess {
  /** {@link Volume.changes} now. */
  readonly changes: number
  /** Nothing completes any more. */
  readonly hasEnded: boolean
  read<T>(operation: DiskOperation, path: string, look: (volume: Volume) => T): Promise<T>
  change(operation: DiskOperation, change: Change): Promise<void>
  /** Resolves once the disk has heard that the handle is closed. */
  closed(handle: SimulatedHandle): Promise<void>
}

export class SimulatedHandle implements DiskFile {
  readonly node: Node
  readonly #process: SimulatedProcess
  readonly #path: string
  readonly #isReadOnly: boolean
  readonly #underWay = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(process: SimulatedProcess, node: Node, path: string, isReadOnly: boolean) {
    this.#process = process
    this.node = node
    this.#path = path
    this.#isReadOnly = isReadOnly
  }

  size(): Promise<number> {
    return this.#use('fstat', () => this.#process.read('size', this.#path, (volume) => volume.file(this.node).size))
  }

  read(target: Buffer, at: number): Promise<number> {
    return this.#use('read', () =>
      this.#process.read('read', this.#path, (volume) => volume.file(this.node).read(target, at)),
    )
  }

  write(bytes: Buffer, at: number): Promise<void> {
    return this.#change('write', { operation: 'write', path: this.#path, node: this.node, bytes, at })
  }

  truncate(size: number): Promise<void> {
    return this.#change('truncate', { operation: 'truncate', path: this.#path, node: this.node, size })
  }

  sync(): Promise<void> {
    const change = { operation: 'sync', path: this.#path, node: this.node, upTo: this.#process.changes } as const
    return this.#use('fdatasync', () => this.#process.change('sync', change))
  }

  /** As the system's disk does, waits for what is under way. */
  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  async #finish(): Promise<void> {
    if (!this.#process.hasEnded) await Promise.allSettled(this.#underWay)
    await this.#process.closed(this)
  }

  #change(operation: 'write' | 'truncate', change: Change): Promise<void> {
    if (this.#isReadOnly) return Promise.reject(diskError('EBADF', operation, this.#path))
    return this.#use(operation, () => this.#process.change(operation, change))
  }

  #use<T>(call: string, start: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(diskError('EBADF', call, this.#path))
    const done = start()
    this.#underWay.add(done)
    const forget = (): void => void this.#underWay.delete(done)
    done.then(forget, forget)
    return done
  }
}
