// Runs a script of ours under the Node that is installed beside it, as if it had been started by that one.

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Passes arguments, standard streams, signals and the exit code through; `flags` are for Node itself. By the channel
 * between the two the script learns that this process has gone without a word.
 */
export function runUnderNewerNode(script, flags) {
  const node = newerNode()
  const child = spawn(node, [...flags, fileURLToPath(script), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

function newerNode() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node')
  } catch {
    process.stderr.write(
      `Sluice needs Node 22.19 or later; this is ${process.version}. Install a newer one, or the npm package "node" beside it.\n`,
    )
    process.exit(1)
  }
}
