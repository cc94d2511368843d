// What may be wrong with a filter: every problem with its code, its place and what to do, all in one error.

import { SluiceError } from '@sluice/event'

/** The codes of this package. One never gets a second meaning; README.md says what each means. */
export type FilterCode =
  | 'SLUICE_FILTER_INVALID'
  | 'SLUICE_FILTER_UNKNOWN_DIALECT'
  | 'SLUICE_FILTER_MULTIPLE_DIALECTS'
  | 'SLUICE_FILTER_EMPTY'
  | 'SLUICE_FILTER_INVALID_NAME'
  | 'SLUICE_FILTER_INVALID_VALUE'
  | 'SLUICE_FILTER_INVALID_POINTER'
  | 'SLUICE_FILTER_UNKNOWN_TEST'
  | 'SLUICE_FILTER_CESQL_SYNTAX'
  | 'SLUICE_FILTER_UNKNOWN_FUNCTION'
  | 'SLUICE_FILTER_NOT_BOOLEAN'
  | 'SLUICE_FILTER_AMBIGUOUS'
  | 'SLUICE_FILTER_CONSTANT'
  | 'SLUICE_FILTER_NEVER_MATCHES'
  | 'SLUICE_FILTER_ALWAYS_MATCHES'
  | 'SLUICE_FILTER_TOO_LARGE'

/** A place in what was compiled: `[0, 'all', 1, 'exact', 'Type']`. */
export type FilterPath = readonly (string | number)[]

/** One thing that is wrong with a filter. */
export interface FilterProblem {
  readonly code: FilterCode
  /** From the value that the compiling function was given. */
  readonly path: FilterPath
  /** Whether the word at the end of the path is wrong, or what stands there. */
  readonly at: 'key' | 'value'
  /** Of an expression: the place in its text, in UTF-16 units. */
  readonly offset?: number
  /** What is wrong; in Knative's words where it has some (KNATIVE.md A.3), and then without a full stop. */
  readonly message: string
  /** What to do. */
  readonly hint?: string
}

/**
 * A filter that can't be compiled: status 422, not retryable. Its code is that of its problems where they all have
 * the same one, else `SLUICE_FILTER_INVALID`; its `subject` is the place of the first.
 */
export class FilterError extends SluiceError {
  /** Everything that is wrong, in the order in which it is written; at least one. */
  readonly problems: readonly FilterProblem[]

  constructor(problems: readonly [FilterProblem, ...FilterProblem[]]) {
    const [{ code, path }] = problems
    const shared = problems.every((problem) => problem.code === code) ? code : 'SLUICE_FILTER_INVALID'
    super(shared, problems.map(sentence).join('\n'), { status: 422, subject: pathText(path) })
    this.name = 'FilterError'
    this.problems = problems
  }
}

/** Returns where nothing is wrong, and throws a {@link FilterError} where something is. */
export function refuseProblems(problems: readonly FilterProblem[]): void {
  const [first, ...others] = problems
  if (first !== undefined) throw new FilterError([first, ...others])
}

function sentence({ path, message, hint }: FilterProblem): string {
  const place = pathText(path)
  return `${place}${place === '' ? '' : ': '}${message}${hint === undefined ? '' : `. ${hint}`}`
}

/** `filters[0].all[1].exact.Type`; a key that is no plain word stands in brackets. */
function pathText(path: FilterPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (!/^[\w-]+$/.test(step)) text += `[${quote(step)}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}

/** What somebody wrote, as a message shows it: in quotes, control characters escaped, cut after 64 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}
