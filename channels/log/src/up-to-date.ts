// What was saved of each subscription, and what the log has had since: together they are where each stands now.

import type { Lag } from '@sluice/channel'
import type { SegmentStore } from '@sluice/segments'
import type { Indexes } from './indexes.ts'
import type { SavedProgress } from './progress-codec.ts'
import type { Appended } from './publication.ts'
import { andFrom, contains, countIn, within } from './ranges.ts'
import { isIdle, type SavedPending, type SavedState } from './saved.ts'
import { remainingMs } from './wall-clock.ts'

/**
 * Each subscription as it stands when the log is opened.
 *
 * @param now by this process's clock, which all due times go by from here on
 */
export async function bringUpToDate(
  store: SegmentStore<Appended>,
  indexes: Indexes,
  saved: SavedProgress,
  now: number,
): Promise<SavedState[]> {
  const states = Array.from(saved.states.values(), (state) => asItStood(state, saved.counted, store.next))
  const waiting = await countWaiting(store, indexes, states)
  const first = store.segments[0]?.first ?? store.next
  return states.map((state) => {
    const since = waiting.get(state.number) ?? 0
    const position = positionOf(state, since, first, store.next)
    return {
      ...state,
      position,
      waiting: since + (state.isRewound ? 0 : state.waiting),
      // Until somebody opens it, nobody judges for it what is stored.
      missed: andFrom(within(state.missed, position, Infinity), store.next),
      pending: new Map(Array.from(state.pending, ([seq, each]) => [seq, dueBy(each, saved.savedAt, now)])),
    }
  })
}

function asItStood(state: SavedState, counted: number, next: number): SavedState {
  const { committed, position, judgesUntil, missed } = state
  return {
    ...state,
    committed: Math.max(committed, counted),
    // What was about to be stored when it was saved may not have been: those numbers are given again.
    position: Math.min(position, next),
    judgesUntil: Math.min(judgesUntil, next),
    missed: within(missed, 0, next),
  }
}

/** `since`: how many events have come for it since it stood so. */
function positionOf(state: SavedState, since: number, first: number, next: number): number {
  const { isRewound, position, committed } = state
  if (isRewound) return Math.max(position, first) // before that, all is settled: else it would be there
  if (!isIdle(state)) return position
  // It is not stated again as long as nothing comes for it.
  return since === 0 ? next : Math.max(position, committed + 1)
}

function dueBy(pending: SavedPending, savedAt: number, now: number): SavedPending {
  return pending.isParked ? { ...pending, due: now + remainingMs(pending.due, savedAt, now) } : pending
}

/**
 * How many events wait for each subscription that were committed after its progress was last saved, by its number. That is
 * the end of the last segment, whose index the open has made already; only where progress was lost is there more to read.
 */
async function countWaiting(
  store: SegmentStore<Appended>,
  indexes: Indexes,
  states: readonly SavedState[],
): Promise<Map<number, number>> {
  const byNumber = new Map(states.map((state) => [state.number, state]))
  const from = Math.min(...states.map(countedFrom))
  const waiting = new Map<number, number>()
  for (const [i, segment] of store.segments.entries()) {
    if ((store.segments[i + 1]?.first ?? store.next) <= from) continue
    const index = indexes.get(segment) ?? (await indexes.load(segment))
    for (let seq = Math.max(from, segment.first); seq < index.end; seq++) {
      if (index.offset(seq) === 0) continue
      for (const number of index.takers(seq)) {
        const state = byNumber.get(number)
        if (state === undefined || !isUncounted(state, seq)) continue
        waiting.set(number, (waiting.get(number) ?? 0) + 1)
      }
    }
  }
  return waiting
}

function isUncounted(state: SavedState, seq: number): boolean {
  return seq >= countedFrom(state) && seq >= state.judgesUntil && !contains(state.missed, seq)
}

/** From where on nobody has counted yet what waits for it. */
function countedFrom({ isRewound, position, committed }: SavedState): number {
  return isRewound ? position : Math.max(position, committed + 1)
}

/** What subscriptions have still to settle, all of them together. */
export type ToDeliver = Pick<Lag, 'events' | 'bound'>

/** Of what is stored up to `last`. */
export function toDeliver(states: readonly SavedState[], last: number): ToDeliver {
  let events = 0
  let isExact = true
  for (const { position, judgesUntil, missed, waiting, pending, isAtMost } of states) {
    const judges = Math.max(0, Math.min(judgesUntil, last + 1) - position)
    const unjudged = judges + countIn(missed, Math.max(position, judgesUntil), last)
    events += waiting + pending.size + unjudged
    isExact &&= unjudged === 0 && !isAtMost
  }
  return { events, bound: isExact ? 'exact' : 'atMost' }
}
