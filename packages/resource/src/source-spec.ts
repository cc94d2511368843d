// What the spec of every source has (KNATIVE.md 1.0, SourceSpec): where its events go, and what is set on them.

import { parseTemplate } from '@sluice/source'
import {
  checkDestination,
  defaultNamespace,
  destinationSchema,
  movedReference,
  referenceOf,
  type Destination,
} from './ducks.ts'
import type { Draft, JsonSchema, Kind, Reference, Report } from './kind.ts'
import { pathText, type Path } from './problem.ts'
import { isRecord, type Resource } from './resource.ts'

/** The spec of a source that is stored, as far as all sources have it. */
export interface SourceSpec {
  readonly sink: Destination
  readonly ceOverrides?: { readonly extensions?: Readonly<Record<string, string>> }
}

/** The schema of the spec of a source that has these fields beside. */
export function sourceSpecSchema(description: string, fields: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return {
    type: 'object',
    description,
    additionalProperties: false,
    required: ['sink'],
    properties: {
      sink: destinationSchema('where the events go: a Broker, another object with an address, or a URL.'),
      ceOverrides: {
        type: 'object',
        description: 'What is set on every event.',
        additionalProperties: false,
        properties: {
          extensions: {
            type: 'object',
            description: 'Extension attributes, by their names.',
            additionalProperties: { type: 'string' },
          },
        },
      },
      ...fields,
    },
  }
}

/** The rules of {@link sourceSpecSchema} beyond itself. */
export function checkSourceSpec({ spec }: Draft, report: Report): void {
  if (!isRecord(spec)) return
  checkDestination(spec['sink'], ['spec', 'sink'], report)
  const extensions = isRecord(spec['ceOverrides']) ? spec['ceOverrides']['extensions'] : undefined
  if (!isRecord(extensions)) return
  for (const name of Object.keys(extensions)) {
    if (/^[a-z0-9]+$/.test(name) && !CORE.has(name)) continue
    const path = ['spec', 'ceOverrides', 'extensions', name]
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path,
      at: 'key',
      message: `invalid key name "${name}": spec.ceOverrides.extensions`,
      hint: CORE.has(name)
        ? 'It is no extension: this attribute is the source’s own.'
        : "CloudEvents attribute names consist of lower-case letters ('a' to 'z') or digits ('0' to '9').",
    })
  }
}

const CORE: ReadonlySet<string> = new Set(['specversion', 'id', 'source', 'type', 'datacontenttype'])

/** A bare object as sink is taken, with a warning: Knative's own samples have it (KNATIVE.md 6). */
export function convertSink({ spec }: Draft, _version: string, report: Report): void {
  if (!isRecord(spec) || !isRecord(spec['sink'])) return
  const { apiVersion, kind, name, namespace, ...rest } = spec['sink']
  if (rest['ref'] !== undefined) rest['ref'] = spec['sink']['ref'] = movedReference(rest['ref'])
  if (rest['ref'] !== undefined || kind === undefined || name === undefined) return
  const ref = {
    kind,
    name,
    ...(apiVersion !== undefined && { apiVersion }),
    ...(namespace !== undefined && { namespace }),
  }
  spec['sink'] = { ref: movedReference(ref), ...rest }
  report({
    severity: 'warning',
    code: 'SLUICE_RESOURCE_OLD_FORM',
    path: ['spec', 'sink'],
    at: 'key',
    message: 'spec.sink is a bare object reference.',
    hint: 'Put apiVersion, kind and name under ref.',
  })
}

/** Fills in the namespace of the sink. */
export function defaultSink({ spec, metadata }: Draft): void {
  if (isRecord(spec)) defaultNamespace(spec['sink'], metadata.namespace)
}

/** What a source points to. */
export function sinkReference({ spec, metadata }: Resource): Reference[] {
  const sink = (spec as { sink?: Destination } | undefined)?.sink
  return referenceOf(sink, ['spec', 'sink'], metadata.namespace, 'Its events are refused until it exists.')
}

/** Tells what is wrong with a template, at its place. An empty one is none. */
export function checkTemplate(value: unknown, path: Path, roots: readonly string[], report: Report): void {
  if (typeof value !== 'string' || value === '') return
  try {
    parseTemplate(value, roots)
  } catch (error) {
    const message = `invalid value: ${pathText(path)}: ${(error as Error).message}`
    report({ code: 'SLUICE_RESOURCE_INVALID', path, message: message.replace(/\.$/, '') })
  }
}

/** As Knative's sources have them. */
export const SOURCE_CONDITIONS: NonNullable<Kind['conditions']> = { living: ['SinkProvided', 'Deployed'] }
