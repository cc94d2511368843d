// Status conditions, and the Ready that sums them up (KNATIVE.md 2, spec 99 to 114).

/** One condition of a resource (spec 100, 103). */
export interface Condition {
  /** Unique within a resource (spec 102); what it says when True is good news (spec 113). */
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  /** Absent = an error when it is not True; `Info` and `Warning` don't count for Ready (spec 104, 114). */
  readonly severity?: 'Warning' | 'Info'
  /** RFC 3339; given by the store, which moves it only when `status` changes. */
  readonly lastTransitionTime?: string
  /** One CamelCase word, or Knative's own words. Always there when not True (spec 111, 112). */
  readonly reason?: string
  readonly message?: string
}

/** What a reconciler found out about one condition. What isn't good news has to say why. */
export type Mark =
  | {
      readonly status: 'True'
      readonly severity?: 'Warning' | 'Info'
      readonly reason?: string
      readonly message?: string
    }
  | {
      readonly status: 'False' | 'Unknown'
      readonly severity?: 'Warning' | 'Info'
      readonly reason: string
      readonly message: string
    }

/** The condition types of a kind. */
export interface ConditionTypes {
  /** The living set: Ready is True only when all of these are (spec 104, 108). */
  readonly living: readonly string[]
  /** Shown beside them, always with a severity, so that they don't touch Ready (spec 114). */
  readonly shown?: readonly string[]
}

/**
 * The conditions of a resource, sorted by type as Knative does, with the `Ready` that follows from them: False when
 * one of the living set is False (spec 109), else Unknown when one is (spec 110), else True; reason and message are
 * those of the first condition that decided. One of the living set without a mark is Unknown (spec 107).
 *
 * @throws Error when a mark is of no type of the kind, or one outside the living set has no severity: that is our bug
 */
export function conditions(types: ConditionTypes, marks: Readonly<Record<string, Mark>>): Condition[] {
  for (const [type, { severity }] of Object.entries(marks)) {
    if (types.living.includes(type) && severity === undefined) continue
    if (types.shown?.includes(type) === true && severity !== undefined) continue
    throw new Error(`Condition ${type} is none of this kind, or has the wrong severity (${severity ?? 'none'}).`)
  }
  const living = types.living.map((type) => conditionOf(type, marks[type] ?? NOT_LOOKED_AT))
  const shown = (types.shown ?? []).flatMap((type) => (marks[type] === undefined ? [] : conditionOf(type, marks[type])))
  return [...living, ...shown, readyOf(living)].toSorted((a, b) => (a.type < b.type ? -1 : 1))
}

/** The `Ready` among conditions, if any. */
export function readyCondition(all: readonly Condition[] | undefined): Condition | undefined {
  return all?.find(({ type }) => type === 'Ready')
}

const NOT_LOOKED_AT: Mark = { status: 'Unknown', reason: 'NotReconciled', message: 'Not looked at yet' }

function readyOf(living: readonly Condition[]): Condition {
  const decides = living.find(({ status }) => status === 'False') ?? living.find(({ status }) => status === 'Unknown')
  if (decides === undefined) return { type: 'Ready', status: 'True' }
  return { ...decides, type: 'Ready' }
}

function conditionOf(type: string, mark: Mark): Condition {
  const { status, severity, reason, message } = mark
  return {
    type,
    status,
    ...(severity !== undefined && { severity }),
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
  }
}
