// What somebody sees who starts `sluice up` with something amiss, and what a program sees that waits for it.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../../../test/support/events.ts'
import { exchange } from '../../../test/support/exchange.ts'
import { folderOf, ready, runSluice, startProgram, startSluice } from '../../../test/support/sluice.ts'

const PORTS = ['--listen', '127.0.0.1:0', '--api', '127.0.0.1:0']

test('in a folder without files it starts, says what to do, and takes what the API and the folder bring', async () => {
  const empty = folderOf({ 'README.md': 'no YAML' })
  const sluice = await ready(startProgram(['up', empty, ...PORTS]), empty)
  await sluice.stderr.until(/There are no \.yaml, \.yml or \.json files in it\. Is it the right folder\?/)
  const [, said] = await sluice.stderr.until(
    /nothing takes events\. Add one to the files, or through the API: (.*)\.\n/,
  )
  expect(said).toBe(`kubectl --server ${sluice.api} apply -f FILE`)
  const file = join(folderOf({ 'b.yaml': broker('by-api') }), 'b.yaml')
  expect((await runSluice(['apply', '-f', file, '--server', sluice.api])).code).toBe(0)
  writeFileSync(join(empty, 'notes.txt'), 'still no YAML')
  writeFileSync(join(empty, 'broker.yaml'), broker())
  await sluice.stderr.until(/The files have changed: 1 added/)
  for (const name of ['default', 'by-api']) {
    expect((await exchange(`${sluice.ingress}/default/${name}`, binary())).status).toBe(202)
  }
  expect(sluice.stderr.soFar()).not.toContain('no files any more')
  expect(await (await fetch(`${sluice.api}/readyz`)).text()).toBe('ready\n')
})

describe('it does not start, and says what to do', () => {
  test('where the folder is not there: 1, and that is told, not that it is empty', async () => {
    const ran = await runSluice(['up', 'nowhere', ...PORTS])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toContain('There is no such file or folder')
    expect(ran.stderr).not.toContain('There are no')
  })

  test('where --data is a file: 1', async () => {
    const folder = folderOf({ 'a.yaml': broker(), data: '' })
    const ran = await runSluice(['up', folder, ...PORTS, '--data', join(folder, 'data')])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toMatch(/--data .*data is no folder/)
  })

  test('where both addresses are one: 2', async () => {
    const ran = await runSluice(['up', folderOf({ 'a.yaml': broker() }), '--api', '127.0.0.1:8080'])
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toContain('--listen and --api are both 127.0.0.1:8080')
  })

  test('where the address is none of this machine: 1, with the flags that name it', async () => {
    const words = ['--listen', '192.0.2.1:8080', '--api', '127.0.0.1:0', '--allow-anonymous']
    const ran = await runSluice(['up', folderOf({ 'a.yaml': broker() }), ...words])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toMatch(/192\.0\.2\.1:8080.*--listen and --api/)
  })

  test('with --log-format json all of that is JSON too', async () => {
    const ran = await runSluice(['up', folderOf({}), 'nowhere', ...PORTS, '--log-format', 'json'])
    expect(ran.code).toBe(1)
    const levels = ran.stderr.trimEnd().split('\n').map((line) => (JSON.parse(line) as { level: number }).level) // prettier-ignore
    expect(levels).toEqual([40, 50, 50])
  })
})

test('without a Broker it runs, and says that nothing takes events', async () => {
  const sluice = await startSluice({ 'a.yaml': trigger('t', 'http://127.0.0.1:9/') })
  await sluice.stderr.until(/No Broker and no Channel is declared, so nothing takes events/)
  await sluice.stderr.until(/Trigger default\/t .*NOT READY, BrokerDoesNotExist/)
})

test('a file without documents is no mistake: it runs, and says that nothing takes events', async () => {
  const folder = folderOf({ 'a.yaml': '---\n# nothing yet\n' })
  expect(await runSluice(['validate', folder])).toMatchObject({ code: 0, stdout: '1 file, 0 resources: valid\n' })
  const sluice = await startSluice(folder)
  await sluice.stderr.until(/No Broker and no Channel is declared/)
})

