// From the text of a file to plain values, document by document, within limits (threat 16). The library `yaml` lexes,
// parses and composes; the walk from its nodes to values is ours, because it has to bound aliases, refuse what JSON
// can't hold, and see duplicate keys without comparing each key with all others.
//
// Positions are looked up only for problems: `locate` walks the nodes of one document along one path.

import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, Parser, Schema } from 'yaml'
import type { Alias, CST, Document, ParsedNode, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import { pathText, type Path } from './problem.ts'

/** What one file may hold. Anything larger is an attack or a mistake. */
export interface YamlLimits {
  /** UTF-8 bytes of a file. Default 8 MiB. */
  readonly fileBytesMax: number
  /** Documents in a file, empty ones included. Default 100,000. */
  readonly documentsMax: number
  /** Values in a document, those repeated by aliases included. Default 100,000. */
  readonly nodesMax: number
  /** Levels of nesting. Default 100. */
  readonly depthMax: number
  /** How often one document uses one anchor. Default 100. */
  readonly aliasesMax: number
}

/** The defaults of {@link YamlLimits}. */
export const YAML_LIMITS: YamlLimits = {
  fileBytesMax: 8 * 1024 * 1024,
  documentsMax: 100_000,
  nodesMax: 100_000,
  depthMax: 100,
  aliasesMax: 100,
}

/** What keeps a document from being read. */
export interface YamlFault {
  readonly code: 'SLUICE_RESOURCE_YAML' | 'SLUICE_RESOURCE_DUPLICATE_KEY' | 'SLUICE_RESOURCE_TOO_LARGE'
  /** In UTF-16 units from the start of the text. */
  readonly offset: number
  readonly message: string
  readonly hint?: string
}

/** One document of a file. */
export interface YamlDocument {
  /** Where its content begins, in UTF-16 units. */
  readonly offset: number
  /** Its end, with which `text.slice(offset, end)` holds the document. */
  readonly end: number
  /** Fresh objects and arrays, shared with nobody; `undefined` where there are faults, `null` where it is empty. */
  readonly value: unknown
  readonly faults: readonly YamlFault[]
  /** The offset of the place in the document, or of the nearest thing around it that is there. */
  readonly locate: (path: Path, at: 'key' | 'value') => number
}

/**
 * The documents of a YAML (1.2 core schema) or JSON text, in their order, read as they are asked for. Merge keys (`<<`)
 * work as in Kubernetes. After a limit of the file as a whole, the last document holds that fault and there are no more.
 */
export function* readDocuments(text: string, limits: YamlLimits = YAML_LIMITS): Generator<YamlDocument, void> {
  const composer = new Composer({
    schema: CORE,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  })
  let documents = 0
  for (const token of tokensOf(text, limits)) {
    if ('fault' in token) {
      yield* documentsOf(composer.end(), text, limits)
      yield faulty(token.fault)
      return
    }
    if (token.type === 'document' && ++documents > limits.documentsMax) {
      yield* documentsOf(composer.end(), text, limits)
      yield faulty(tooLarge(token.offset, `The file has more than ${limits.documentsMax} documents`))
      return
    }
    yield* documentsOf(composer.next(token), text, limits)
  }
  yield* documentsOf(composer.end(), text, limits)
}

/**
 * One schema for all documents; made once, not for each. Without YAML 1.1's types: `!!binary`, `!!set` and the like are
 * no JSON.
 */
const CORE: Schema = new Schema({ schema: 'core', merge: false, resolveKnownTags: false })

/** Lexemes are four or five for each value; a document may have this many for each of its `nodesMax`. */
const LEXEMES_PER_NODE = 10

/** The tokens of the parser, stopped where a document grows too large or too deep for it to be composed. */
function* tokensOf(text: string, limits: YamlLimits): Generator<CST.Token | { fault: YamlFault }, void> {
  const parser = new Parser()
  const lexemesMax = limits.nodesMax * LEXEMES_PER_NODE
  let lexemes = 0
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      lexemes = 0
      yield token
    }
    // The stack has the document, what is open in it, and what is being read.
    if (parser.stack.length > limits.depthMax + 2) {
      yield { fault: tooLarge(parser.offset, `The document nests more than ${limits.depthMax} levels deep`) }
      return
    }
    if (++lexemes > lexemesMax) {
      yield { fault: tooLarge(parser.offset, `The document has more than ${limits.nodesMax} values`) }
      return
    }
  }
  yield* parser.end()
}

