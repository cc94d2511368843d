// How `sluice up` tells what concerns itself and its files: text as people read it; where the log is JSON, lines of the
// log, so that standard error holds nothing else.

import { formatProblems, toldAs, type Problem } from '@sluice/resource'
import type { Logger } from 'pino'
import { EXIT, exitWith } from './exit.ts'

/** Told whatever `--log-level` is, as far as it is why nothing runs. */
export interface Tell {
  readonly problems: (problems: readonly Problem[]) => void
  readonly lines: (level: 'info' | 'error', lines: readonly string[]) => void
}

/** Text on standard error. */
export const tellPeople: Tell = {
  problems: (problems) => void process.stderr.write(`${formatProblems(problems)}\n`),
  lines: (_level, lines) => void process.stderr.write(`${lines.join('\n')}\n`),
}

/** Lines of the log; from here on, what Node itself would write to standard error is one as well. */
export function tellMachines(log: Logger): Tell {
  const errors = log.child({}, { level: 'error' })
  process.removeAllListeners('warning').on('warning', (warning) => log.warn({ error: warning }, warning.message))
  process.on('uncaughtException', (error) => {
    errors.fatal({ error }, `sluice up: ended by a mistake of its own: ${error.message}`)
    exitWith(EXIT.failed)
  })
  return {
    problems(problems) {
      for (const { severity, message, hint, excerpt: _, line, column, ...what } of problems) {
        const where = line === 0 ? what : { ...what, line, column }
        const text = toldAs(message, hint)
        if (severity === 'error') errors.error(where, text)
        else log.warn(where, text)
      }
    },
    lines(level, lines) {
      for (const line of lines) (level === 'error' ? errors : log)[level](line.trim())
    },
  }
}

/** Says why it ends, and ends. */
export function fail(message: string, tell: Tell, code: number = EXIT.failed): never {
  tell.lines('error', [message])
  exitWith(code)
}
