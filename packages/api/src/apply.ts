// Server-side apply: a client sends all that it has an opinion on, and the server merges it, removes what that client had an
// opinion on before and has no longer, and refuses where somebody else wrote a field otherwise.

import { isRecord, type Resource } from '@sluice/resource'
import { Refusal, detailsOf } from './errors.ts'
import type { Target } from './catalog.ts'
import {
  difference,
  differing,
  fieldsOf,
  intersection,
  pathsOf,
  union,
  withoutFields,
  NO_FIELDS,
  type Fields,
} from './fields.ts'
import { contentOf, isBy, managersOf, ofManager, type Manager } from './managed-fields.ts'

/** What an apply comes to. */
export interface Applied {
  /** The whole object, as the client might have sent it. */
  readonly object: Record<string, unknown>
  /** The client, with the fields that it owns from now on. */
  readonly manager: Manager & { readonly fields: Fields }
}

/**
 * Merges `sent` into what is there, in the form of the same version; `undefined`: nothing is there.
 *
 * @throws Refusal 409 where others own fields that would change, unless `force`
 */
export function applied(
  sent: Record<string, unknown>,
  live: Record<string, unknown> | undefined,
  current: Resource | undefined,
  manager: { name: string; force: boolean },
  target: Target,
): Applied {
  const by: Manager = { name: manager.name, operation: 'Apply' }
  const config = contentOf(sent)
  const fields = fieldsOf(config)
  const entries = managersOf(current)
  const others = entries.filter((entry) => !isBy(entry, by))
  const changing = live === undefined ? NO_FIELDS : differing(fields, contentOf(live), config)
  const conflicts = others.flatMap((entry) => {
    const clash = intersection(entry.fieldsV1, changing)
    return Object.keys(clash).length === 0 ? [] : [{ entry, fields: clash }]
  })
  if (conflicts.length > 0 && !manager.force) throw conflict(target, conflicts.map(({ entry, fields: clash }) => ({ who: entry.manager, how: entry.operation, paths: pathsOf(clash) }))) // prettier-ignore
  const theirs = others.map(({ fieldsV1 }) => fieldsV1).reduce(union, NO_FIELDS)
  const dropped = difference(difference(ofManager(entries, by), fields), theirs)
  const merged = merge(withoutFields(live ?? {}, dropped), sent)
  return { object: merged, manager: { ...by, fields } }
}

/** Mappings are merged, anything else takes the place. */
function merge(value: unknown, change: Record<string, unknown>): Record<string, unknown> {
  const merged = new Map(isRecord(value) ? Object.entries(value) : [])
  for (const [field, next] of Object.entries(change)) {
    merged.set(field, isRecord(next) ? merge(merged.get(field), next) : next)
  }
  return Object.fromEntries(merged)
}

function conflict(
  { kind, name = '' }: Target,
  conflicts: readonly { who: string; how: string; paths: string[] }[],
): Refusal {
  const count = conflicts.reduce((sum, { paths }) => sum + paths.length, 0)
  const told = conflicts.map(({ who, how, paths }) => {
    const using = how === 'Update' ? ' using Update' : ''
    return paths.length === 1
      ? `conflict with "${who}"${using}: ${paths[0]!}`
      : `conflicts with "${who}"${using}:\n${paths.map((path) => `- ${path}`).join('\n')}`
  })
  const heading = count === 1 ? 'Apply failed with 1 conflict' : `Apply failed with ${count} conflicts`
  const causes = conflicts.flatMap(({ who, how, paths }) =>
    paths.map((field) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with "${who}"${how === 'Update' ? ' using Update' : ''}`,
      field,
    })),
  )
  return new Refusal(409, 'Conflict', `${heading}: ${told.join('\n')}`, { ...detailsOf(kind, name), causes })
}
