// The door for files: paths in, resources and everything that is wrong with them out. The steps are `files.ts` (which
// files), `parts.ts` (what stands in them: `yaml.ts`, `json.ts`, and `admit.ts` for each resource), and what only shows when
// all are there: the same resource twice, and pointers to what isn't there.

import { readFiles, type Found, type KnownTexts } from './files.ts'
import { readParts, type PartResource, type Parts, type PlacedPart } from './parts.ts'
import { advisers } from './event-type-advice.ts'
import { isEventType } from './kinds/event-type.ts'
import { isTrigger } from './kinds/trigger.ts'
import { mappedUrl, REFERENCE_MAPPING } from './reference-mapping.ts'
import {
  identityOf,
  isRecord,
  keyOf,
  nameOf,
  resourceKey,
  type Declared,
  type Identity,
  type Origin,
} from './resource.ts'
import { pathText, type Finding, type Path, type Problem } from './problem.ts'
import { missingReferences, type Names } from './references.ts'
import { newSight, type Sight } from './sight.ts'
import { readDocuments, type YamlDocument } from './yaml.ts'
import { YAML_LIMITS, type YamlLimits } from './yaml-limits.ts'

/** What a set of files holds. */
export interface Loaded {
  /** Those without errors, in the order of files and documents. */
  readonly resources: readonly Declared[]
  /** All that is wrong, of all files, sorted by place. Apply nothing where one of them is an error. */
  readonly problems: readonly Problem[]
  /** The files that were read. */
  readonly files: readonly string[]
  /** Their texts, as far as they could be read. */
  readonly texts: readonly FileText[]
  /** What stands in them, for who reads them again. */
  readonly parts: Parts
  /** What the files were found by: what has to be watched. */
  readonly sight: Sight
  /** The place of a path inside a resource of this load, for what is found out later. Parses its document again. */
  readonly locate: (declared: Declared, path: Path) => Origin
  /** What was written, before defaults and conversion. Parses its document again. */
  readonly written: (declared: Declared) => Record<string, unknown>
}

/** A file and what stands in it. */
export interface FileText {
  readonly file: string
  readonly text: string
}

/** Bounds of a load, each with a default. */
export interface LoadLimits extends Partial<YamlLimits> {
  /** Problems that are told one by one. Default 1,000; how many more there are is told in one more. */
  readonly problemsMax?: number
  /** Files that are read; beyond them, an error. Default 10,000. */
  readonly filesMax?: number
}

/** A file whose documents are being read, or were. */
interface Source {
  readonly file: string
  readonly text: string
  /** Whether a Secret may be in it, so that none of its lines may be shown (threat 19). */
  readonly secret: boolean
  /** Offsets of the beginnings of lines; made for the first position that is asked for. */
  lineStarts: number[] | undefined
}

/** Where a resource was read: the document's beginning and end in the text, and the path inside of it (of a List). */
interface Place {
  readonly source: Source
  readonly start: number
  readonly end: number
  readonly base: Path
}

/**
 * Reads resources from files and folders (recursively: .yaml, .yml, .json; see `readFiles`). It never throws for what
 * is in them: every mistake of every file is a problem with its place. Multi-document files, empty documents, comments,
 * anchors and `kind: List` are taken. Nothing is applied; hand the resources to a store.
 */
export async function loadFiles(paths: readonly string[], limits: LoadLimits = {}): Promise<Loaded> {
  const sight = newSight()
  return { ...(await loadTexts(findFiles(paths, sight, limits), limits)), sight }
}

/** The files of a load, one after the other; `sight` and `known` as of `readFiles`. */
export function findFiles(
  paths: readonly string[],
  sight: Sight,
  limits: LoadLimits = {},
  known?: KnownTexts,
): AsyncGenerator<Found, void> {
  const { fileBytesMax = YAML_LIMITS.fileBytesMax, filesMax = FILES_MAX } = limits
  return readFiles(paths, { fileBytesMax, filesMax }, sight, known)
}

