// With --log-format json every line of standard error is a JSON object: of a log collector's kind, and nothing else.

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { broker, trigger } from '../support/events.ts'
import { folderOf, ready, runSluice, startProgram } from '../support/sluice.ts'
import { subscriber } from '../support/subscriber.ts'

interface Line {
  readonly time: number
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

/** The lines, each with what a line of the log has. Throws where one is no JSON. */
function linesOf(stderr: string): Line[] {
  const lines = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  const form = {
    time: expect.any(Number) as number,
    level: expect.any(Number) as number,
    msg: expect.any(String) as string,
  }
  for (const line of lines) expect(line).toMatchObject(form)
  return lines
}

const FREE = ['--listen', '127.0.0.1:0', '--api', '127.0.0.1:0']
const JSON_LOG = ['--log-format', 'json']

test.each([
  ['a wrong value', 2, ['--hops', '0'], /--hops.*1 to 255/],
  ['an unknown flag', 2, ['--nonsense'], /--nonsense/],
  ['an API that anybody reaches', 2, ['--api', '0.0.0.0:0'], /--token-file/],
  [
    'a Broker that anybody reaches',
    2,
    ['--listen', '0.0.0.0:0', folderOf({ 'a.yaml': broker() })],
    /asks for no token/,
  ],
  ['one address twice', 2, ['--listen', '127.0.0.1:7', '--api', '127.0.0.1:7'], /both 127\.0\.0\.1:7/],
  ['a folder that is not there', 1, ['nowhere'], /no such file/],
  ['mistakes in the files', 1, [folderOf({ 'a.yaml': 'a: [', 'b.yaml': broker('B') })], /2 errors in the files/],
  ['mistakes, and no log', 1, ['--log-level', 'silent', folderOf({ 'a.yaml': broker('B') })], /1 error in the files/],
  ['a file for --data', 1, ['--data', import.meta.filename, folderOf({ 'a.yaml': broker() })], /no folder/],
])('%s: it says so, and exits', async (_what, code, words, message) => {
  const ran = await runSluice(['up', ...words, ...JSON_LOG])
  expect(ran).toMatchObject({ code, stdout: '' })
  const lines = linesOf(ran.stderr)
  expect(lines.map(({ msg }) => msg).join('\n')).toMatch(message)
  expect(lines.at(-1)!.level).toBe(50)
})

test('the format may come from the environment, and a flag wins over it', async () => {
  const fromEnvironment = await runSluice(['up', '--hops', '0'], { env: { SLUICE_LOG_FORMAT: 'json' } })
  expect(linesOf(fromEnvironment.stderr)[0]!.msg).toContain('--hops')
  const asText = await runSluice(['up', '--hops', '0', '--log-format=text'], { env: { SLUICE_LOG_FORMAT: 'json' } })
  expect(asText.stderr).toMatch(/^error: option '--hops/)
})

test('a problem of a file has its place as fields', async () => {
  const ran = await runSluice(['up', folderOf({ 'a.yaml': broker('B') }), ...JSON_LOG])
  expect(linesOf(ran.stderr)[0]).toMatchObject({
    level: 50,
    code: 'SLUICE_RESOURCE_INVALID_NAME',
    file: expect.stringMatching(/a\.yaml$/) as string,
    line: 4,
    column: 18,
    resource: 'Broker default/B',
  })
})

test('a port that is taken', async () => {
  const { port } = await subscriber()
  const words = ['--listen', `127.0.0.1:${port}`, '--api', '127.0.0.1:0', ...JSON_LOG]
  const ran = await runSluice(['up', folderOf({ 'a.yaml': broker() }), ...words])
  expect(ran.code).toBe(1)
  expect(linesOf(ran.stderr).at(-1)!.msg).toContain('Another process has it')
})

test('warnings, the summary, warnings of Node, and a mistake of the program itself', async () => {
  const folder = folderOf({
    'a.yaml': broker() + trigger('t', 'http://127.0.0.1:9/', ['delivery: {timeout: PT1S}']),
    'amiss.mjs': `
      process.on('newListener', (name) => {
        if (name === 'SIGINT') process.emitWarning('a warning of Node')
        if (name === 'SIGTERM') process.once('SIGUSR2', () => { throw new Error('a mistake') })
      })`,
  })
  const program = startProgram(['up', folder, ...FREE, '--data', join(folder, 'data'), ...JSON_LOG], {
    env: { NODE_OPTIONS: `--import ${join(folder, 'amiss.mjs')}` },
  })
  await ready(program, folder)
  await program.stderr.until(/Ctrl-C stops.*\n/)
  program.process.kill('SIGUSR2')
  expect(await program.exited).toEqual({ code: 1, signal: null })
  const lines = linesOf(program.stderr.soFar())
  const told = (text: string): Line | undefined => lines.find(({ msg }) => msg.includes(text))
  expect(told('has no retry')).toMatchObject({ level: 40, resource: 'Trigger default/t' })
  expect(told('Broker default/default')).toMatchObject({ level: 30 })
  expect(told('a warning of Node')).toMatchObject({ level: 40 })
  expect(told('a mistake of its own')).toMatchObject({ level: 60, error: { message: 'a mistake' } })
})

test('a second signal', async () => {
  const holding = await subscriber(() => new Promise(() => {}))
  const folder = folderOf({ 'a.yaml': broker() + trigger('t', holding.url) })
  const program = startProgram(['up', folder, ...FREE, '--data', join(folder, 'data'), ...JSON_LOG])
  const sluice = await ready(program, folder)
  const sent = await runSluice(['send', '--type', 't', '--server', sluice.api])
  expect(sent.code).toBe(0)
  await holding.received(1)
  program.process.kill('SIGTERM')
  await program.stderr.until(/"stopping"/)
  const again = setInterval(() => program.process.kill('SIGTERM'), 50) // one that comes at once is taken for the first
  expect(await program.exited).toEqual({ code: 1, signal: null })
  clearInterval(again)
  expect(linesOf(program.stderr.soFar()).at(-1)!.msg).toContain('stopped at once')
})
