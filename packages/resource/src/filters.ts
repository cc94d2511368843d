// A Trigger's filter and filters, judged by @sluice/filter: it knows the dialects.

import { compileTrigger, FilterError, type FilterProblem } from '@sluice/filter'
import type { Report } from './kind.ts'
import { isRecord } from './resource.ts'

/**
 * Reports all that is wrong with `filter` and `filters` of a Trigger's spec.
 *
 * @param fields those of the spec, to tell one that was indented under `filter` by mistake
 */
export function checkFilters(
  spec: Readonly<Record<string, unknown>>,
  fields: ReadonlySet<string>,
  report: Report,
): void {
  warnOfIgnored(spec, report)
  try {
    compileTrigger(spec)
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    for (const { code, path, at, message, ...problem } of error.problems) {
      const hint = misplaced(path, at, fields) ?? problem.hint
      report({ code, path: ['spec', ...path], at, message, ...(hint !== undefined && { hint }) })
    }
  }
}

/** Knative reads `filter` only where `filters` is empty (KNATIVE.md 1.1). */
function warnOfIgnored({ filter, filters }: Readonly<Record<string, unknown>>, report: Report): void {
  const attributes = isRecord(filter) && isRecord(filter['attributes']) ? filter['attributes'] : {}
  if (Object.keys(attributes).length === 0 || !Array.isArray(filters) || filters.length === 0) return
  report({
    severity: 'warning',
    code: 'SLUICE_RESOURCE_FILTER_IGNORED',
    path: ['spec', 'filter'],
    at: 'key',
    message: 'spec.filter is ignored: where there are spec.filters, they alone decide (as in Knative).',
    hint: 'Remove it, or put its attributes into spec.filters as one more "- exact: {...}".',
  })
}

function misplaced(
  path: FilterProblem['path'],
  at: FilterProblem['at'],
  fields: ReadonlySet<string>,
): string | undefined {
  const [where, field] = path
  if (where !== 'filter' || path.length !== 2 || at !== 'key' || !fields.has(String(field))) return undefined
  return `${field} is known as spec.${field}: check the indentation.`
}
