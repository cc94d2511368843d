// A Trigger's filter and filters, judged by @sluice/filter: it knows the dialects.

import { checkTrigger, type FilterProblem } from '@sluice/filter'
import type { Report } from './kind.ts'
import { isRecord } from './resource.ts'

/**
 * Reports all that is wrong with `filter` and `filters` of a Trigger's spec, and warns of what is probably not meant.
 *
 * @param fields those of the spec, to tell one that was indented under `filter` by mistake
 */
export function checkFilters(
  spec: Readonly<Record<string, unknown>>,
  fields: ReadonlySet<string>,
  report: Report,
): void {
  warnOfIgnored(spec, report)
  const { problems, warnings } = checkTrigger(spec)
  for (const problem of problems) {
    const hint = misplaced(problem.path, problem.at, fields) ?? problem.hint
    report({ ...problem, path: ['spec', ...problem.path], ...(hint !== undefined && { hint }) })
  }
  for (const warning of warnings) report({ severity: 'warning', ...warning, path: ['spec', ...warning.path] })
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
