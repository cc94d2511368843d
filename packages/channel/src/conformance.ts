// The suite that every driver passes: each promise of the contract as a clause, judged by what the driver declares.
// What a driver lacks is tested as a refusal that names the capability and changes nothing.
//
//     channelConformance({ name: 'memory', clock: manualClock, create: (options) => ({ open: () => ... }) })

import { describe, test } from 'vitest'
import { fullClauses } from './conformance/full.ts'
import { handoverClauses } from './conformance/handover.ts'
import { orderClauses } from './conformance/order.ts'
import { progressClauses } from './conformance/progress.ts'
import { publishClauses } from './conformance/publish.ts'
import { replayClauses } from './conformance/replay.ts'
import type { Clause, ConformanceDriver } from './conformance/scene.ts'
import { runClause } from './conformance/scene.ts'
import { sightClauses } from './conformance/sight.ts'

export type { Clause, ConformanceDriver, ConformanceStore, StoreLimits, StoreOptions } from './conformance/scene.ts'
export { runClause }

/** The contract, clause by clause, under its themes. */
export const clauses: Readonly<Record<string, readonly Clause[]>> = {
  publishing: publishClauses,
  'handing over': handoverClauses,
  'order by key': orderClauses,
  progress: progressClauses,
  'going back': replayClauses,
  'what can be seen': sightClauses,
  'a full channel': fullClauses,
}

/**
 * Registers the suite with vitest, as one `describe`. Throws when `lacks` names no clause: a reason that outlived its
 * clause would hide nothing, and tell the reader something that is not so.
 */
export function channelConformance(driver: ConformanceDriver): void {
  const unknown = new Set(Object.keys(driver.lacks ?? {}))
  for (const { name } of Object.values(clauses).flat()) unknown.delete(name)
  if (unknown.size > 0) throw new Error(`"lacks" names no clause of the suite: ${[...unknown].join('; ')}`)

  describe(`the ${driver.name} channel`, () => {
    for (const [theme, ofTheme] of Object.entries(clauses)) {
      describe(theme, () => {
        for (const clause of ofTheme) {
          const reason = driver.lacks?.[clause.name]
          if (reason === undefined) test(clause.name, { timeout: 60_000 }, () => runClause(driver, clause))
          else test.skip(`${clause.name} (lacking: ${reason})`)
        }
      })
    }
  })
}
