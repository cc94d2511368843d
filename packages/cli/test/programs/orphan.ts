// Says who its launchers are, and when one of them has gone.

import { launchersOf, noteParents } from '../../src/parents.ts'

const watch = noteParents()
const alive = setInterval(() => {}, 1000)
process.stdout.write(`${JSON.stringify(launchersOf(process.pid).map(({ parent }) => parent))}\n`)
watch(() => {
  process.stdout.write('orphaned\n')
  clearInterval(alive)
})
