// The commands of the README do what stands under them.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { broker } from '../../../test/support/events.ts'
import { folderOf, runSluice, startSluice } from '../../../test/support/sluice.ts'

const README = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
const COMMANDS = /```sh\n([^]*?)```/
  .exec(README)![1]!
  .trim()
  .split('\n')
  .map((line) => Array.from(line.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, plain]) => quoted ?? plain!).slice(1))

test('validate, up and send', async () => {
  const [validate, up, send] = COMMANDS as [string[], string[], string[]]
  const folder = folderOf({ 'shop.yaml': broker() })
  expect(await runSluice(validate, { cwd: folder })).toMatchObject({ code: 0, stdout: '1 file, 1 resource: valid\n' })
  expect(README).toContain('`1 file, 1 resource: valid`')

  expect(up).toEqual(['up', 'shop.yaml'])
  const sluice = await startSluice(folder) // on ports of its own
  const said = sluice.stdout
    .soFar()
    .replace(sluice.ingress, 'http://127.0.0.1:8080')
    .replace(sluice.api, 'http://127.0.0.1:8081')
  expect(README).toContain(`\`${said.trim().replace(/data=.*/, 'data=.sluice')}\``)

  const sent = await runSluice([...send, '--server', sluice.api])
  expect(sent.code).toBe(0)
  const told = /`(accepted by [^`]*)`/.exec(README)![1]!.replace('http://127.0.0.1:8080', sluice.ingress)
  expect(sent.stdout.trim().replace(/id \S+,/, 'id ...,')).toBe(told)
})

test('the exit codes are those of the source', async () => {
  const { EXIT } = await import('../src/exit.ts')
  const told = Array.from(/## Exit codes\n([^]*?)\n## /.exec(README)![1]!.matchAll(/^\| (\d) \|/gm), ([, code]) =>
    Number(code),
  )
  expect(told).toEqual(Object.values(EXIT))
})
