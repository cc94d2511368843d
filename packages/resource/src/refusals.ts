// Why a resource can't take the place of what stands there: it is another source's, somebody changed it meanwhile, or it
// would change what may not change as long as it lives.

import { isDeepStrictEqual } from 'node:util'
import { valueAt } from './columns.ts'
import { findKind } from './kinds/index.ts'
import { pathText, type Path, type Problem } from './problem.ts'
import { groupOf, identityOf, isRecord, nameOf, type Declared, type Origin, type Resource } from './resource.ts'
import { show } from './schema.ts'

/** What stands there. */
export interface Entry {
  readonly resource: Resource
  readonly origin: Origin | undefined
  /** Whose it is: `files` or `api`. */
  readonly source: string
  /** What it was made from: who brings the same object again changes nothing. */
  readonly written: Resource
}

/** Whether it was written last by that source, as this very object. */
export function isAsWritten(stored: Entry | undefined, resource: Resource, source: string): boolean {
  return stored?.written === resource && stored.source === source
}

/** Who wants to write it. */
export interface Writer {
  readonly source: string
  /** Where a path of the resource stands, for problems. Default: the resource's origin. */
  readonly locate?: (declared: Declared, path: Path) => Origin
}

/** Everything that speaks against it; empty where nothing does. */
export function refusals(declared: Declared, stored: Entry | undefined, writer: Writer): Problem[] {
  const { resource } = declared
  if (isAsWritten(stored, resource, writer.source)) return []
  const current = stored?.resource
  const wanted = resource.metadata.resourceVersion
  if (wanted !== '' && wanted !== current?.metadata.resourceVersion) {
    return [problem(declared, writer, ['metadata', 'resourceVersion'], conflict(wanted, current))]
  }
  if (stored === undefined) return []
  if (stored.source !== writer.source) return [problem(declared, writer, ['metadata', 'name'], owned(stored))]
  return immutableChanges(stored.resource, resource).map(({ path, ...said }) => problem(declared, writer, path, said))
}

interface Said {
  readonly code: string
  readonly message: string
  readonly hint: string
}

function problem(declared: Declared, { source, locate }: Writer, path: Path, said: Said): Problem {
  const place = locate?.(declared, path) ?? declared.origin ?? { file: source, line: 0, column: 0 }
  return {
    severity: 'error',
    ...place,
    resource: nameOf(identityOf(declared.resource)),
    path: pathText(path),
    ...said,
  }
}

function conflict(wanted: string, current: Resource | undefined): Said {
  const version = current?.metadata.resourceVersion ?? 'none'
  return {
    code: 'SLUICE_RESOURCE_CONFLICT',
    message: `The object has been modified: it is at resourceVersion ${version}, not ${wanted}.`,
    hint: 'Get it again, and apply the change to that.',
  }
}

/** That it is another source's. */
export function owned({ origin, source }: Pick<Entry, 'origin' | 'source'>): Said {
  const owner = origin !== undefined ? `${origin.file}:${origin.line}` : source === 'api' ? 'the API' : source
  return {
    code: 'SLUICE_RESOURCE_OWNED',
    message: `It belongs to ${owner} already.`,
    hint:
      source === 'api'
        ? 'Delete it there (kubectl delete), or choose another name.'
        : 'Change it there, or choose another name.',
  }
}

/** Knative's text (A.3); spec 9, 10, 18. */
function immutableChanges(before: Resource, after: Resource): (Said & { readonly path: Path })[] {
  const kind = findKind(groupOf(after.apiVersion), after.kind)
  return (kind?.immutable ?? []).flatMap((path) => {
    const [old, now] = [valueAt(before, path), valueAt(after, path)]
    if (isDeepStrictEqual(old, now)) return []
    const what = path[1] === 'annotations' ? 'annotations' : 'fields'
    const shown = path[1] === 'annotations' ? 'annotations' : pathText(path)
    return [
      {
        code: 'SLUICE_RESOURCE_IMMUTABLE',
        path,
        message: `Immutable ${what} changed (-old +new): ${shown}\n-${shortly(old)}\n+${shortly(now)}`,
        hint: `${pathText(path)} can't be changed: delete the ${after.kind} and create it again.`,
      },
    ]
  })
}

function shortly(value: unknown): string {
  return isRecord(value) ? JSON.stringify(value).slice(0, 200) : show(value)
}
