// The schema that an EventType gives for the data of its events (`schemaData`): read when it is applied, with every mistake at
// its place, and compiled once. What other encodings there are (Avro, Protobuf, XSD) is kept, and never enforced.
//
// What senders can choose is the data, so a check takes time linear in it: patterns run in RE2, and `uniqueItems` by a set.
// From: kinds/event-type.ts, and the controller, which enforces it. ajv and RE2 are loaded with the first schema.

import { createRequire } from 'node:module'
import type { Ajv, ErrorObject, Options, ValidateFunction } from 'ajv'
import { jsonTextFault } from '@sluice/event'
import { readDocuments } from './yaml.ts'
import { YAML_LIMITS } from './yaml-limits.ts'

/** A schema that was read. */
export interface CompiledSchema {
  /** What is wrong with it. */
  readonly problems: readonly SchemaProblem[]
  /** What is probably not meant with it. */
  readonly warnings: readonly SchemaProblem[]
  /** Whether a value keeps to it; where not, the first fault. Absent where there are problems, and where it is no JSON. */
  readonly check?: (value: unknown) => SchemaFault | undefined
}

/** Something about a schema. */
export interface SchemaProblem {
  readonly message: string
  readonly hint?: string
  /** In the text of the schema, UTF-16 units. */
  readonly offset: number
}

/** Where and how a value doesn't keep to its schema. Nothing of the value itself is in it. */
export interface SchemaFault {
  /** JSON Pointer into the value; empty: all of it. */
  readonly pointer: string
  /** Such as `must be integer`. */
  readonly message: string
}

/** Characters of a schema. */
const TEXT_MAX = 256 * 1024
const DEPTH_MAX = 64
/** Schemas that are remembered; each is compiled in some ms. */
const KEPT_MAX = 1000

const kept = new Map<string, CompiledSchema>()

/** Reads a schema; the same text is compiled once. Nothing is ever fetched for it. Never throws. */
export function compileSchema(text: string): CompiledSchema {
  let schema = kept.get(text)
  if (schema !== undefined) return schema
  schema = read(text)
  if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value!)
  kept.set(text, schema)
  return schema
}

