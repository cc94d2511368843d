// An event's data seen as JSON, on demand.

import type { Event } from './event.ts'

/** The data parsed as JSON, or `undefined`. */
export function parseJsonData(event: Event): unknown {
  return event.data === undefined ? undefined : JSON.parse(event.data.toString('utf8'))
}
