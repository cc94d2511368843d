// What was saved of each subscription, and what the log has had since: together they are where each stands now.

import type { SegmentStore } from '@sluice/segments'
import { takersEnd, takersKey, takersOf } from './entry.ts'
import type { SavedProgress } from './progress-codec.ts'
import type { Appended } from './publication.ts'
import { isIdle, type SavedPending, type SavedState } from './saved.ts'
import { remainingMs } from './wall-clock.ts'

/**
 * Each subscription as it stands when the log is opened.
 *
 * @param now by this process's clock, which all due times go by from here on
 */
export async function bringUpToDate(
  store: SegmentStore<Appended>,
  saved: SavedProgress,
  now: number,
): Promise<SavedState[]> {
  const waiting = await countWaiting(store, saved)
  const first = store.segments[0]?.first ?? store.next
  return Array.from(saved.states.values(), (before): SavedState => {
    const state = takenBack(before, store.next)
    const known = state.isRewound ? 0 : state.waiting
    const counted = { ...state, waiting: known + (waiting.get(state.number) ?? 0) }
    const position = positionOf(state, counted.waiting, { first, committed: saved.committed, next: store.next })
    const hasMissed = state.missed !== undefined && state.missed.until > position
    return {
      ...counted,
      position,
      // Until somebody opens it, nobody judges for it what is stored.
      missed: { from: hasMissed ? state.missed.from : store.next, until: Infinity },
      pending: new Map(Array.from(state.pending, ([seq, each]) => [seq, dueBy(each, saved.savedAt, now)])),
    }
  })
}

/** What was about to be stored when it was saved may not have been: those numbers are given again. */
function takenBack(state: SavedState, next: number): SavedState {
  return { ...state, position: Math.min(state.position, next), judgesUntil: Math.min(state.judgesUntil, next) }
}

function positionOf(
  state: SavedState,
  waiting: number,
  { first, committed, next }: { first: number; committed: number; next: number },
): number {
  if (state.isRewound) return Math.max(state.position, first) // before that, all is settled: else it would be there
  if (!isIdle(state)) return state.position
  // It is not stated again as long as nothing comes for it.
  return waiting === 0 ? next : Math.max(state.position, committed + 1)
}

function dueBy(pending: SavedPending, savedAt: number, now: number): SavedPending {
  return pending.isParked ? { ...pending, due: now + remainingMs(pending.due, savedAt, now) } : pending
}

/** How many events wait for each subscription that were committed after its progress was last saved. */
async function countWaiting(store: SegmentStore<Appended>, saved: SavedProgress): Promise<Map<number, number>> {
  const { states, committed } = saved
  const waiting = new Map<number, number>()
  let from = committed + 1
  for (const { isRewound, position } of states.values()) if (isRewound) from = Math.min(from, position)
  for (const [i, segment] of store.segments.entries()) {
    if ((store.segments[i + 1]?.first ?? Infinity) <= from) continue
    await store.scan(segment, ({ seq, start }, buffer) => {
      for (const number of takersOf(takersKey(buffer, start, takersEnd(buffer, start)))) {
        const state = states.get(number)
        if (state !== undefined && isUncounted(state, seq, committed))
          waiting.set(number, (waiting.get(number) ?? 0) + 1)
      }
    })
  }
  return waiting
}

function isUncounted(
  { isRewound, position, judgesUntil, missed }: SavedState,
  seq: number,
  committed: number,
): boolean {
  const isNew = seq > committed || (isRewound && seq >= position)
  return isNew && seq >= judgesUntil && (missed === undefined || seq < missed.from || seq >= missed.until)
}
