// A text in the parts that its `---` lines make of it, and what stands in each: a part is parsed and judged once, and known
// again by its text. So one edited document among ten thousand costs what that one costs.
//
// From: load.ts, with the text of a file. Next: admit.ts, for each resource of a part that is new.

import { admit } from './admit.ts'
import { isJsonFile, readJson } from './json.ts'
import type { Finding, Path } from './problem.ts'
import { isRecord, resourceKey, type Identity, type Resource } from './resource.ts'
import { faulty, readDocuments, type YamlDocument } from './yaml.ts'
import { tooLarge, type YamlFault, type YamlLimits } from './yaml-limits.ts'

/** What stands in a part. Offsets count from the part's beginning; it crosses threads. */
export interface Part {
  readonly faults: readonly YamlFault[]
  readonly resources: readonly PartResource[]
  /** Findings that were too many to be located. Above 0 it is not known again. */
  readonly dropped: number
}

/** One resource of a part, valid or not. */
export interface PartResource {
  /** Its path in its document: of an item of a List. */
  readonly base: Path
  /** Of its document. */
  readonly start: number
  readonly end: number
  /** Where it begins itself. */
  readonly at: number
  readonly identity?: Identity
  /** Of {@link identity}. */
  readonly key?: string
  readonly resource?: Resource
  readonly findings: readonly Located[]
}

/** A finding and where it is. */
export interface Located {
  readonly finding: Finding
  readonly offset: number
}

/** Parts by their text. */
export type Parts = Map<string, Part>

/** A part at its place in a text. */
export interface PlacedPart {
  readonly offset: number
  readonly part: Part
}

/** How a text is read. */
export interface PartOptions {
  readonly limits: YamlLimits
  /** Parts that were read before. */
  readonly known: Parts
  /** Takes all that were read, for the next time: no longer in memory than their text is in a file. */
  readonly kept: Parts
  /** How many findings may still be located. */
  readonly room: () => number
}

/** The parts of a file's text, in their order, each read as it is asked for. */
export function* readParts(file: string, text: string, options: PartOptions): Generator<PlacedPart, void> {
  const { limits, known, kept, room } = options
  const isJson = isJsonFile(file)
  let documents = 0
  for (const [start, end] of isJson ? [[0, text.length] as const] : partsOf(text)) {
    const slice = text.slice(start, end)
    if (!isJson && hasDocument(slice) && ++documents > limits.documentsMax) {
      const fault = tooLarge(start, `The file has more than ${limits.documentsMax} documents`)
      return yield { offset: 0, part: partOf([faulty(fault)], 0) }
    }
    // What is kept must not keep the whole text of every version of the file.
    const own = Buffer.from(slice).toString()
    const part = isJson ? undefined : known.get(slice)
    const read = part ?? partOf((isJson ? readJson : readDocuments)(own, limits), room())
    if (!isJson && read.dropped === 0) kept.set(own, read)
    yield { offset: start, part: read }
  }
}

/**
 * Where each part begins and ends: at lines that begin with `---`, which YAML allows nowhere inside a document. A text
 * with directives (`%YAML`) or ends of documents (`...`) is one part: they count beyond such lines.
 */
function* partsOf(text: string): Generator<readonly [start: number, end: number], void> {
  let start = 0
  if (!/^(?:%|\.\.\.(?:\s|$))/m.test(text)) {
    for (let at = text.indexOf('\n---'); at !== -1; at = text.indexOf('\n---', at + 4)) {
      if (!/^(?:\s|$)/.test(text.slice(at + 4, at + 5))) continue
      yield [start, at + 1]
      start = at + 1
    }
  }
  yield [start, text.length]
}

/** Whether it holds more than comments before the first `---`. */
function hasDocument(part: string): boolean {
  return /^[^\s#\uFEFF]/m.test(part)
}

function partOf(documents: Iterable<YamlDocument>, room: number): Part {
  const faults: YamlFault[] = []
  const resources: PartResource[] = []
  let left = room
  let dropped = 0
  for (const document of documents) {
    faults.push(...document.faults)
    if (document.value === undefined || document.value === null) continue
    for (const [base, written] of resourcesIn(document.value)) {
      const { resource, identity, findings } = admit(written)
      const located = findings.slice(0, Math.max(0, left)).map((finding) => ({
        finding,
        offset: document.locate([...base, ...finding.path], finding.at ?? 'value', finding.offset),
      }))
      left -= located.length
      dropped += findings.length - located.length
      resources.push({
        ...{ base, start: document.offset, end: document.end },
        at: base.length === 0 ? document.offset : document.locate(base, 'value'),
        findings: located,
        ...(identity !== undefined && { identity, key: resourceKey(identity) }),
        ...(resource !== undefined && { resource }),
      })
    }
  }
  return { faults, resources, dropped }
}

/** One, or the items of a List, as `kubectl get -o yaml` prints it. */
function resourcesIn(value: unknown): [Path, unknown][] {
  if (!isRecord(value) || !Array.isArray(value['items']) || !String(value['kind']).endsWith('List'))
    return [[[], value]]
  return value['items'].map((item, index) => [['items', index], item])
}
