#!/usr/bin/env node
// The `sluice` command.

import { launch } from './launch.mjs'

await launch(import.meta.url, process.argv[2] === 'up', async () => {
  const { main } = await import('../src/main.ts')
  await main(process.argv.slice(2))
})