test('a Broker without a Trigger runs, and it is told that its events go nowhere; of many, a few and how many', async () => {
  const one = await startSluice({
    'a.yaml': broker() + broker('used') + trigger('t', 'http://127.0.0.1:9/', [], 'used'),
  })
  await one.stderr.until(/No Trigger is declared for Broker default\/default: what is sent there goes nowhere/)
  const names = Array.from({ length: 9 }, (_, n) => `b${n}`)
  const many = await startSluice({ 'a.yaml': names.map((name) => broker(name)).join('') })
  await many.stderr.until(/for Broker default\/b0, .*, default\/b4 and 4 more:/)
})

test('a paused Trigger is told as one', async () => {
  const paused = trigger('t', 'http://127.0.0.1:9/').replace(
    '{name: t}',
    '{name: t, annotations: {sluice.dev/paused: "true"}}',
  )
  const sluice = await startSluice({ 'a.yaml': broker() + paused + trigger('running', 'http://127.0.0.1:9/') })
  await sluice.stderr.until(/Paused by sluice\.dev\/paused: Trigger default\/t; what matches is kept and waits/)
})

test('a Trigger whose Broker is in another namespace is told so', async () => {
  const elsewhere = broker().replace('{name: default}', '{name: default, namespace: shop}')
  const sluice = await startSluice({ 'a.yaml': elsewhere + trigger('t', 'http://127.0.0.1:9/') })
  await sluice.stderr.until(
    /Trigger default\/t \(warning\)\n.*There is one in namespace shop; this points into default/,
  )
  await sluice.stderr.until(/Trigger default\/t .*NOT READY, BrokerDoesNotExist/)
})

test('sluice validate of nothing checks nothing, and that is no success: 1', async () => {
  const ran = await runSluice(['validate', folderOf({ 'README.md': 'no YAML' })])
  expect(ran).toMatchObject({ code: 1, stdout: '' })
  expect(ran.stderr).toMatch(/no \.yaml, \.yml or \.json files in it.*\nsluice validate: there is nothing to check/)
})

test('a signal at the very moment of the ready line is heard', async () => {
  const program = startProgram(['up', folderOf({ 'a.yaml': broker() }), ...PORTS])
  await program.stdout.until(/^sluice ready/)
  program.process.kill('SIGTERM')
  expect(await program.exited).toEqual({ code: 0, signal: null })
})

test('a flag wins over its variable', async () => {
  const env = { SLUICE_DATA: 'of-the-variable', SLUICE_LISTEN: 'garbage' }
  const words = ['up', folderOf({ 'a.yaml': broker() }), ...PORTS, '--data', 'of-the-flag']
  const program = startProgram(words, { env })
  const sluice = await ready(program, '')
  expect(sluice.stdout.soFar()).toContain(' data=of-the-flag\n')
})

describe('sluice send', () => {
  test.each(['a/b/c', '/', 'a/', '/b', ''])('to %j is a usage error: 2', async (to) => {
    const ran = await runSluice(['send', to, '--type', 't', '--server', 'http://127.0.0.1:1'])
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toContain('NAMESPACE/NAME')
  })

  test.each([
    [['--event', '-', '--type', 't'], /'--event <file>' cannot be used with option '--type <type>'/],
    [['--event', '-', '--data', '{}'], /--data/],
    [['--type', 't', '--server', 'localhost:8081'], /http/],
  ])('%j is a usage error: 2', async (words, told) => {
    const ran = await runSluice(['send', ...words])
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toMatch(told)
  })

  test('--data @- is what comes on standard input', async () => {
    const sluice = await startSluice({ 'a.yaml': broker() })
    const words = ['send', '--type', 't', '--data', '@-', '--content-type', 'application/octet-stream']
    expect(await runSluice([...words, '--server', sluice.api], { input: 'bytes' })).toMatchObject({ code: 0 })
  })
})
