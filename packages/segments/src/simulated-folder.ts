// A folder on a simulated disk: its names, and how far they are durable. Its changes are a journal, of which a power cut
// leaves a beginning.

/** Names a file or a folder, whatever its path: an inode number. */
export type Node = number

/** Gives names of one folder to nodes, or takes them: all of it or nothing. */
export interface NameChange {
  /** Its number among all changes. */
  readonly change: number
  readonly names: readonly (readonly [name: string, node: Node | undefined])[]
  /** A folder whose part of the same rename becomes durable no later than this one. */
  readonly after: Node | undefined
}

export class SimulatedFolder {
  readonly names: Map<string, Node> = new Map()
  readonly #durable = new Map<string, Node>()
  #unsynced: NameChange[] = []

  /** The numbers of the changes that are not durable, in order. */
  get unsynced(): number[] {
    return this.#unsynced.map(({ change }) => change)
  }

  set(change: NameChange): void {
    apply(change, this.names)
    this.#unsynced.push(change)
  }

  /** Makes the next change durable, if its number is `upTo` at most, and returns it. */
  syncNext(upTo: number): NameChange | undefined {
    const [next] = this.#unsynced
    if (next === undefined || next.change > upTo) return undefined
    this.#unsynced.shift()
    apply(next, this.#durable)
    return next
  }

  /** Forgets what is not durable. */
  rollBack(): void {
    this.#unsynced = []
    this.names.clear()
    for (const [name, node] of this.#durable) this.names.set(name, node)
  }

  /** All that it names, or may name after a power cut. */
  *nodes(): Iterable<Node> {
    yield* this.names.values()
    yield* this.#durable.values()
    for (const { names } of this.#unsynced) for (const [, node] of names) if (node !== undefined) yield node
  }

  clone(): SimulatedFolder {
    const clone = new SimulatedFolder()
    for (const [name, node] of this.names) clone.names.set(name, node)
    for (const [name, node] of this.#durable) clone.#durable.set(name, node)
    clone.#unsynced = [...this.#unsynced]
    return clone
  }
}

function apply({ names }: NameChange, to: Map<string, Node>): void {
  for (const [name, node] of names) {
    if (node === undefined) to.delete(name)
    else to.set(name, node)
  }
}
