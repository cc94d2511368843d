// What a simulated disk holds: files, and folders of names for them. A file and its names live apart, as inodes do:
// `sync` of a file makes no name durable, and a power cut may leave a durable file without a name.
//
// Everything that changes it is a Change, and the same changes of the same volume always come to the same. So a disk's
// past can be gone through again (simulated-disk.ts, `imageAfter`).

import { posix } from 'node:path'
import { diskError } from './disk-error.ts'
import { chooseIndex, SimulatedFile, type Choose } from './simulated-file.ts'
import { SimulatedFolder, type NameChange, type Node } from './simulated-folder.ts'

/** Something done to a volume. `upTo` is what {@link Volume.changes} was when the sync was called. */
export type Change =
  | { readonly operation: 'open' | 'makeFolder' | 'remove'; readonly path: string }
  | { readonly operation: 'rename'; readonly path: string; readonly to: string }
  | { readonly operation: 'syncFolder'; readonly path: string; readonly upTo: number }
  | (OfFile & { readonly operation: 'write'; readonly bytes: Buffer; readonly at: number })
  | (OfFile & { readonly operation: 'truncate'; readonly size: number })
  | (OfFile & { readonly operation: 'sync'; readonly upTo: number; readonly failed?: true })
  | { readonly operation: 'damage'; readonly path: string; readonly bytes: Buffer; readonly at: number }
  | { readonly operation: 'copyFrom'; readonly path: string; readonly bytes: Buffer }

interface OfFile {
  readonly node: Node
  /** That by which it was opened; it may have another by now. */
  readonly path: string
}

const ROOT: Node = 0

export class Volume {
  readonly #files = new Map<Node, SimulatedFile>()
  readonly #folders = new Map<Node, SimulatedFolder>([[ROOT, new SimulatedFolder()]])
  #lastNode: Node = ROOT
  #changes = 0

  /** How many changes there were. */
  get changes(): number {
    return this.#changes
  }

  /** Makes the change, or throws and changes nothing. `open` makes a file and returns it. */
  perform(change: Change): Node {
    this.#changes++
    try {
      return this.#perform(change)
    } catch (error) {
      this.#changes--
      throw error
    }
  }

