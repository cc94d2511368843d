// Structured logs on standard error: lines for people, or JSON for machines.

import { pino, type DestinationStream, type Logger } from 'pino'

export interface LogOptions {
  level: string
  format: 'text' | 'json'
}

/** A pino logger on standard error. Text: `12:03:04.005 WARN  message  key=value`, control characters escaped. */
export function openLog({ level, format }: LogOptions): Logger {
  const stderr = pino.destination({ fd: 2, sync: true })
  const stream: DestinationStream = format === 'json' ? stderr : { write: (line) => void stderr.write(textLine(line)) }
  return pino({ level, base: null, errorKey: 'error' }, stream)
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
  const fields = Object.entries(rest).map(([key, value]) => `  ${key}=${fieldText(value)}`)
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