function read(text: string): CompiledSchema {
  const start = text.search(/\S/)
  if (!/^[[{"tf]/.test(text.slice(start))) return { problems: [], warnings: [notJson()] }
  if (text.length > TEXT_MAX)
    return refused(`the schema has ${text.length} characters; at most ${TEXT_MAX} are taken`, 0)
  const bytes = Buffer.from(text)
  const fault = jsonTextFault(bytes, 0, DEPTH_MAX)
  if (fault !== undefined) {
    const offset = bytes.toString('utf8', 0, fault.at).length
    return refused(`the schema is no JSON: ${fault.what}`, offset)
  }
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return typeof value === 'boolean'
      ? { ...EMPTY, ...(value ? {} : { check: () => NOTHING_ALLOWED }) }
      : refused('a JSON Schema has to be an object', start)
  }
  return compile(value as Record<string, unknown>, text)
}

const EMPTY = { problems: [], warnings: [] }
const NOTHING_ALLOWED: SchemaFault = { pointer: '', message: 'is not allowed, whatever it is' }

function notJson(): SchemaProblem {
  return {
    message: 'this is no JSON, so that it can be no JSON Schema; it is kept and shown, and never enforced',
    hint: 'Events are checked by a JSON Schema alone.',
    offset: 0,
  }
}

function refused(message: string, offset: number, hint?: string): CompiledSchema {
  return { problems: [{ message, offset, ...(hint !== undefined && { hint }) }], warnings: [] }
}

// --- ajv ---

/** The drafts, by what `$schema` says; the first where it says nothing. */
const DRAFTS: readonly (readonly [name: string, uri: RegExp, module: string])[] = [
  ['draft-07', /^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/, 'ajv'],
  ['2019-09', /^https?:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/, 'ajv/dist/2019'],
  ['2020-12', /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/, 'ajv/dist/2020'],
]

function compile(written: Record<string, unknown>, text: string): CompiledSchema {
  const { $schema, ...schema } = written
  const [, , module] = DRAFTS.find(([, uri]) => uri.test(String($schema))) ?? ($schema === undefined ? DRAFTS[0]! : [])
  if (module === undefined) {
    const known = DRAFTS.map(([name]) => name).join(', ')
    return refused(
      'its $schema is none that is known here',
      placeOf(text, ['$schema']),
      `There are draft-06, ${known}.`,
    )
  }
  const ajv = ajvOf(module)
  ajv.said.length = 0
  try {
    if (ajv.validateSchema(schema) !== true) return { ...EMPTY, problems: schemaProblems(ajv.errors ?? [], text) }
    const validate = ajv.compile(schema)
    return { ...EMPTY, warnings: unknownWords(ajv.said, text), check: checkOf(validate) }
  } catch (error) {
    return refusedBy(error as Error & { missingRef?: string }, text)
  } finally {
    ajv.removeSchema(schema) // another one may have the same $id
  }
}

/** The first of them: those that follow are of what was looked for in its place. */
function schemaProblems(errors: readonly ErrorObject[], text: string): SchemaProblem[] {
  return errors.slice(0, 1).map((error) => {
    const { pointer, message } = faultOf(error)
    return { message: `${pointer === '' ? 'the schema' : pointer} ${message}`, offset: placeOf(text, stepsOf(pointer)) }
  })
}

function refusedBy({ message, missingRef }: Error & { missingRef?: string }, text: string): CompiledSchema {
  if (missingRef !== undefined) {
    const hint = 'Nothing is fetched: put it into $defs of this schema.'
    return refused(
      `$ref ${JSON.stringify(missingRef)} leads to nothing in this schema`,
      offsetOf(text, missingRef),
      hint,
    )
  }
  const pattern = unusable.at(-1)
  unusable.length = 0
  if (pattern === undefined) return refused(`the schema can't be compiled: ${message}`, 0)
  const hint = 'Patterns are those of RE2, so that no text can hold it up: without look-around and back-references.'
  return refused(`the pattern ${JSON.stringify(pattern)} can't be used: ${message}`, offsetOf(text, pattern), hint)
}

/** What ajv says of words that it doesn't know, as warnings at their places. */
function unknownWords(said: readonly string[], text: string): SchemaProblem[] {
  return said.flatMap((line) => {
    const [, word] = /^strict mode: unknown keyword: "(.+)"$/.exec(line) ?? []
    if (word === undefined) return []
    return [
      {
        message: `JSON Schema has no word ${JSON.stringify(word)}; it asks nothing of events`,
        offset: offsetOf(text, word),
      },
    ]
  })
}

function offsetOf(text: string, part: string): number {
  return Math.max(0, text.indexOf(JSON.stringify(part)))
}

function placeOf(text: string, path: readonly (string | number)[]): number {
  const [document] = readDocuments(text, YAML_LIMITS) // whatever is JSON is YAML
  return document?.locate(path, 'value') ?? 0
}

function stepsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function checkOf(validate: ValidateFunction): (value: unknown) => SchemaFault | undefined {
  return (value) => (validate(value) ? undefined : faultOf(validate.errors![0]!))
}

function faultOf({ instancePath, message = 'is wrong', params }: ErrorObject): SchemaFault {
  const { additionalProperty, allowedValues } = params as { additionalProperty?: string; allowedValues?: unknown[] }
  const more = additionalProperty ?? allowedValues?.map((each) => JSON.stringify(each)).join(', ')
  const shown = more === undefined ? message : `${message}: ${more.slice(0, SHOWN_MAX)}`
  return { pointer: instancePath.slice(0, SHOWN_MAX), message: shown }
}

const SHOWN_MAX = 200

// --- One for each draft ---

type TalkingAjv = Ajv & { readonly said: string[] }

const require = createRequire(import.meta.url)
const ajvs = new Map<string, TalkingAjv>()
/** Patterns of the schema that is being compiled which RE2 refuses. */
const unusable: string[] = []

function ajvOf(module: string): TalkingAjv {
  const known = ajvs.get(module)
  if (known !== undefined) return known
  const { default: Class } = require(module) as { default: new (options: Options) => Ajv }
  const { fastFormats } = require('ajv-formats/dist/formats') as { fastFormats: NonNullable<Options['formats']> }
  const said: string[] = []
  const log = (...words: unknown[]): void => void said.push(words.map(String).join(' '))
  const ajv = new Class({
    strictSchema: 'log',
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    formats: fastFormats,
    validateSchema: false,
    logger: { log, warn: log, error: log },
    code: { regExp: linearRegExp },
  })
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must NOT have duplicate items' },
    validate: (isWanted: boolean, items: unknown[]) => !isWanted || areUnique(items),
  })
  const talking = Object.assign(ajv, { said })
  ajvs.set(module, talking)
  return talking
}

const linearRegExp = Object.assign(
  (pattern: string): { test: (text: string) => boolean } => {
    const { RE2JS } = require('re2js') as {
      RE2JS: { compile: (pattern: string) => { matcher: (text: string) => { find: () => boolean } } }
    }
    try {
      const compiled = RE2JS.compile(pattern)
      return { test: (text) => compiled.matcher(text).find() }
    } catch (error) {
      unusable.push(pattern)
      throw error
    }
  },
  { code: 'undefined' }, // of generated files, of which there are none
) as NonNullable<NonNullable<Options['code']>['regExp']>

/** ajv compares each with each, which a sender could make last for minutes. */
function areUnique(items: readonly unknown[]): boolean {
  return new Set(items.map(canonical)).size === items.length
}

/** The same text for what JSON Schema takes for equal. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )
}
