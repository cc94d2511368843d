// From the text of a file to plain values, document by document, within limits (threat 16). The library `yaml` lexes,
// parses and composes; the walk from its nodes to values is ours (`yaml-value.ts`), because it has to bound aliases,
// refuse what JSON can't hold, and see duplicate keys without comparing each key with all others.
//
// Positions are looked up only for problems: `yaml-locate.ts` walks the nodes of one document along one path.

import { Composer, Lexer, Parser, Schema } from 'yaml'
import type { Alias, CST, Document, ParsedNode } from 'yaml'
import type { Path } from './problem.ts'
import { tooDeep, tooLarge, YAML_LIMITS, type YamlFault, type YamlLimits } from './yaml-limits.ts'
import { locate } from './yaml-locate.ts'
import { valueOf } from './yaml-value.ts'

/** One document of a file. */
export interface YamlDocument {
  /** Where its content begins, in UTF-16 units. */
  readonly offset: number
  /** Its end, with which `text.slice(offset, end)` holds the document. */
  readonly end: number
  /** Fresh objects and arrays, shared with nobody; `undefined` where there are faults, `null` where it is empty. */
  readonly value: unknown
  readonly faults: readonly YamlFault[]
  /**
   * The offset of the place in the document, or of the nearest thing around it that is there; of a text, where
   * `character` is given, that of this character in it.
   */
  readonly locate: (path: Path, at: 'key' | 'value', character?: number) => number
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

/** Lexemes are about three for each value, and two for a comment; a document may have this many for each value. */
const LEXEMES_PER_NODE = 5

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
      yield { fault: tooDeep(parser.offset, limits) }
      return
    }
    if (++lexemes > lexemesMax) {
      yield { fault: tooLarge(parser.offset, `The document has more than ${limits.nodesMax} values`) }
      return
    }
  }
  yield* parser.end()
}

/** A document that can't be read. */
export function faulty(fault: YamlFault): YamlDocument {
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
    locate: (path, at, character) => {
      const within = character === undefined ? undefined : { character, source: text }
      return locate(contents, targets, { path, at, within })
    },
  }
}

/** Syntax errors; and warnings about tags, for a value whose tag nobody knows is not what was meant. */
function faultsOf({ errors, warnings }: Document.Parsed, text: string): YamlFault[] {
  const faults: YamlFault[] = []
  for (const { code, pos, message } of [...errors, ...warnings]) {
    const [offset] = pos
    if (faults.length === FAULTS_MAX) break
    if (faults.some((fault) => fault.offset === offset)) continue
    if (code === 'TAG_RESOLVE_FAILED' && message.startsWith('Unresolved tag')) {
      faults.push({ code: 'SLUICE_RESOURCE_YAML', offset, message: `${message}.`, hint: 'Remove the tag.' })
    } else {
      const hint = hintFor(code, message, text, offset)
      faults.push({ code: 'SLUICE_RESOURCE_YAML', offset, message, ...(hint !== undefined && { hint }) })
    }
  }
  return faults
}

/** Of one document, and one for each place: one slip often makes many. */
const FAULTS_MAX = 10

function hintFor(code: string, message: string, text: string, offset: number): string | undefined {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset)
  if (code === 'TAB_AS_INDENT' || /^ *\t/.test(line)) return 'Indent with spaces.'
  switch (code) {
    case 'BAD_INDENT':
      if (message.includes('end with a')) return 'Is a closing bracket missing?'
      return 'Check the indentation: all keys of one mapping begin in the same column.'
    case 'MULTILINE_IMPLICIT_KEY':
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'BLOCK_IN_FLOW':
      return 'Is the line after it indented too far? A value that holds ": " has to be quoted.'
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
