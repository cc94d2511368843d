// What is wrong with what somebody wrote, and how it is told: code, place, what was wrong, what to do.

import type { Origin } from './resource.ts'

/** A place inside a resource: `['spec', 'filters', 0, 'exact']`. */
export type Path = readonly (string | number)[]

/** Whether it keeps the resource out, or is only worth knowing. */
export type Severity = 'error' | 'warning'

/** Something that a check of a resource found, before it has a place in a file. */
export interface Finding {
  readonly severity: Severity
  readonly code: string
  readonly path: Path
  /** Whether the word at the end of the path is wrong, or what stands there. Default `value`. */
  readonly at?: 'key' | 'value'
  /** Of a text that stands there: the character that is wrong, in UTF-16 units. */
  readonly offset?: number
  /** What is wrong, as one sentence without its full stop where it is Knative's own. */
  readonly message: string
  /** What to do. */
  readonly hint?: string
}

/** A finding at its place. */
export interface Problem extends Origin {
  readonly severity: Severity
  /** `SLUICE_RESOURCE_...` or a code of another package; never gets a second meaning. */
  readonly code: string
  /** Such as `Trigger default/big-orders`, where that is known. */
  readonly resource?: string
  /** Inside the resource, such as `spec.filters[0].exact`. */
  readonly path?: string
  readonly message: string
  readonly hint?: string
  /** The line of the source, for {@link formatProblems}. Never one of a file that holds a Secret. */
  readonly excerpt?: string
}

/** `spec.filters[0].exact`; a key that is no plain word stands in brackets: `metadata.labels["a/b"]`. */
export function pathText(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (!/^[\w-]+$/.test(step)) text += `[${JSON.stringify(step)}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}

/**
 * The problems as text for a terminal, in the order given, with a line of the source and a caret under it:
 *
 *     SLUICE_RESOURCE_UNKNOWN_FIELD  triggers.yaml:7:3, Trigger default/big-orders
 *       unknown field "spec.subscribr". Did you mean subscriber?
 *         7 |   subscribr:
 *           |   ^
 */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(formatProblem).join('\n\n')
}

function formatProblem(problem: Problem): string {
  const { file, line, column, code, resource, severity, message, hint, excerpt } = problem
  const place = line === 0 ? file : `${file}:${line}:${column}`
  const heading = `${code}  ${place}${resource === undefined ? '' : `, ${resource}`}`
  const lines = [severity === 'warning' ? `${heading} (warning)` : heading]
  lines.push(
    ...toldAs(message, hint)
      .split('\n')
      .map((text) => `  ${text}`),
  )
  if (excerpt !== undefined) {
    const number = String(line)
    lines.push(`    ${number} | ${excerpt}`, `    ${' '.repeat(number.length)} | ${' '.repeat(column - 1)}^`)
  }
  return lines.map((text) => text.replace(CONTROL, '\u{FFFD}')).join('\n')
}

/** What is wrong and what to do: on one line, unless the message itself has several, as a difference has. */
export function toldAs(message: string, hint: string | undefined): string {
  if (hint === undefined) return message
  if (message.includes('\n')) return `${message}\n${hint}`
  return `${message}${/[.?!]$/.test(message) ? '' : '.'} ${hint}`
}

/** What a file could send to the reader's terminal: control characters, and those that reorder text (Trojan Source). */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g
