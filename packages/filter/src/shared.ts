// Hot path (packages/filter/bench/match.ts). Parts that several filters have in common are evaluated once per event.

import { format } from './cesql/format.ts'
import { evaluation, testOf, type Test } from './compile.ts'
import type { FilterEvent, FilterNode } from './filter.ts'

/** The parts of all filters of an index; what they say is remembered until the next event. */
export class SharedTests {
  readonly #byKey = new Map<string, Shared>()
  /** Counts events, so that what was remembered of one is never taken for another's. */
  #event = 0

  /** Another event comes. */
  next(): void {
    this.#event++
  }

  /** The test of a filter's part; give the part back by {@link release}. */
  acquire(node: FilterNode): Test {
    if (isCheap(node)) return testOf(node)
    const key = keyOf(node)
    let shared = this.#byKey.get(key)
    if (shared === undefined) {
      shared = this.#sharedOf(testOf(node, (part) => this.acquire(part)))
      this.#byKey.set(key, shared)
    }
    shared.uses++
    return shared.test
  }

  /** A filter with this part is gone. */
  release(node: FilterNode): void {
    if (isCheap(node)) return
    const key = keyOf(node)
    const shared = this.#byKey.get(key)!
    if (--shared.uses > 0) return
    this.#byKey.delete(key)
    for (const part of partsOf(node)) this.release(part)
  }

  #sharedOf(run: Test): Shared {
    const test: Test = (event) => {
      if (shared.uses === 1) return run(event)
      if (shared.event !== this.#event) this.#run(shared, event)
      if (shared.erred) evaluation.erred = true
      return shared.verdict
    }
    const shared: Shared = { uses: 0, run, test, event: 0, verdict: false, erred: false }
    return shared
  }

  /** Runs it, and remembers beside the verdict whether it erred, which belongs to every filter that has it. */
  #run(shared: Shared, event: FilterEvent): void {
    const { erred } = evaluation
    evaluation.erred = false
    shared.verdict = shared.run(event)
    shared.erred = evaluation.erred
    shared.event = this.#event
    evaluation.erred = erred
  }
}

interface Shared {
  /** How many filters have it. */
  uses: number
  readonly run: Test
  /** Runs it, or remembers. */
  readonly test: Test
  /** The event of which `verdict` and `erred` are. */
  event: number
  verdict: boolean
  erred: boolean
}

/** To ask it again costs no more than to remember it. */
function isCheap(node: FilterNode): boolean {
  return node.kind === 'not' ? isCheap(node.of) : 'attribute' in node
}

function partsOf(node: FilterNode): readonly FilterNode[] {
  return node.kind === 'not' ? [node.of] : node.kind === 'all' || node.kind === 'any' ? node.of : []
}

/** A text that only filters of the same meaning have. */
export function keyOf(node: FilterNode): string {
  switch (node.kind) {
    case 'not':
      return `not(${keyOf(node.of)})`
    case 'all':
    case 'any':
      return `${node.kind}(${node.of.map(keyOf).join()})`
    case 'cesql':
      return `cesql(${format(node.expression)})`
    case 'data':
      return `data(${JSON.stringify([node.pointer, node.test])})`
    case 'exists':
      return `exists(${node.attribute})`
    default:
      return `${node.kind}(${node.attribute},${JSON.stringify(node.value)})`
  }
}
