// Names are looked up once for all who ask meanwhile. The system's resolver runs on a few threads that all names share: one
// whose server hangs would have all of them, with every connection that is wanted there (fault 25).

import type { LookupFunction } from 'node:net'
import type { Clock } from '@sluice/clock'

/**
 * As `lookup`, with one call under way for each name.
 *
 * @param joinedMs one that hangs for longer is not waited for by anybody new: another is made beside it
 */
export function sharedLookup(lookup: LookupFunction, clock: Clock, joinedMs: number): LookupFunction {
  const underWay = new Map<string, { readonly sinceMs: number; readonly waiting: Parameters<LookupFunction>[2][] }>()
  return (hostname, options, found) => {
    const name = `${hostname} ${String(options.family)} ${options.hints} ${options.all}`
    const nowMs = clock.monotonic()
    const joined = underWay.get(name)
    if (joined !== undefined && nowMs - joined.sinceMs <= joinedMs) return void joined.waiting.push(found)
    const own = { sinceMs: nowMs, waiting: [found] }
    underWay.set(name, own)
    lookup(hostname, options, (...answer) => {
      if (underWay.get(name) === own) underWay.delete(name)
      for (const each of own.waiting) each(...answer)
    })
  }
}
