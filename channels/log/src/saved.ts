// What is saved of a subscription's progress.

import { endOf, type Range } from './ranges.ts'

/** An event that was taken and not settled. */
export interface SavedPending {
  readonly seq: number
  /** Offset of its frame in its segment. */
  readonly offset: number
  /** Bytes of its frame. */
  readonly bytes: number
  /** Tries made. */
  tries: number
  /** It was released; otherwise it was out, or about to be. */
  isParked: boolean
  /** Where it is parked: when it is due again, in ms by the log's clock (./wall-clock.ts). */
  due: number
  /** Where it is parked, and `order` is `key`: the key that it holds. */
  key: string | undefined
}

/** Where the reading of a subscription stands. */
export interface SavedCursor {
  /** Everything before it is taken, or not for this subscription. */
  readonly position: number
  /** Up to here, not included, it judges by its own filter what it reads, for nobody else did. 0: nowhere. */
  readonly judgesUntil: number
  /** What was stored while nobody had the subscription open, in several lives of the process: that too it judges. */
  readonly missed: readonly Range[]
  /** Events from the cursor on that were judged to be for it. */
  readonly waiting: number
  /** There may be fewer: some are lost. */
  readonly isAtMost: boolean
  /** From the cursor on, events that are taken already and not to be taken twice. */
  readonly skipped: readonly number[]
}

/** Of one subscription, what a save adds to what is saved already. */
export interface Unsaved extends SavedCursor {
  readonly number: number
  /** Given: this is all of it, and what was saved before no longer counts. Otherwise `skipped` is as it was. */
  readonly id: string | undefined
  /** New ones, and those that have changed. */
  readonly pending: readonly SavedPending[]
  /** Sequence numbers of saved ones that are settled. */
  readonly settled: readonly number[]
}

/** One subscription as it was saved. */
export interface SavedState extends SavedCursor {
  readonly number: number
  readonly id: string
  readonly pending: Map<number, SavedPending>
  /** The last sequence number that was committed when it stood so. */
  readonly committed: number
  /** What was saved since then can't all be read: the state is older than what followed, and `waiting` is not known. */
  readonly isRewound: boolean
}

/** Who has progress to save. */
export interface Saver {
  /** What has changed since the last call. {@link wasSaved} or {@link saveFailed} follows. */
  takeUnsaved(): Unsaved
  wasSaved(): void
  /** The next {@link takeUnsaved} has all of it, and should come soon. */
  saveFailed(): void
  /** The next {@link takeUnsaved} has all of it. */
  saveAll(): void
}

/** For a subscription that nobody has opened yet: it stays as it was saved. */
export function unopenedSaver({ pending, ...state }: SavedState): Saver {
  return {
    takeUnsaved: () => ({ ...state, pending: [...pending.values()], settled: [] }),
    wasSaved: () => {},
    saveFailed: () => {},
    saveAll: () => {},
  }
}

/** Whether there is nothing for it but what it has taken: wherever it stands, it needs nothing that is stored by now. */
export function isIdle({ position, judgesUntil, missed, waiting }: SavedCursor): boolean {
  return waiting === 0 && judgesUntil <= position && endOf(missed) <= position
}
