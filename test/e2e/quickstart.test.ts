// The first minute with Sluice: `pnpm start`, and the curl line that it prints.

import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { binary, broker } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { folderOf, ready, startProgram, startSluice, type Program } from '../support/sluice.ts'

const FOLDER = join(import.meta.dirname, '../../packages/cli/quickstart')
const run = promisify(execFile)

/** Whatever is set where these tests run. */
const OWN_THREADS = { UV_THREADPOOL_SIZE: undefined }

/** The quickstart on free ports, for somebody else may have its own. */
async function startQuickstart(displayPort: number, cwd?: string, folder: string = folderOf({})): Promise<Program> {
  const yaml = readFileSync(join(FOLDER, 'default.yaml'), 'utf8').replace('port: 8090', `port: ${displayPort}`)
  writeFileSync(join(folder, 'default.yaml'), yaml)
  return startProgram([], {
    script: join(FOLDER, '../bin/quickstart.mjs'),
    cwd: cwd ?? folder,
    env: {
      ...OWN_THREADS,
      SLUICE_QUICKSTART: join(folder, 'default.yaml'),
      SLUICE_LISTEN: '127.0.0.1:0',
      SLUICE_API: '127.0.0.1:0',
    },
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.on('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

test.runIf(existsSync('/proc/self/environ'))('it runs with the heap and the threads of `sluice up`', async () => {
  const quickstart = await startQuickstart(await freePort())
  await ready(quickstart, FOLDER)
  const up = await startSluice({ 'a.yaml': broker() }, [], { env: OWN_THREADS })
  const of = ({ process: { pid } }: Program): (string | undefined)[] => [
    /\0(--max-semi-space-size=\d+)\0/.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.[1],
    /\0(UV_THREADPOOL_SIZE=\d+)\0/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1],
  ]
  expect(of(up)).toEqual(['--max-semi-space-size=8', 'UV_THREADPOOL_SIZE=16'])
  expect(of(quickstart)).toEqual(of(up))
})

test('the curl line that the quickstart prints sends an event, and the display prints it and its answer', async () => {
  const program = await startQuickstart(await freePort())
  const quickstart = await ready(program, FOLDER)
  const [, curl] = await program.stderr.until(/\n {2}(curl [^]*?'\{.*\}')\n/)
  expect(curl).toContain(`${quickstart.ingress}/default/default`)

  const { stdout } = await run('sh', ['-c', curl!])
  expect(stdout).toMatch(/^HTTP\/1\.1 202 /)
  await program.stdout.until(
    /cloudevents\.Event\nContext Attributes,\n {2}specversion: 1\.0\n {2}type: com\.example\.order\.created\n {2}source: \/shop\n {2}id: 1\n/,
  )
  const [answer] = await program.stdout.until(/type: com\.example\.order\.confirmed\n[^]*?\n\n/)
  expect(answer).toContain('correlationid: 1')
  expect(answer).toContain('"total": 42.5')
  expect(await quickstart.stop('SIGINT')).toEqual({ code: 0, signal: null })
})

test('the display prints numbers, texts and bytes as they were sent, and answers with the same', async () => {
  const quickstart = await ready(await startQuickstart(await freePort()), FOLDER)
  const shown = async (contentType: string, data: string | Buffer, as: RegExp): Promise<void> => {
    const message = binary([['ce-type', 'com.example.order.created'], ['content-type', contentType]], data) // prettier-ignore
    expect((await exchange(quickstart.broker, message)).status).toBe(202)
    for (const type of ['created', 'confirmed']) {
      const head = `type: com\\.example\\.order\\.${type}\\n(?: .*\\n)*? {2}datacontenttype: ${contentType}\\n`
      const [printed] = await quickstart.stdout.until(new RegExp(`${head}[^]*?Data[^]*?\\n\\n`))
      expect(printed).toMatch(as)
    }
  }
  await shown(
    'application/json',
    '{"n":1.0,"big":12345678901234567890}',
    /Data,\n {2}\{\n {4}"n": 1\.0,\n {4}"big": 12345678901234567890\n {2}\}\n/,
  )
  await shown('application/x-bytes', Buffer.from([1, 2, 255]), /Data \(binary\),\n {2}AQL\/\n/)
  await shown('text/plain', 'red \u001b[31m', /Data,\n {2}red \\u001b\[31m\n/)
})

test('it keeps its events: killed, and started again in the same folder, it goes on with them', async () => {
  const cwd = folderOf({})
  const first = await ready(await startQuickstart(await freePort(), cwd), FOLDER)
  const [, curl] = await first.stderr.until(/\n {2}(curl [^]*?'\{.*\}')\n/)
  await run('sh', ['-c', curl!])
  await first.stdout.until(/type: com\.example\.order\.confirmed\n[^]*?\n\n/)
  await first.stop('SIGKILL')
  expect(readdirSync(cwd)).toEqual(['.sluice'])
  const second = await ready(await startQuickstart(await freePort(), cwd), FOLDER)
  await second.stderr.until(/opened the log that was there {2}broker=default\/default {2}stored=2/)
})

test('a taken port of the display is told with what to do, and nothing else starts', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.on('listening', resolve))
  const { port } = server.address() as AddressInfo
  const program = await startQuickstart(port)
  expect(await program.exited).toEqual({ code: 1, signal: null })
  expect(program.stderr.soFar()).toMatch(new RegExp(`can't listen on 127.0.0.1:${port}.*EADDRINUSE.*event-display`))
  expect(program.stdout.soFar()).toBe('')
  server.close()
})

test('editors complete the quickstart’s YAML: each document names a schema that is there, and that it keeps', async () => {
  const folder = folderOf({})
  const port = await freePort()
  await ready(await startQuickstart(port, folder, folder), FOLDER)
  const documents = readFileSync(join(folder, 'default.yaml'), 'utf8').split('---\n')
  expect(documents).toHaveLength(4)
  for (const text of documents) {
    const [, schema] = /^# yaml-language-server: \$schema=(\S+)$/m.exec(text)! // each counts for its own document
    const validate = new Ajv({ strict: false }).compile(
      JSON.parse(readFileSync(join(folder, schema!), 'utf8')) as object,
    )
    const written = parse(text) as { spec?: object }
    expect([validate(written), validate.errors]).toEqual([true, null])
    expect(validate({ ...written, spec: { ...written.spec, subscribr: {} } })).toBe(false)
  }
})
