// Exit codes of the sluice command (SURFACE.md "Commands").

export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const

/** Ends the process with `code`, after a message to standard error where there is one. */
export function exitWith(code: number, message?: string): never {
  if (message !== undefined) process.stderr.write(message.endsWith('\n') ? message : `${message}\n`)
  process.exit(code)
}

/** A message as a log in JSON has its errors, for what is wrong with the command line: then there is no log yet. */
export function errorLine(msg: string): string {
  return `${JSON.stringify({ level: 50, time: Date.now(), msg })}\n`
}
