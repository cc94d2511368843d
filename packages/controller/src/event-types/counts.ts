// What has come in of each EventType, and when: counted in memory (hot path), written into statuses and to the disk now and
// then, and given back after a restart.
//
// From: event-types.ts. Next: kept-counts.ts, the file.

import type { Clock, Timer } from '@sluice/clock'
import type { DataDirectory } from '../data.ts'
import type { HubTypes } from './hub-types.ts'
import { readCounts, rowKey, writeCounts, type KeptCounts } from './kept-counts.ts'
import type { Tally } from './tallies.ts'

/** Into statuses: so often, and so many at a time, so that who watches is not flooded. */
const SEEN_MS = 5000
const SEEN_AT_ONCE = 100
/** To the disk. */
const KEPT_MS = 30_000

export interface CountsContext {
  readonly clock: Clock
  readonly data: DataDirectory | undefined
  readonly hubs: () => Iterable<HubTypes>
  /** Writes the status of the EventType with this resource key. */
  readonly write: (key: string) => void
}

export class Counts {
  readonly #context: CountsContext
  readonly #kept = new Map<HubTypes, KeptCounts>()
  /** What has changed since it was written into statuses. */
  #marked: Tally[] = []
  #seenTimer: Timer | undefined
  #keptTimer: Timer | undefined
  #writing: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(context: CountsContext) {
    this.#context = context
  }

  /** One event; `undefined`: no EventType describes it. */
  add(hub: HubTypes, tally: Tally | undefined): void {
    hub.isChanged = true
    if (tally === undefined) {
      hub.others++
      return
    }
    const nowMs = this.#context.clock.now()
    tally.events++
    if (tally.firstMs === 0) tally.firstMs = nowMs
    tally.lastMs = nowMs
    if (!tally.isMarked) this.#mark(tally)
  }

  /** One event whose data doesn't keep to its schema. */
  addViolation(tally: Tally, problem: string): void {
    tally.violations++
    tally.violation = { timeMs: this.#context.clock.now(), problem }
    if (!tally.isMarked) this.#mark(tally)
  }

  #mark(tally: Tally): void {
    tally.isMarked = true
    this.#marked.push(tally)
    if (this.#isClosed) return
    const { clock, data } = this.#context
    this.#seenTimer ??= clock.setTimer(SEEN_MS, () => this.#writeSeen())
    if (data !== undefined) this.#keptTimer ??= clock.setTimer(KEPT_MS, () => this.#keep())
  }

  #writeSeen(): void {
    this.#seenTimer = undefined
    for (const tally of this.#marked.splice(0, SEEN_AT_ONCE)) {
      tally.isMarked = false
      for (const key of tally.eventTypes) this.#context.write(key)
    }
    if (this.#marked.length === 0) return
    this.#seenTimer = this.#context.clock.setTimer(SEEN_MS, () => this.#writeSeen())
  }

  // --- On the disk ---

  /** The Broker is declared: what was counted of it before is known from now on. */
  appeared(hub: HubTypes): void {
    for (const place of hub.places()) for (const tally of place.all()) this.restore(hub, tally)
  }

  /** Its data is gone with it. */
  removed(hub: HubTypes): void {
    this.#kept.delete(hub)
  }

  /** Gives a tally what was counted before. */
  restore(hub: HubTypes, tally: Tally): void {
    const rows = this.#keptOf(hub)?.rows
    const key = rowKey(tally.place.owner, tally.type, tally.source)
    const row = rows?.get(key)
    if (row === undefined) return
    rows!.delete(key)
    const [, , , events, firstMs, lastMs] = row
    tally.events += events
    tally.firstMs = firstMs
    tally.lastMs = Math.max(tally.lastMs, lastMs)
  }

  #keptOf(hub: HubTypes): KeptCounts | undefined {
    let counts = this.#kept.get(hub)
    if (counts !== undefined) return counts
    const folder = this.#folderOf(hub)
    if (folder === undefined) return undefined
    counts = readCounts(folder)
    hub.others += counts.others
    this.#kept.set(hub, counts)
    return counts
  }

  /** Where the Broker keeps what outlives the process. */
  #folderOf({ kind, uid }: HubTypes): string | undefined {
    const { data } = this.#context
    return uid !== undefined && data?.holds({ kind, uid }) === true ? data.brokerFolder({ kind, uid }) : undefined
  }

  #keep(): void {
    this.#keptTimer?.cancel()
    this.#keptTimer = undefined
    if (this.#context.data?.isOpen !== true) return
    for (const hub of this.#context.hubs()) {
      const folder = hub.isChanged ? this.#folderOf(hub) : undefined
      if (folder === undefined) continue
      hub.isChanged = false
      if (!this.#kept.has(hub)) this.#kept.set(hub, { others: 0, rows: new Map() }) // or it would read its own
      this.#writing = this.#writing.then(() => writeCounts(folder, hub)).catch(() => {}) // they are no more than numbers
    }
  }

  /** Resolves once they are on the disk. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#seenTimer?.cancel()
    this.#keep()
    await this.#writing
  }
}
