// Logs more than any pipe holds, and says when that is done.

import { setTimeout } from 'node:timers/promises'
import { openLog } from '../../src/log.ts'

const log = openLog({ level: 'info', format: 'text' })
for (let n = 0; n < 100; n++) {
  log.info({ n }, 'x'.repeat(10_000))
  await setTimeout(0)
}
process.stdout.write('worked on\n')
process.exit(0)
