// Kinds that come with sources of somebody's own: data, so that the thread which reads files again can be told of them.
//
// From: cli/src/own-sources.ts, before anything is read. Next: they stand in the one table of kinds, as all others do.

import type { JsonSchema, Kind } from './kind.ts'
import { addKind } from './kinds/index.ts'
import {
  checkSourceSpec,
  convertSink,
  defaultSink,
  sinkReference,
  SOURCE_CONDITIONS,
  sourceSpecSchema,
} from './source-spec.ts'

/** What a source of somebody's own says of one of its kinds. */
export interface ForeignKind {
  readonly apiVersion: string
  readonly kind: string
  readonly plural?: string
  readonly description?: string
  /** JSON Schema of the fields beside `sink` and `ceOverrides`. */
  readonly schema?: Readonly<Record<string, unknown>>
}

const added: ForeignKind[] = []

/** Those that were added to this process. */
export function foreignKinds(): readonly ForeignKind[] {
  return added
}

/** Adds kinds, before anything is read. Throws an Error in words where one can't be one, or is there already. */
export function addForeignKinds(kinds: readonly ForeignKind[]): void {
  for (const { apiVersion, kind, plural, description, schema } of kinds) {
    const foreign: ForeignKind = {
      ...{ apiVersion, kind },
      ...(plural !== undefined && { plural }),
      ...(description !== undefined && { description }),
      ...(schema !== undefined && { schema }),
    }
    addKind(kindOf(foreign))
    added.push(foreign)
  }
}

/** Throws an Error in words where it can be none. */
function kindOf({ apiVersion, kind, plural, description, schema }: ForeignKind): Kind {
  const [group = '', version = '', ...more] = apiVersion.split('/')
  if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(group) || !/^v\d+((alpha|beta)\d+)?$/.test(version) || more.length > 0) {
    throw new Error(`apiVersion is ${JSON.stringify(apiVersion)}; it has to be such as sources.example.com/v1.`)
  }
  if (!/^[A-Z][A-Za-z0-9]{0,62}$/.test(kind))
    throw new Error(`kind is ${JSON.stringify(kind)}; it has to be a name such as FeedSource.`)
  const fields = (schema?.['properties'] ?? {}) as Record<string, JsonSchema>
  const required = (schema?.['required'] ?? []) as string[]
  const spec = sourceSpecSchema('What this source does, and where its events go.', fields)
  return {
    group,
    kind,
    plural: plural ?? `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: ['all', 'sources'],
    namespaced: true,
    versions: [version],
    description: description ?? `A ${kind} makes events.`,
    run: true,
    naming: 'subdomain',
    required: ['spec'],
    fields: { spec: { ...spec, required: ['sink', ...required] } },
    conditions: SOURCE_CONDITIONS,
    convert: convertSink,
    defaults: defaultSink,
    validate: checkSourceSpec,
    references: sinkReference,
  }
}
