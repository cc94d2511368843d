// Structured logs on standard error: lines for people, or JSON for machines. Nobody waits for who reads them.

import type { Writable } from 'node:stream'
import { pino, type Logger } from 'pino'

/** How the log looks, and how much of it there is. */
export interface LogOptions {
  /** Of pino: the least important level that is logged. */
  level: string
  format: 'text' | 'json'
  /** Default: standard error. */
  to?: Writable
}

/** What waits for a reader that doesn't read, in bytes; lines beyond are dropped and counted. */
const WAITING_BYTES_MAX = 1024 * 1024

/**
 * A pino logger. Text: `12:03:04.005 WARN  message  key=value`, control characters escaped.
 *
 * It writes by the stream of Node, not by one of pino's: on a pipe that nobody reads, pino's own stop the process, while
 * writing or at its end (fault 60). A reader that has gone is none.
 */
export function openLog({ level, format, to = process.stderr }: LogOptions): Logger {
  let dropped = 0
  const write = (line: string): void => void to.write(format === 'json' ? line : textLine(line))
  const stream = {
    write(line: string): void {
      if (to.writableLength > WAITING_BYTES_MAX) return void dropped++
      if (dropped > 0) write(droppedLine(dropped))
      dropped = 0
      write(line)
    },
  }
  to.on('error', () => {})
  return pino({ level, base: null, errorKey: 'error' }, stream)
}

function droppedLine(lines: number): string {
  const msg = 'lines of the log were dropped: what reads it was too slow'
  return `${JSON.stringify({ level: 40, time: Date.now(), lines, msg })}\n`
}

const LEVELS: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO ',
  40: 'WARN ',
  50: 'ERROR',
  60: 'FATAL',
}

function textLine(json: string): string {
  const { level, time, msg, ...rest } = JSON.parse(json) as { level: number; time: number; msg?: string } & Record<
    string,
    unknown
  >
  const fields = Object.entries(rest).map(([key, value]) => `  ${escapeControls(key)}=${fieldText(value)}`)
  const clock = new Date(time).toISOString().slice(11, 23)
  return `${clock} ${LEVELS[level] ?? String(level)} ${escapeControls(msg ?? '')}${fields.join('')}\n`
}

function fieldText(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@+-]+$/.test(value)) return value
  return escapeControls(JSON.stringify(value))
}

/** What somebody sent must not move the cursor, turn the text around, or fake a line (threat 24). */
function escapeControls(text: string): string {
  return text.replace(
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
