// What `explain` says of a part of a filter, and how the reasons of parts make that of the whole.

/** A part of a filter, and what it says of an event. */
export interface Clause {
  /** What it asks, such as `type is "com.example.order"`; `all of`, `one of` and `not` of those in {@link of}. */
  readonly asks: string
  readonly passes: boolean
  /** What the event has, as words behind the name of what was looked at; absent where there are parts. */
  readonly found?: string
  /** The error of an expression: no match, whatever it asks. */
  readonly error?: string
  /** Its parts. */
  readonly of: readonly Clause[]
  /** Why it passes, or does not, in as few words as there are. */
  readonly reason: Reason
}

/** Words, and of how many facts they are. */
export interface Reason {
  readonly text: string
  readonly facts: number
}

/** Of those that all have to pass, or one of them. */
export function listClause(kind: 'all' | 'any', of: readonly Clause[]): Clause {
  if (of.length === 0) {
    const asks = kind === 'all' ? 'every event' : 'no event'
    return { asks, passes: kind === 'all', of, reason: { text: `it asks for ${asks}`, facts: 0 } }
  }
  if (of.length === 1) return of[0]!
  const passes = kind === 'all' ? of.every((each) => each.passes) : of.some((each) => each.passes)
  // Passing needs all of `all`, and one of `any`; failing the other way round.
  const decides = (kind === 'all') === passes
  const reasons = of.filter((each) => each.passes === passes).map(({ reason }) => reason)
  return {
    asks: kind === 'all' ? 'all of' : 'one of',
    passes,
    of,
    reason: decides ? together(reasons) : smallest(reasons),
  }
}

/** What must not pass. */
export function notClause(of: Clause): Clause {
  const { reason } = of
  const text = of.passes ? `${reason.text}, and that is excluded` : reason.text
  return { asks: 'not', passes: !of.passes, of: [of], reason: { ...reason, text } }
}

/** The one of them that says it in the fewest facts. */
export function smallest(reasons: readonly Reason[]): Reason {
  return reasons.reduce((least, each) => (isSmaller(each, least) ? each : least))
}

function isSmaller(a: Reason, b: Reason): boolean {
  return a.facts < b.facts || (a.facts === b.facts && a.text.length < b.text.length)
}

/** All of them. */
export function together(reasons: readonly Reason[]): Reason {
  const facts = reasons.reduce((sum, each) => sum + each.facts, 0)
  const texts = [...new Set(reasons.map(({ text }) => text))]
  const more = texts.length - REASONS_SHOWN_MAX
  const told = more > 0 ? [...texts.slice(0, REASONS_SHOWN_MAX), `and ${more} more`] : texts
  return { text: told.join('; '), facts }
}

/** Of a list of many; who wants them all looks at the clauses. */
const REASONS_SHOWN_MAX = 3