  #perform(change: Change): Node {
    switch (change.operation) {
      case 'open':
        return this.#create(change.path)
      case 'write':
        this.file(change.node).write(change.bytes, change.at, this.#changes)
        return change.node
      case 'truncate':
        this.file(change.node).truncate(change.size, this.#changes)
        return change.node
      case 'sync':
        if (change.failed) this.file(change.node).doubt()
        else this.file(change.node).sync(change.upTo)
        return change.node
      case 'rename':
        return this.#rename(change.path, change.to)
      case 'remove':
        return this.#remove(change.path)
      case 'makeFolder':
        for (const step of this.#stepsToMake(change.path)) step()
        return ROOT
      case 'syncFolder':
        return this.#syncFolder(this.#folderAt(change.path, 'fsync'), change.upTo)
      case 'damage':
        return this.#damage(change.path, change.bytes, change.at)
      case 'copyFrom':
        return this.#copyFrom(change.path, change.bytes)
    }
  }

  /** The change was under way when its process ended: it is made wholly, in part, or not at all. */
  performPart(change: Change, choose: Choose): void {
    const share = choose() * 3 - 1 // a third of all each
    if (share < 0) return
    try {
      if (share >= 1) this.perform(change)
      else if (change.operation === 'write') {
        this.perform({ ...change, bytes: change.bytes.subarray(0, change.bytes.length * share) })
      } else if (change.operation === 'makeFolder') {
        const steps = this.#stepsToMake(change.path)
        this.#changes++
        for (const step of steps.slice(0, steps.length * share)) step()
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      // It would have failed.
    }
  }

  /** Of what is not durable a part is left, chosen for each file and each folder by itself. */
  cutPower(choose: Choose): void {
    for (const [node, { unsynced }] of this.#folders) {
      const kept = chooseIndex(choose, unsynced.length + 1)
      if (kept > 0) this.#syncFolder(node, unsynced[kept - 1]!)
    }
    for (const folder of this.#folders.values()) folder.rollBack()
    for (const file of this.#files.values()) file.cutPower(choose)
  }

  file(node: Node): SimulatedFile {
    return this.#files.get(node)!
  }

  fileAt(path: string): Node {
    const node = this.#find(path, 'open')
    if (node === undefined) throw diskError('ENOENT', 'open', path)
    if (!this.#files.has(node)) throw diskError('EISDIR', 'open', path)
    return node
  }

  list(path: string): string[] {
    return [...this.#folders.get(this.#folderAt(path, 'scandir'))!.names.keys()].toSorted()
  }

  /** Every file that has a name, by its path. */
  *named(from: Node = ROOT, path = ''): Iterable<[path: string, node: Node]> {
    const { names } = this.#folders.get(from)!
    for (const name of [...names.keys()].toSorted()) {
      const node = names.get(name)!
      if (this.#files.has(node)) yield [`${path}/${name}`, node]
      else yield* this.named(node, `${path}/${name}`)
    }
  }

  /** The space in use: by files that have a name, and by those that are open. */
  bytesInUse(open: Iterable<Node>): number {
    const nodes = new Set(open)
    for (const { names } of this.#folders.values()) for (const node of names.values()) nodes.add(node)
    let bytes = 0
    for (const node of nodes) bytes += this.#files.get(node)?.bytesInUse ?? 0
    return bytes
  }

  /** Forgets the files that neither are open nor have a name, nor can have one again by a power cut. */
  sweep(open: Iterable<Node>): void {
    const kept = new Set(open)
    for (const folder of this.#folders.values()) for (const node of folder.nodes()) kept.add(node)
    for (const node of this.#files.keys()) if (!kept.has(node)) this.#files.delete(node)
  }

  clone(): Volume {
    const clone = new Volume()
    for (const [node, file] of this.#files) clone.#files.set(node, file.clone())
    for (const [node, folder] of this.#folders) clone.#folders.set(node, folder.clone())
    clone.#lastNode = this.#lastNode
    clone.#changes = this.#changes
    return clone
  }

  #create(path: string): Node {
    const folder = this.#folderAt(posix.dirname(path), 'open')
    if (this.#find(path, 'open') !== undefined) throw diskError('EEXIST', 'open', path)
    const node = ++this.#lastNode
    this.#files.set(node, new SimulatedFile())
    this.#setNames(folder, [[posix.basename(path), node]])
    return node
  }

  // Journals keep a rename whole, also across folders. Less is promised here (disk.ts: durable after syncFolder of
  // both), but not that a file is nowhere: the old name goes no sooner than the new one is there. A folder is never at
  // two places.
  #rename(path: string, to: string): Node {
    const node = this.#find(path, 'rename')
    if (node === undefined) throw diskError('ENOENT', 'rename', path)
    const source = this.#folderAt(posix.dirname(path), 'rename')
    const target = this.#folderAt(posix.dirname(to), 'rename')
    const replaced = this.#find(to, 'rename')
    if (replaced === node) return node
    const isFolder = this.#folders.has(node)
    if (isFolder && `${to}/`.startsWith(`${path}/`)) throw diskError('EINVAL', 'rename', path)
    if (replaced !== undefined) {
      const replacedFolder = this.#folders.get(replaced)
      if (isFolder && replacedFolder === undefined) throw diskError('ENOTDIR', 'rename', to)
      if (!isFolder && replacedFolder !== undefined) throw diskError('EISDIR', 'rename', to)
      if (replacedFolder !== undefined && replacedFolder.names.size > 0) throw diskError('ENOTEMPTY', 'rename', to)
    }
    const gone = [posix.basename(path), undefined] as const
    const come = [posix.basename(to), node] as const
    if (source === target) this.#setNames(source, [gone, come])
    else {
      this.#setNames(target, [come], isFolder ? source : undefined)
      this.#setNames(source, [gone], target)
    }
    return node
  }

  #remove(path: string): Node {
    const node = this.#find(path, 'unlink')
    if (node === undefined) throw diskError('ENOENT', 'unlink', path)
    if (this.#folders.has(node)) throw diskError('EISDIR', 'unlink', path)
    this.#setNames(this.#folderAt(posix.dirname(path), 'unlink'), [[posix.basename(path), undefined]])
    return node
  }

  /** The same steps as the system's disk takes. */
  #stepsToMake(path: string): (() => void)[] {
    const node = this.#find(path, 'mkdir')
    if (node !== undefined && !this.#folders.has(node)) throw diskError('EEXIST', 'mkdir', path)
    const above = posix.dirname(path)
    const sync = (): void => void this.#syncFolder(this.#folderAt(above, 'fsync'), Infinity)
    if (node !== undefined) return [sync]
    const make = (): void => {
      const made = ++this.#lastNode
      this.#folders.set(made, new SimulatedFolder())
      this.#setNames(this.#folderAt(above, 'mkdir'), [[posix.basename(path), made]])
    }
    return [...this.#stepsToMake(above), make, sync]
  }

  #damage(path: string, bytes: Buffer, at: number): Node {
    const node = this.fileAt(path)
    const { size } = this.file(node)
    if (at < 0 || at + bytes.length > size) throw new RangeError(`${path} has ${size} bytes; the damage lies outside`)
    this.file(node).damage(bytes, at)
    return node
  }

  #copyFrom(path: string, bytes: Buffer): Node {
    const found = this.#find(path, 'open')
    if (found !== undefined && !this.#files.has(found)) throw diskError('EISDIR', 'open', path)
    for (const step of this.#stepsToMake(posix.dirname(path))) step()
    const node = found ?? this.#create(path)
    const content = new SimulatedFile()
    content.write(bytes, 0, this.#changes)
    content.sync(Infinity)
    this.#files.set(node, content)
    return this.#syncFolder(this.#folderAt(posix.dirname(path), 'fsync'), Infinity)
  }

  #setNames(folder: Node, names: NameChange['names'], after?: Node): void {
    this.#folders.get(folder)!.set({ change: this.#changes, names, after })
  }

  #syncFolder(node: Node, upTo: number): Node {
    const folder = this.#folders.get(node)!
    for (let next = folder.syncNext(upTo); next !== undefined; next = folder.syncNext(upTo)) {
      if (next.after !== undefined) this.#syncFolder(next.after, next.change)
    }
    return node
  }

  #folderAt(path: string, call: string): Node {
    const node = this.#find(path, call)
    if (node === undefined) throw diskError('ENOENT', call, path)
    if (!this.#folders.has(node)) throw diskError('ENOTDIR', call, path)
    return node
  }

  #find(path: string, call: string): Node | undefined {
    let node: Node | undefined = ROOT
    for (const name of path.split('/')) {
      if (name === '' || node === undefined) continue
      const folder = this.#folders.get(node)
      if (folder === undefined) throw diskError('ENOTDIR', call, path)
      node = folder.names.get(name)
    }
    return node
  }
}
