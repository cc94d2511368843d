// `pnpm start`: the event-display and `sluice up` on the YAML beside this file, in one process.

import { fileURLToPath } from 'node:url'
import { main } from '../src/main.ts'
import { EXIT, exitWith } from '../src/exit.ts'
import { eventDisplay } from './event-display.ts'

const DISPLAY_PORT = 8090 // as in default.yaml

try {
  await eventDisplay(DISPLAY_PORT, (text) => process.stdout.write(`${text}\n`))
} catch (error) {
  exitWith(
    EXIT.failed,
    `The event-display of the quickstart can't listen on 127.0.0.1:${DISPLAY_PORT}: ${(error as Error).message}`,
  )
}
await main(['up', fileURLToPath(new URL('default.yaml', import.meta.url)), ...process.argv.slice(2)])

const ingress = process.env['SLUICE_LISTEN'] ?? '127.0.0.1:8080'
process.stderr.write(`
Send an event:

  curl -i http://${ingress}/default/default \\
    -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: /shop' -H 'ce-type: com.example.order.created' \\
    -H 'content-type: application/json' -d '{"order": 1, "total": 42.5}'

It is printed below, and so is the answer that the event-display gives to it.
The triggers stand in packages/cli/quickstart/default.yaml.

`)
