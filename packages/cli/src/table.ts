// What a client word prints: a table for people, as kubectl has it, or the whole answer as JSON or YAML.

import { plainNumber } from './exact-json.ts'
import type { Output } from './outputs.ts'

/** A column: its heading, and what stands there. */
export interface Column<Row> {
  readonly title: string
  /** An empty text is shown as `<none>`, as kubectl does. */
  readonly of: (row: Row) => string
}

/** How rows are printed. */
export interface Printing<Row> {
  readonly output: Output
  /** Of `table`. */
  readonly columns: readonly Column<Row>[]
  /** Of `name`: what the next command takes. */
  readonly name: (row: Row) => string
  /** Of `json` and `yaml`: the answer as it came. */
  readonly answer: unknown
  /** What is said, on standard error, where there are no rows. */
  readonly none: string
}

/** Prints rows to standard output. */
export async function printRows<Row>(rows: readonly Row[], printing: Printing<Row>): Promise<void> {
  const { output, columns, name, answer, none } = printing
  if (output === 'json' || output === 'yaml') return printValue(answer, output)
  if (rows.length === 0) process.stderr.write(`${none}\n`)
  else if (output === 'name') process.stdout.write(rows.map((row) => `${name(row)}\n`).join(''))
  else process.stdout.write(tableOf(columns, rows))
}

/** Prints a value to standard output. */
export async function printValue(value: unknown, output: 'json' | 'yaml'): Promise<void> {
  if (output === 'json') return void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
  const { stringify } = await import('yaml')
  process.stdout.write(
    stringify(value, (_key, each) => plainNumber(each), { lineWidth: 0, aliasDuplicateObjects: false }),
  )
}

/** Headings and rows, each column as wide as its widest cell. */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  return growingTable(columns)(rows)
}

/** As {@link tableOf}, of rows that go on coming: headings come once, and columns get no narrower. */
export function growingTable<Row>(columns: readonly Column<Row>[]): (rows: readonly Row[]) => string {
  const widths = columns.map(() => 0)
  let headings: string[][] = [columns.map(({ title }) => title)]
  return (rows) => {
    const lines = [...headings, ...rows.map((row) => columns.map(({ of }) => printable(of(row)) || '<none>'))]
    headings = []
    for (const [at] of columns.entries()) widths[at] = Math.max(widths[at]!, ...lines.map((line) => line[at]!.length))
    return lines
      .map((line) => line.map((cell, at) => cell.padEnd(widths[at]! + GAP)).join(''))
      .map((line) => `${line.trimEnd()}\n`)
      .join('')
  }
}

/** Names and values, one a line, the values below each other. */
export function listOf(values: Readonly<Record<string, string | undefined>>): string {
  const shown = Object.entries(values).filter((each): each is [string, string] => each[1] !== undefined)
  const width = Math.max(...shown.map(([name]) => name.length)) + GAP
  return shown.map(([name, value]) => `${name.padEnd(width)}${printable(value)}\n`).join('')
}

const GAP = 3

/** One line that does nothing to a terminal: what senders choose may hold anything (threat 24). */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, (character) => JSON.stringify(character).slice(1, -1))
}

/** As {@link printable}, of a text of several lines. */
export function printableLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => line.split('\t').map(printable).join('\t'))
    .join('\n')
}

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** How long ago that was, as kubectl writes an age: `5s`, `3m`, `2h`, `4d`. */
export function ageOf(time: string, nowMs: number = Date.now()): string {
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(time)) / 1000))
  if (Number.isNaN(seconds)) return '<unknown>'
  if (seconds < 120) return `${seconds}s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}
