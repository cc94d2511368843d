// How many events of which type have come in, on the disk: beside the log of their Broker, so that it holds after a restart,
// and goes with the Broker. Written now and then; what came in since then is not counted after a crash.
//
//     brokers/<uid>/event-types.json    {"others": 0, "types": [["", "order.created", "/shop", 12, 1764360000000, ...], ...]}

import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import type { HubTypes } from './hub-types.ts'

/** Owner of the place, type, source, events, first and last, as in tallies.ts. */
type Row = readonly [owner: string, type: string | null, source: string | null, events: number, first: number, last: number] // prettier-ignore

/** What was counted before, by {@link rowKey}. */
export interface KeptCounts {
  readonly others: number
  readonly rows: Map<string, Row>
}

export function rowKey(owner: string, type: string | undefined, source: string | undefined): string {
  return JSON.stringify([owner, type ?? null, source ?? null])
}

const FILE = 'event-types.json'

/** Those in the folder of a Broker; none where there are none, or they can't be read: they are no more than numbers. */
export function readCounts(folder: string): KeptCounts {
  const rows = new Map<string, Row>()
  try {
    const { others, types } = JSON.parse(readFileSync(`${folder}/${FILE}`, 'utf8')) as { others: number; types: Row[] }
    for (const row of types) {
      const [owner, type, source] = row
      if (row.slice(3).every(Number.isFinite) && row.length === 6)
        rows.set(rowKey(owner, type ?? undefined, source ?? undefined), row)
    }
    return { others: Number.isFinite(others) ? others : 0, rows }
  } catch {
    return { others: 0, rows }
  }
}

/** Writes them whole, or leaves those that are there. */
export async function writeCounts(folder: string, hub: HubTypes): Promise<void> {
  const types: Row[] = []
  for (const place of hub.places()) {
    for (const { type, source, events, firstMs, lastMs } of place.all()) {
      if (events > 0) types.push([place.owner, type ?? null, source ?? null, events, firstMs, lastMs])
    }
  }
  const path = `${folder}/${FILE}`
  await writeFile(`${path}.new`, `${JSON.stringify({ others: hub.others, types })}\n`)
  await rename(`${path}.new`, path)
}
