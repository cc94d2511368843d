// Hot path (packages/filter/bench/match.ts). Prefixes, or suffixes, of which a text may have several: a radix tree, whose
// search costs what the text has in common with them and not how many there are.

interface Node<Value> {
  /** What leads here from the parent; empty at the root alone. */
  segment: string
  value: Value | undefined
  /** By the first unit of their segments. */
  children: Map<number, Node<Value>> | undefined
}

/** Values by texts, found by every text that begins with theirs; where `fromEnd` is true, that ends with theirs. */
export class TextTree<Value> {
  readonly #root: Node<Value> = nodeOf<Value>('', undefined)
  readonly #fromEnd: boolean

  constructor(fromEnd: boolean) {
    this.#fromEnd = fromEnd
  }

  /** Whether there is no value. */
  get isEmpty(): boolean {
    return this.#root.value === undefined && this.#root.children === undefined
  }

  /** The value of exactly this text. */
  get(text: string): Value | undefined {
    const key = this.#keyOf(text)
    let node: Node<Value> | undefined = this.#root
    for (let at = 0; at < key.length; at += node.segment.length) {
      node = node.children?.get(key.charCodeAt(at))
      if (node === undefined || !key.startsWith(node.segment, at)) return undefined
    }
    return node.value
  }

  /** Gives the text this value. */
  set(text: string, value: Value): void {
    const key = this.#keyOf(text)
    let node = this.#root
    let at = 0
    while (at < key.length) {
      const child = node.children?.get(key.charCodeAt(at))
      if (child === undefined) {
        addChild(node, nodeOf(key.slice(at), value))
        return
      }
      const shared = sharedLength(child.segment, key, at)
      node = shared === child.segment.length ? child : split(node, child, shared)
      at += shared
    }
    node.value = value
  }

  /** Takes the text's value out. */
  delete(text: string): void {
    const key = this.#keyOf(text)
    const path: Node<Value>[] = [this.#root]
    for (let at = 0; at < key.length; at += path.at(-1)!.segment.length) {
      path.push(path.at(-1)!.children!.get(key.charCodeAt(at))!)
    }
    path.at(-1)!.value = undefined
    for (let depth = path.length - 1; depth > 0; depth--) tidy(path[depth]!, path[depth - 1]!)
  }

  /** Adds the values of all texts that this one begins with, or ends with. */
  collect(text: string, values: { add(value: Value): void }): void {
    const { length } = text
    let node = this.#root
    for (let at = 0; ; at += node.segment.length) {
      if (node.value !== undefined) values.add(node.value)
      if (at === length || node.children === undefined) return
      const child = node.children.get(this.#unitAt(text, at))
      if (child === undefined || at + child.segment.length > length) return
      for (let i = 1; i < child.segment.length; i++) {
        if (child.segment.charCodeAt(i) !== this.#unitAt(text, at + i)) return
      }
      node = child
    }
  }

  #unitAt(text: string, at: number): number {
    return text.charCodeAt(this.#fromEnd ? text.length - 1 - at : at)
  }

  /** The text in the order in which it is walked. */
  #keyOf(text: string): string {
    return this.#fromEnd ? text.split('').toReversed().join('') : text
  }
}

function nodeOf<Value>(segment: string, value: Value | undefined): Node<Value> {
  return { segment, value, children: undefined }
}

function addChild<Value>(node: Node<Value>, child: Node<Value>): void {
  node.children ??= new Map()
  node.children.set(child.segment.charCodeAt(0), child)
}

function sharedLength(segment: string, key: string, at: number): number {
  let length = 1 // by their first unit they were found
  while (length < segment.length && segment[length] === key[at + length]) length++
  return length
}

/** Puts a node between the two, behind so much of the child's segment; gives it back. */
function split<Value>(parent: Node<Value>, child: Node<Value>, length: number): Node<Value> {
  const between = nodeOf<Value>(child.segment.slice(0, length), undefined)
  addChild(parent, between)
  child.segment = child.segment.slice(length)
  addChild(between, child)
  return between
}

/** Takes a node out that leads nowhere, or joins it with its only child. */
function tidy<Value>(node: Node<Value>, parent: Node<Value>): void {
  if (node.value !== undefined || (node.children !== undefined && node.children.size > 1)) return
  const first = node.segment.charCodeAt(0)
  const [child] = node.children?.values() ?? []
  if (child !== undefined) {
    child.segment = node.segment + child.segment
    parent.children!.set(first, child)
    return
  }
  parent.children!.delete(first)
  if (parent.children!.size === 0) parent.children = undefined
}