/** As {@link loadFiles}, of texts that were read already. `known`: parts that were read before. */
export async function loadTexts(
  found: AsyncIterable<Found> | Iterable<Found>,
  limits: LoadLimits = {},
  known: Parts = new Map(),
): Promise<Omit<Loaded, 'sight'>> {
  const { problemsMax = PROBLEMS_MAX, filesMax: _, ...rest } = limits
  const yamlLimits = { ...YAML_LIMITS, ...rest }
  const load = newLoad(problemsMax)
  const files: string[] = []
  const texts: FileText[] = []
  const kept: Parts = new Map()
  const room = (): number => problemsMax - load.problems.length
  for await (const each of found) {
    if ('fault' in each) {
      load.add({ ...each.fault, file: each.file, line: 0, column: 0 })
      continue
    }
    const { file, text } = each
    files.push(file)
    texts.push(each)
    const source = { file, text, secret: SECRET.test(text), lineStarts: undefined }
    for (const part of readParts(file, text, { limits: yamlLimits, known, kept, room })) readPart(part, source, load)
  }
  warnOfMissing(load)
  return {
    resources: load.resources,
    problems: sorted(load, files),
    files,
    texts,
    parts: kept,
    locate: (declared, path) => locateAgain(load.places.get(declared), declared, path),
    written: (declared) => writtenAgain(load.places.get(declared)!),
  }
}

