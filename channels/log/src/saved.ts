// What is saved of a subscription's progress.

/** An event that was taken and not settled. */
export interface SavedPending {
  readonly seq: number
  /** Offset of its frame in its segment. */
  readonly offset: number
  /** Bytes of its frame. */
  readonly bytes: number
  /** Tries made. 0: it was out, or about to be. */
  tries: number
  /** With tries: when it is due again, wall-clock ms. */
  due: number
  /** With tries and `order: key`: the key that it holds. */
  key: string | undefined
}

/** Where the reading of a subscription stands. */
export interface SavedCursor {
  /** Everything before it is taken, or not for this subscription. */
  readonly position: number
  /** Up to here, not included, it judges by its own filter what it reads, for nobody else did. 0: nowhere. */
  readonly judgesUntil: number
  /** Events from the cursor on that were judged to be for it. */
  readonly waiting: number
}

/** Of one subscription, what a save adds to what is saved already. */
export interface Unsaved extends SavedCursor {
  readonly number: number
  /** Given: this is all of it, and what was saved before no longer counts. */
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
  /** What was saved since then can't all be read: the state is older than what followed, and `waiting` is not known. */
  readonly isRewound: boolean
}

/** Who has progress to save. */
export interface Saver {
  /** What has changed since the last call; it counts as saved, unless {@link saveFailed} follows. */
  takeUnsaved(): Unsaved
  /** The next {@link takeUnsaved} has all of it, and should come soon. */
  saveFailed(): void
  /** The next {@link takeUnsaved} has all of it. */
  saveAll(): void
}

/** For a subscription that nobody has opened yet: it stays as it was saved. */
export function unopenedSaver({ pending, ...state }: SavedState): Saver {
  return {
    takeUnsaved: () => ({ ...state, pending: [...pending.values()], settled: [] }),
    saveFailed: () => {},
    saveAll: () => {},
  }
}