function tooLarge(offset: number, what: string): YamlFault {
  return { code: 'SLUICE_RESOURCE_TOO_LARGE', offset, message: `${what}.`, hint: 'Split it into smaller ones.' }
}

function faulty(fault: YamlFault): YamlDocument {
  const { offset } = fault
  return { offset, end: offset, value: undefined, faults: [fault], locate: () => offset }
}

function* documentsOf(
  composed: Iterable<Document.Parsed>,
  text: string,
  limits: YamlLimits,
): Generator<YamlDocument, void> {
  for (const document of composed) yield documentOf(document, text, limits)
}

function documentOf(document: Document.Parsed, text: string, limits: YamlLimits): YamlDocument {
  const { contents, range } = document
  const targets = new Map<Alias, ParsedNode>()
  const faults = faultsOf(document, text)
  const value = faults.length > 0 ? undefined : valueOf(contents, targets, faults, limits)
  return {
    offset: contents?.range?.[0] ?? range[0],
    end: range[2],
    value: faults.length > 0 ? undefined : value,
    faults,
    locate: (path, at) => locate(contents, targets, path, at),
  }
}

/** Syntax errors; and warnings about tags, for a value whose tag nobody knows is not what was meant. */
function faultsOf({ errors, warnings }: Document.Parsed, text: string): YamlFault[] {
  const faults: YamlFault[] = []
  for (const { code, pos, message } of [...errors, ...warnings].slice(0, FAULTS_MAX)) {
    const [offset] = pos
    if (code === 'TAG_RESOLVE_FAILED' && message.startsWith('Unresolved tag')) {
      faults.push({ code: 'SLUICE_RESOURCE_YAML', offset, message: `${message}.`, hint: 'Remove the tag.' })
    } else {
      const hint = hintFor(code, text, offset)
      faults.push({ code: 'SLUICE_RESOURCE_YAML', offset, message, ...(hint !== undefined && { hint }) })
    }
  }
  return faults
}

/** Of one document: one slip often makes many. */
const FAULTS_MAX = 10

function hintFor(code: string, text: string, offset: number): string | undefined {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset)
  if (code === 'TAB_AS_INDENT' || /^ *\t/.test(line)) return 'Indent with spaces.'
  switch (code) {
    case 'BAD_INDENT':
      return 'Check the indentation: all keys of one mapping begin in the same column.'
    case 'MULTILINE_IMPLICIT_KEY':
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'BLOCK_IN_FLOW':
      return 'Is a colon, a quote or a bracket missing, or one too many? A value that holds ": " has to be quoted.'
    case 'BAD_SCALAR_START':
      return 'Quote the value: it begins with a character that means something in YAML.'
    case 'MISSING_CHAR':
      return 'Is a colon, a quote or a bracket missing?'
    case 'RESOURCE_EXHAUSTION':
      return 'It nests too deep.'
    default:
      return undefined
  }
}

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
function valueOf(
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
          hint: 'Remove one of the two; in YAML neither of them wins.',
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
function isMergeKey(key: unknown): boolean {
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

/**
 * Steps of the path that aren't in the document are left out: what a conversion put around something (`subscriber.ref`
 * around a bare reference) leads to the thing itself, and what is missing leads to what should hold it.
 */
function locate(contents: ParsedNode | null, targets: Map<Alias, ParsedNode>, path: Path, at: 'key' | 'value'): number {
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
