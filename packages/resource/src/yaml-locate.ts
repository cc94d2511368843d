// Where in a YAML document a path of its value stands.

import { isAlias, isMap, isScalar, isSeq } from 'yaml'
import type { Alias, ParsedNode } from 'yaml'
import type { Path } from './problem.ts'
import { offsetInScalar } from './yaml-scalar.ts'
import { isMergeKey } from './yaml-value.ts'

/** The place that is looked for. */
export interface Place {
  readonly path: Path
  readonly at: 'key' | 'value'
  /** Of a text: the character in it, in UTF-16 units, and the source that it was read from. */
  readonly within?: { readonly character: number; readonly source: string } | undefined
}

/**
 * The offset of the place, in UTF-16 units; `targets` says what each alias stands for.
 *
 * Steps of the path that aren't in the document are left out: what a conversion put around something (`subscriber.ref`
 * around a bare reference) leads to the thing itself, and what is missing leads to what should hold it.
 */
export function locate(
  contents: ParsedNode | null,
  targets: Map<Alias, ParsedNode>,
  { path, at, within }: Place,
): number {
  let node: ParsedNode | null = contents
  let offset = contents?.range?.[0] ?? 0
  let found = true
  for (const step of path) {
    const next = childOf(node, step)
    found = next !== undefined
    if (next === undefined) continue
    offset = next.offset
    node = next.value
  }
  const isBlock = node !== null && !isScalar(node) && !isAlias(node) && (node as { flow?: boolean }).flow !== true
  if (!found || at === 'key' || node === null || isBlock || (isScalar(node) && node.source === '')) return offset
  if (within !== undefined && isScalar(node)) return offsetInScalar(within.source, node, within.character)
  return node.range[0]

  function childOf(
    parent: ParsedNode | null,
    step: string | number,
  ): { offset: number; value: ParsedNode | null } | undefined {
    const within = isAlias(parent) ? (targets.get(parent) ?? null) : parent
    if (isSeq(within)) {
      const item = within.items[Number(step)]
      return item === undefined ? undefined : { offset: item.range[0], value: item }
    }
    if (!isMap(within)) return undefined
    for (const { key, value } of within.items) {
      const scalar = isAlias(key) ? targets.get(key) : key
      if (isScalar(scalar) && scalar.source === step) return { offset: key.range[0], value }
    }
    for (const { key, value } of within.items) {
      if (!isMergeKey(key)) continue
      for (const source of isSeq(value) ? value.items : [value]) {
        const merged = childOf(source, step)
        if (merged !== undefined) return merged
      }
    }
    return undefined
  }
}
