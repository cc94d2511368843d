// In the place of npx and pnpm: starts a shell that starts the program, as they do. Its name is how it is recognised.

import { spawn } from 'node:child_process'
import { join } from 'node:path'

const program = join(import.meta.dirname, 'orphan.ts')
// Two commands, so that the shell stays.
const shell = spawn('/bin/sh', ['-c', `"${process.execPath}" "${program}"; exit $?`], {
  stdio: 'inherit',
  env: { ...process.env, npm_lifecycle_event: process.argv[2] },
})
shell.on('exit', (code) => process.exit(code ?? 1))
