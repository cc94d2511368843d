// Columns that many kinds show, as Knative's tables have them (KNATIVE.md 1.1, 4.2).

import { readyCondition } from './conditions.ts'
import type { Column } from './kind.ts'
import type { Path } from './problem.ts'
import { isRecord, type Resource } from './resource.ts'

/** Its age; the only column of a kind that names none. */
export const AGE: Column = {
  name: 'Age',
  description: 'How long ago it was created.',
  type: 'date',
  value: ({ metadata }) => metadata.creationTimestamp,
}

/** Ready, and why not. */
export const READINESS: readonly Column[] = [
  {
    name: 'Ready',
    description: 'Whether all is well with it.',
    value: ({ status }) => readyCondition(status?.conditions)?.status,
  },
  {
    name: 'Reason',
    description: 'Why not, in one word.',
    value: ({ status }) => readyCondition(status?.conditions)?.reason,
  },
]

/** What stands at a path. */
export function column(name: string, path: Path, description: string): Column {
  return { name, description, value: (resource) => valueAt(resource, path) }
}

/** What stands at a path of a resource; `undefined` where there is nothing. */
export function valueAt(resource: Resource, path: Path): unknown {
  let value: unknown = resource
  for (const step of path) {
    if (Array.isArray(value)) value = value[Number(step)]
    else value = isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined
  }
  return value
}
