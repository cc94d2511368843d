// From the nodes of one YAML document to its value: plain, fresh, bounded, as JSON could hold it (threats 14 and 16).

import { isAlias, isMap, isScalar, isSeq } from 'yaml'
import type { Alias, ParsedNode, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import { pathText } from './problem.ts'
import { tooLarge, type YamlFault, type YamlLimits } from './yaml-limits.ts'

/** A fault that ends the walk. */
class Stop extends Error {
  readonly fault: YamlFault
  constructor(fault: YamlFault) {
    super(fault.message)
    this.fault = fault
  }
}

/**
 * The value of a document. An alias becomes a copy of its own, so that nothing that works on the value changes two
 * places at once; what that may cost is bounded by `nodesMax` and `aliasesMax`. Fills `targets` and `faults`.
 */
export function valueOf(
  contents: ParsedNode | null,
  targets: Map<Alias, ParsedNode>,
  faults: YamlFault[],
  limits: YamlLimits,
): unknown {
  const anchors = new Map<string, ParsedNode>()
  const uses = new Map<ParsedNode, number>()
  const open = new Set<ParsedNode>()
  const path: (string | number)[] = []
  let nodes = 0
  let copying = 0

  try {
    return contents === null ? null : convert(contents)
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    faults.push(error.fault)
    return undefined
  }

  function convert(node: ParsedNode): unknown {
    if (++nodes > limits.nodesMax) {
      throw new Stop(tooLarge(node.range[0], `The document has more than ${limits.nodesMax} values`))
    }
    if (isAlias(node)) return copyOf(node)
    const { anchor } = node
    if (anchor === undefined) return contentOf(node)
    // What is anchored in a copy was anchored where it was written.
    if (copying === 0) anchors.set(anchor, node)
    return keepOpen(node)
  }

  function contentOf(node: ParsedNode): unknown {
    if (isScalar(node)) return scalarOf(node)
    if (isMap(node)) return mapOf(node)
    return isSeq(node) ? listOf(node) : null
  }

  function keepOpen(node: ParsedNode): unknown {
    open.add(node)
    const value = contentOf(node)
    open.delete(node)
    return value
  }

  function copyOf(alias: Alias.Parsed): unknown {
    // In a copy, an alias stands for what it stood for where it was written.
    const target = targets.get(alias) ?? anchors.get(alias.source)
    const refuse = (message: string, hint: string): never => {
      throw new Stop({ code: 'SLUICE_RESOURCE_YAML', offset: alias.range[0], message, hint })
    }
    if (target === undefined)
      return refuse(`There is no anchor &${alias.source} before *${alias.source}.`, 'Define it first.')
    if (open.has(target))
      return refuse(`*${alias.source} stands inside of &${alias.source}, so it has no end.`, 'Remove it.')
    targets.set(alias, target)
    const count = (uses.get(target) ?? 0) + 1
    uses.set(target, count)
    if (count > limits.aliasesMax) {
      throw new Stop(
        tooLarge(alias.range[0], `The document uses the anchor &${alias.source} more than ${limits.aliasesMax} times`),
      )
    }
    copying++
    const value = keepOpen(target)
    copying--
    return value
  }

  function listOf({ items }: YAMLSeq.Parsed): unknown[] {
    const list: unknown[] = []
    for (const [index, item] of items.entries()) {
      path.push(index)
      list.push(convert(item))
      path.pop()
    }
    return list
  }

  function mapOf({ items }: YAMLMap.Parsed): Record<string, unknown> {
    const map: Record<string, unknown> = {}
    let merges: unknown[] | undefined
    for (const { key, value } of items) {
      if (isMergeKey(key)) {
        ;(merges ??= []).push(value === null ? null : convert(value))
        continue
      }
      const name = keyOf(key)
      if (Object.hasOwn(map, name)) {
        faults.push({
          code: 'SLUICE_RESOURCE_DUPLICATE_KEY',
          offset: key.range[0],
          message: `The key ${pathText([...path, name])} is there twice.`,
          hint: 'Remove one of the two; neither of them wins.',
        })
        continue
      }
      path.push(name)
      setOwn(map, name, value === null ? null : convert(value))
      path.pop()
    }
    for (const merge of merges ?? []) mergeInto(map, merge, items[0]!.key.range[0])
    return map
  }

  function keyOf(key: ParsedNode): string {
    const value = isAlias(key) ? copyOf(key) : isScalar(key) ? convert(key) : undefined
    if (typeof value === 'string') return value
    if (isScalar(key) && (typeof value === 'number' || typeof value === 'boolean')) return key.source
    throw new Stop({
      code: 'SLUICE_RESOURCE_YAML',
      offset: key.range[0],
      message: 'A key has to be text.',
      hint: 'Quote it; text that begins with { or [ is a mapping or a list otherwise.',
    })
  }
}

function scalarOf({ value, range }: Scalar): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value
  throw new Stop({
    code: 'SLUICE_RESOURCE_YAML',
    offset: range![0],
    message: `${value} is no number that JSON has.`,
    hint: 'Quote it if it is text.',
  })
}

/** `<<`, unquoted: the keys of that mapping, or of those mappings, that this one doesn't have itself. */
export function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.value === '<<' && key.type === 'PLAIN'
}

function mergeInto(map: Record<string, unknown>, merge: unknown, offset: number): void {
  for (const source of Array.isArray(merge) ? merge : [merge]) {
    if (typeof source !== 'object' || source === null || Array.isArray(source)) {
      throw new Stop({
        code: 'SLUICE_RESOURCE_YAML',
        offset,
        message: '<< takes a mapping, or a list of mappings.',
        hint: 'Write << : *anchor, where the anchor stands at a mapping.',
      })
    }
    for (const [name, value] of Object.entries(source)) if (!Object.hasOwn(map, name)) setOwn(map, name, value)
  }
}

/** `__proto__` in a file is a key like any other (threat 14). */
function setOwn(map: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(map, name, { value, writable: true, enumerable: true, configurable: true })
  } else {
    map[name] = value
  }
}