const PROBLEMS_MAX = 1000
const FILES_MAX = 10_000
const SECRET = /\bkind\b["']?\s*:\s*["']?Secret\b/i

/** What a load gathers. */
interface Load {
  readonly resources: Declared[]
  readonly problems: Problem[]
  readonly places: Map<Declared, Place>
  /** Every identity that was read, valid or not, with where it was first. */
  readonly seen: Map<string, Origin>
  /** Whether a document couldn't be read at all, so that what isn't seen may be in it. */
  incomplete: boolean
  /** How many problems weren't kept. */
  dropped: number
  readonly isFull: () => boolean
  readonly add: (problem: Problem) => void
}

function newLoad(problemsMax: number): Load {
  const load: Load = {
    resources: [],
    problems: [],
    places: new Map(),
    seen: new Map(),
    incomplete: false,
    dropped: 0,
    isFull: () => load.problems.length >= problemsMax,
    add: (problem) => {
      if (load.isFull()) load.dropped++
      else load.problems.push(problem)
      if (problem.severity === 'error' && problem.line === 0) load.incomplete = true
    },
  }
  return load
}

function readPart({ offset, part }: PlacedPart, source: Source, load: Load): void {
  for (const { offset: at, ...fault } of part.faults) {
    load.incomplete = true
    load.add({ severity: 'error', ...fault, ...placeOf(source, offset + at) })
  }
  load.dropped += part.dropped
  for (const resource of part.resources) readResource(resource, offset, source, load)
}

function readResource(read: PartResource, offset: number, source: Source, load: Load): void {
  const { base, start, end, at, identity, key, resource, findings } = read
  const place: Place = { source, start: offset + start, end: offset + end, base }
  for (const { finding, offset: where } of findings) {
    if (load.isFull()) load.dropped++
    else load.add(problemOf(finding, source, offset + where, identity))
  }
  if (identity === undefined || key === undefined) {
    load.incomplete = true
    return
  }
  const first = load.seen.get(key)
  if (first !== undefined) {
    if (load.isFull()) return void load.dropped++
    load.add({
      severity: 'error',
      code: 'SLUICE_RESOURCE_DECLARED_TWICE',
      ...placeOf(source, offsetAgain(place, { path: ['metadata', 'name'] })),
      resource: nameOf(identity),
      path: 'metadata.name',
      message: `${nameOf(identity)} is declared already at ${first.file}:${first.line}:${first.column}.`,
      hint: 'Remove one of the two, or give it another name.',
    })
    return
  }
  const origin = originOf(source, offset + at)
  load.seen.set(key, origin)
  if (resource === undefined) return
  const declared = { resource, origin }
  load.resources.push(declared)
  load.places.set(declared, place)
}

/** Only once every document could be read: what seems to be missing may stand in the one that couldn't. */
function warnOfMissing(load: Load): void {
  if (load.incomplete) return
  const names = namesOf(load)
  const adviserOf = advisers(load.resources.map(({ resource }) => resource).filter(isEventType))
  for (const declared of load.resources) {
    const { resource } = declared
    const findings = missingReferences(resource, names)
    if (isTrigger(resource)) {
      const advise = adviserOf(resource.metadata.namespace, resource.spec.broker)
      if (advise !== undefined) findings.push(...advise(resource))
    }
    for (const finding of findings) {
      if (load.isFull()) {
        load.dropped++
        continue
      }
      const place = load.places.get(declared)!
      const { kind, metadata } = resource
      load.add(problemOf(finding, place.source, offsetAgain(place, finding), { group: '', kind, ...metadata }))
    }
  }
}

/** Names are compared with those of few others only: a slip is looked for among tens of brokers, not 10,000 services. */
const NAMES_COMPARED_MAX = 100

function namesOf({ seen, resources }: Load): Names {
  const byKind = new Map<string, string[]>()
  const byName = new Map<string, string[]>()
  for (const { resource } of resources) {
    const identity = identityOf(resource)
    add(byKind, resourceKey({ ...identity, name: '' }), identity.name)
    add(byName, resourceKey({ ...identity, namespace: '' }), identity.namespace)
  }
  const mappingKey = resourceKey(REFERENCE_MAPPING)
  const mapping = seen.has(mappingKey) ? resources.find(({ resource }) => keyOf(resource) === mappingKey) : undefined
  return {
    has: (key) => seen.has(key),
    isMapped: (reference) => mappedUrl(reference, mapping?.resource) !== undefined,
    like: (identity) => {
      const names = byKind.get(resourceKey({ ...identity, name: '' })) ?? []
      return names.length > NAMES_COMPARED_MAX ? [] : names
    },
    namespaces: (identity) => byName.get(resourceKey({ ...identity, namespace: '' })) ?? [],
  }

  function add(to: Map<string, string[]>, key: string, value: string): void {
    const values = to.get(key)
    if (values === undefined) to.set(key, [value])
    else values.push(value)
  }
}

function problemOf(finding: Finding, source: Source, offset: number, identity: Identity | undefined): Problem {
  const { severity, code, path, message, hint } = finding
  return {
    severity,
    code,
    ...placeOf(source, offset),
    ...(identity !== undefined && { resource: nameOf(identity) }),
    ...(path.length > 0 && { path: pathText(path) }),
    message,
    ...(hint !== undefined && { hint }),
  }
}

function sorted(load: Load, files: readonly string[]): Problem[] {
  const order = new Map(files.map((file, index) => [file, index]))
  const problems = load.problems.toSorted(
    (a, b) => (order.get(a.file) ?? -1) - (order.get(b.file) ?? -1) || a.line - b.line || a.column - b.column,
  )
  if (load.dropped > 0) {
    problems.push({
      severity: 'error',
      code: 'SLUICE_RESOURCE_MORE_PROBLEMS',
      file: problems.at(-1)!.file,
      line: 0,
      column: 0,
      message: `There are ${load.dropped} problems more.`,
      hint: 'Correct these first.',
    })
  }
  return problems
}

/** Line and column of an offset, and the line itself where it may be shown. */
function placeOf(source: Source, offset: number): Origin & { readonly excerpt?: string } {
  const origin = originOf(source, offset)
  if (source.secret) return origin
  const start = source.lineStarts![origin.line - 1]!
  const end = source.text.indexOf('\n', start)
  const excerpt = source.text
    .slice(start, end === -1 ? undefined : end)
    .replace(/\r$/, '')
    .replaceAll('\t', ' ')
  const hidden = excerpt.trim() === '' || excerpt.length > EXCERPT_CHARACTERS_MAX || URL_WITH_USER.test(excerpt)
  return hidden ? origin : { ...origin, excerpt }
}

const EXCERPT_CHARACTERS_MAX = 160
/** What stands before the `@` may be a password (threat 19). */
const URL_WITH_USER = /:\/\/[^/\s]*@/

function originOf(source: Source, offset: number): Origin {
  source.lineStarts ??= lineStartsOf(source.text)
  const { lineStarts } = source
  let low = 0
  let high = lineStarts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (lineStarts[middle]! <= offset) low = middle
    else high = middle - 1
  }
  return { file: source.file, line: low + 1, column: offset - lineStarts[low]! + 1 }
}

function lineStartsOf(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function locateAgain(place: Place | undefined, { origin }: Declared, path: Path): Origin {
  if (place === undefined) return origin ?? { file: '', line: 0, column: 0 }
  return originOf(place.source, offsetAgain(place, { path }))
}

function writtenAgain(place: Place): Record<string, unknown> {
  let value: unknown = documentAgain(place).document?.value
  for (const step of place.base) value = isRecord(value) || Array.isArray(value) ? Reflect.get(value, step) : undefined
  return isRecord(value) ? value : {}
}

function offsetAgain(place: Place, { path, at = 'value', offset }: Pick<Finding, 'path' | 'at' | 'offset'>): number {
  const { document, from } = documentAgain(place)
  return document === undefined ? place.start : from + document.locate([...place.base, ...path], at, offset)
}

/** Nodes are not kept: a hundred bytes for each value of each file, for the few that are asked for. */
function documentAgain({ source, start, end }: Place): { document: YamlDocument | undefined; from: number } {
  const from = source.text.lastIndexOf('\n', start - 1) + 1
  const [document] = readDocuments(source.text.slice(from, end))
  return { document, from }
}
