// Says who its launchers are, and when one of them has gone; each time that it has looked, too, where it is told to.

import { launchersOf, noteParents, type Repeat } from '../../src/parents.ts'

const TELL_MS = 20
const telling: Repeat = (look) => {
  const timer = setInterval(() => {
    if (look()) clearInterval(timer)
    process.stdout.write('looked\n')
  }, TELL_MS)
}

const watch = noteParents(process.env['TELL_LOOKS'] === undefined ? undefined : telling)
const alive = setInterval(() => {}, 1000)
process.stdout.write(`${JSON.stringify(launchersOf(process.pid).map(({ parent }) => parent))}\n`)
watch(() => {
  process.stdout.write('orphaned\n')
  clearInterval(alive)
})
