// Two of the ways to say what is to be changed: JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902).

import { isRecord } from '@sluice/resource'
import { applyPatch, type Operation } from 'rfc6902'
import { badRequest, Refusal } from './errors.ts'

/** As Kubernetes has it. */
const OPERATIONS_MAX = 10_000

/** RFC 7396: `null` removes, a mapping is merged, anything else takes the place. */
export function mergePatched(value: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch
  const merged = new Map(isRecord(value) ? Object.entries(value) : [])
  for (const [field, change] of Object.entries(patch)) {
    if (change === null) merged.delete(field)
    else merged.set(field, mergePatched(merged.get(field), change))
  }
  return Object.fromEntries(merged) // own properties, whatever their names (threat 14)
}

/**
 * RFC 6902. `value` stays as it is.
 *
 * @throws Refusal 400 where it is none, 422 where it can't be applied
 */
export function jsonPatched(value: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch) || !patch.every(isOperation)) {
    throw badRequest(
      'a JSON patch has to be a list of operations, each with op and path, such as {"op":"remove","path":"/spec/delivery"}',
    )
  }
  if (patch.length > OPERATIONS_MAX) {
    throw new Refusal(
      413,
      'RequestEntityTooLarge',
      `a JSON patch has at most ${OPERATIONS_MAX} operations, not ${patch.length}`,
    )
  }
  const patched = { root: structuredClone(value) }
  const operations = patch.map((operation) => rooted(operation))
  const failed = applyPatch(patched, operations).findIndex((error) => error !== null)
  if (failed === -1) return patched.root
  const { op, path } = patch[failed]!
  const message = `the server rejected our request due to an error in our request: operation ${failed} (${op} ${path}) can't be applied`
  throw new Refusal(422, 'Invalid', message)
}

function isOperation(value: unknown): value is Operation {
  return isRecord(value) && typeof value['op'] === 'string' && isPointer(value['path']) && (value['from'] === undefined || isPointer(value['from'])) // prettier-ignore
}

function isPointer(value: unknown): value is string {
  return typeof value === 'string' && (value === '' || value.startsWith('/'))
}

/** Below a root, so that the whole can be replaced as well. */
function rooted(operation: Operation): Operation {
  const from = 'from' in operation ? { from: `/root${operation.from}` } : {}
  return { ...operation, path: `/root${operation.path}`, ...from }
}
