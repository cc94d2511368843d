#!/usr/bin/env node
// Sluice runs on Node 22.19 or later; where an older one started this, the one among its dependencies takes over.

import * as module from 'node:module'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major > 22 || (major === 22 && minor >= 19)) {
  // Kept between starts: the sources without their types, and their bytecode. It halves the time until ready (G10).
  module.enableCompileCache()
  const { main } = await import('../src/main.ts')
  await main(process.argv.slice(2))
} else {
  const { runUnderNewerNode } = await import('./newer-node.mjs')
  runUnderNewerNode(new URL('sluice.mjs', import.meta.url))
}
