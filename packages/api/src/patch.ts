// A patch, in any of its four forms, applied to what is there.

import { isRecord, type Resource } from '@sluice/resource'
import { applied } from './apply.ts'
import { objectFor } from './admission.ts'
import type { Target } from './catalog.ts'
import { badRequest, notFound, unsupportedMediaType } from './errors.ts'
import type { Fields } from './fields.ts'
import type { Manager } from './managed-fields.ts'
import { jsonPatched, mergePatched } from './merge.ts'
import { presentAll } from './present.ts'
import { strategicPatched } from './strategic.ts'

const JSON_PATCH = 'application/json-patch+json'
const MERGE_PATCH = 'application/merge-patch+json'
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json'
const APPLY_PATCH = 'application/apply-patch+yaml'

/** What a patch may be. */
export const PATCH_TYPES: readonly string[] = [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH]

/** What a patch comes to. */
export interface Patched {
  readonly object: Record<string, unknown>
  readonly manager: Manager & { readonly fields?: Fields }
}

/**
 * The object that a patch makes of what is there.
 *
 * @throws Refusal 404 where there is nothing, and the patch is none that creates; 400, 409, 415 or 422 by its form
 */
export function patched(
  { value, contentType }: { value: unknown; contentType: string },
  current: Resource | undefined,
  target: Target,
  manager: { name: string; force: boolean },
): Patched {
  const { kind, version, name = '' } = target
  const live = current && { ...presentAll(current, kind, version) }
  if (contentType === APPLY_PATCH) {
    if (isRecord(value) && isRecord(value['metadata']) && value['metadata']['managedFields'] !== undefined) {
      throw badRequest('metadata.managedFields must be nil')
    }
    return applied(objectFor(target, value), live, current, manager, target)
  }
  if (live === undefined) throw notFound(kind, name)
  const object = changed(live, value, contentType, target)
  if (!isRecord(object)) throw badRequest('the patch makes no object of it')
  return { object, manager: { name: manager.name, operation: 'Update' } }
}

function changed(live: Record<string, unknown>, value: unknown, contentType: string, { kind }: Target): unknown {
  switch (contentType) {
    case JSON_PATCH:
      return jsonPatched(live, value)
    case MERGE_PATCH:
      if (!isRecord(value)) throw badRequest('a merge patch has to be an object')
      return mergePatched(live, value)
    default:
      // As in Kubernetes: of what a CustomResourceDefinition would declare, no server knows how its lists are merged.
      if (/\.(dev|com)$/.test(kind.group)) throw unsupportedMediaType(contentType, PATCH_TYPES.filter((type) => type !== STRATEGIC_PATCH)) // prettier-ignore
      if (!isRecord(value)) throw badRequest('a strategic merge patch has to be an object')
      return strategicPatched(live, value)
  }
}
