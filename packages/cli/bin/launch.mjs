// The right Node for a program of ours: 22.19 or later, and for a running broker with a small young generation of the heap
// and more threads. From: sluice.mjs and quickstart.mjs.

import * as module from 'node:module'

/**
 * Events' data are buffers outside of V8's heap, which are given back when the young generation is collected. With 16
 * MiB or more of it, hundreds of MiB of them pile up meanwhile, and every event of 64 KiB costs fresh memory from the
 * system: a third of its CPU (test/bench, G6). At 1 KiB it makes no difference.
 */
const YOUNG_GENERATION = '--max-semi-space-size=8'

/**
 * Names are looked up, and files are read, written and synced, by threads that all of these share. Four, as Node has them,
 * are soon all waiting for one disk that hangs.
 */
const THREADS = '16'

/**
 * Runs `program` in this process, or `script` once more in its place, by another Node or with other flags. `isBroker`:
 * events will run through it.
 */
export async function launch(script, isBroker, program) {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (isBroker) process.env.UV_THREADPOOL_SIZE ??= THREADS
  const chosen = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((flag) => flag.includes('semi-space-size'))

  if (major < 22 || (major === 22 && minor < 19)) {
    const { runUnderNewerNode } = await import('./newer-node.mjs')
    runUnderNewerNode(script, isBroker ? [YOUNG_GENERATION] : [])
  } else if (isBroker && !chosen && process.execve !== undefined && process.platform !== 'win32') {
    process.execve(process.execPath, [
      process.execPath,
      YOUNG_GENERATION,
      ...process.execArgv,
      ...process.argv.slice(1),
    ])
  } else {
    // Kept between starts: the sources without their types, and their bytecode. It halves the time until ready (G10).
    module.enableCompileCache()
    if (process.connected) endWith(process.channel)
    await program()
  }
}

/** The older Node that started this one has gone, killed perhaps: so this one ends too. */
function endWith(channel) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  channel.unref() // nobody stays for its sake
}
