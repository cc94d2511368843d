// `pnpm start`: the event-display and `sluice up` on the YAML beside this file, in one process. From: bin/quickstart.mjs.

import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { jsonSchemaOf, kinds, loadFiles } from '@sluice/resource'
import { EXIT, exitWith } from '../src/exit.ts'
import { main } from '../src/main.ts'
import { eventDisplay } from './event-display.ts'

/** Another copy of the YAML, such as one in which the event-display has another port. */
const file = process.env['SLUICE_QUICKSTART'] ?? fileURLToPath(new URL('default.yaml', import.meta.url))

const port = await displayPort()
try {
  await eventDisplay(port, (text) => process.stdout.write(`${text}\n`))
} catch (error) {
  exitWith(
    EXIT.failed,
    `The event-display of the quickstart can't listen on 127.0.0.1:${port}: ${(error as Error).message}. ` +
      `Stop what has that port, or name a copy of ${file} in SLUICE_QUICKSTART in which the Service event-display and its triggers have another one.`,
  )
}
await writeSchema()
await main(['up', file, ...process.argv.slice(2)], ({ ingress }) => {
  process.stderr.write(`
Send an event:

  curl -i ${ingress}/default/default \\
    -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: /shop' -H 'ce-type: com.example.order.created' \\
    -H 'content-type: application/json' -d '{"order": 1, "total": 42.5}'

It is printed below, and so is the answer that the event-display gives to it.
Events are on disk before they are answered 202, unless --channel is memory: what is not delivered when this ends is,
after the next start.
The triggers stand in packages/cli/quickstart/default.yaml.

`)
})

/**
 * What the YAML's modelines name, so that editors complete it: as `sluice validate --schema all` prints it. Hidden, so that
 * nobody takes it for a resource; where it can't be written, editors say so.
 */
async function writeSchema(): Promise<void> {
  const schema = JSON.stringify(jsonSchemaOf(kinds.filter(({ run }) => run)))
  await writeFile(join(dirname(file), '.sluice.schema.json'), schema).catch(() => {})
}

/** The port that the YAML's triggers send to. */
async function displayPort(): Promise<number> {
  const { resources } = await loadFiles([file])
  const service = resources.find(({ resource }) => resource.kind === 'Service')?.resource
  const [first] = (service?.spec?.['ports'] ?? []) as { port: number }[]
  return first?.port ?? 0
}
