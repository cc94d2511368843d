// The words of the `sluice` command, and their exit codes: 0 ok, 1 refused or failed, 2 usage, 3 server unreachable.

import { Ajv } from 'ajv'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { broker, eventJson, trigger } from '../support/events.ts'
import { acceptedEvents } from '../support/ops.ts'
import { folderOf, runSluice, startProgram, startSluice, ready, type Ran, type Sluice } from '../support/sluice.ts'
import { ceHeaders, header, structured, subscriber, type Subscriber } from '../support/subscriber.ts'

let sluice: Sluice
let taker: Subscriber
let inJson: Subscriber

beforeAll(async () => {
  taker = await subscriber()
  inJson = await subscriber()
  sluice = await startSluice({
    'all.yaml': broker() + trigger('all', taker.url) + trigger('json', inJson.url, ['delivery: {format: json}']),
  })
})

const VERSION = JSON.parse(readFileSync(join(import.meta.dirname, '../../packages/cli/package.json'), 'utf8'))
  .version as string

test('sluice version', async () => {
  expect(await runSluice(['version'])).toMatchObject({
    code: 0,
    stdout: `sluice ${VERSION} (node ${process.versions.node})\n`,
  })
})

test('sluice --help names every word, and that --hops guards against loops (spec 60)', async () => {
  const all = await runSluice(['--help'])
  expect(all.code).toBe(0)
  for (const word of ['up', 'validate', 'send', 'version']) expect(all.stdout).toMatch(new RegExp(`^ {2}${word}`, 'm'))
  const up = await runSluice(['up', '--help'])
  expect(up.stdout.replaceAll(/\s+/g, ' ')).toMatch(/--hops.*loop/)
})

test.each([
  [['nonsense'], /unknown command 'nonsense'/],
  [['up', '--nonsense'], /unknown option '--nonsense'/],
  [['up', '--listen', 'nowhere'], /nowhere.*HOST:PORT/],
  [['up', '--listen', '127.0.0.1:99999'], /99999/],
  [['up', '--hops', '0'], /whole number from 1 to 255/],
  [['up', '--hops', '256'], /whole number from 1 to 255/],
  [['up', '--memory-bytes', 'lots'], /lots.*512Ki/],
  [['up', '--channel', 'kafka'], /log, memory/],
  [['up', '--log-format', 'xml'], /text, json/],
  [['up', '--tls-cert-file', 'cert.pem'], /--tls-key-file go together/],
  [['up', '--listen', '127.0.0.1:0', '--api', ':0'], /--allow-anonymous/],
  [['send'], /--type/],
  [['send', '--mode', 'batch'], /binary, structured/],
  [['send', '--type', 't', '--ext', 'nothing'], /name=value/],
  [['validate'], /files or folders/],
])('sluice %j is a usage error: 2', async (words, message) => {
  const ran = await runSluice(words)
  expect(ran).toMatchObject({ code: 2, stdout: '' })
  expect(ran.stderr).toMatch(message)
})

describe('sluice up', () => {
  test('takes each flag from the environment as well', async () => {
    const program = startProgram(['up', folderOf({ 'a.yaml': broker() })], {
      env: {
        SLUICE_LISTEN: '127.0.0.1:0',
        SLUICE_API: '127.0.0.1:0',
        SLUICE_DATA: 'elsewhere',
        SLUICE_LOG_FORMAT: 'json',
      },
    })
    await ready(program, '')
    expect(program.stdout.soFar()).toMatch(/^sluice ready ingress=http:\S+ api=http:\S+ data=elsewhere\n$/)
  })

  test('on a port that is taken says so: 1', async () => {
    const ran = await runSluice([
      'up',
      folderOf({ 'a.yaml': broker() }),
      '--listen',
      `127.0.0.1:${taker.port}`,
      '--api',
      '127.0.0.1:0',
    ])
    expect(ran.code).toBe(1)
    expect(ran.stdout).toBe('')
    expect(ran.stderr).toMatch(new RegExp(`127\\.0\\.0\\.1:${taker.port}.*Another process has it`))
  })

  test('on a folder that is not there says so: 1', async () => {
    const ran = await runSluice(['up', join(folderOf({}), 'nowhere')])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toContain('nowhere')
  })

  test('--public-url is the address that brokers have in their status (spec 2)', async () => {
    const here = await startSluice({ 'a.yaml': broker() }, ['--public-url', 'https://events.example.com/in/'])
    const found = await fetch(`${here.api}/apis/eventing.knative.dev/v1/namespaces/default/brokers/default`)
    expect(await found.json()).toMatchObject({
      status: { address: { name: 'https', url: 'https://events.example.com/in/default/default' } },
    })
  })
})

describe('sluice validate', () => {
  test('says what it has read: 0', async () => {
    const ran = await runSluice(['validate', sluice.folder])
    expect(ran).toMatchObject({ code: 0 })
    expect(ran.stdout).toMatch(/^2 files, 3 resources: valid/)
  })

  test('tells a mistake with its place: 1', async () => {
    const folder = folderOf({ 'a.yaml': broker('Default') })
    const ran = await runSluice(['validate', folder])
    expect(ran.code).toBe(1)
    expect(ran.stdout).toContain('1 error')
    expect(ran.stderr).toMatch(/a\.yaml:4:\d+/)
  })

  test('--schema prints the JSON Schema of a kind', async () => {
    const ran = await runSluice(['validate', '--schema', 'Trigger'])
    expect(ran.code).toBe(0)
    expect(JSON.parse(ran.stdout)).toMatchObject({
      properties: { spec: { properties: { broker: {}, subscriber: {} } } },
    })
  })

  test('--schema all prints one for files of any kind; kinds that do not run pass', async () => {
    const ran = await runSluice(['validate', '--schema', 'all'])
    const validate = new Ajv({ strict: false }).compile(JSON.parse(ran.stdout) as object)
    const of = (apiVersion: string, kind: string, spec: object): object => ({
      apiVersion,
      kind,
      metadata: { name: 'x' },
      spec,
    })
    expect(validate(of('eventing.knative.dev/v1', 'Broker', { delivery: { retry: 1 } }))).toBe(true)
    expect(validate(of('eventing.knative.dev/v1', 'Broker', { delivry: { retry: 1 } }))).toBe(false)
    expect(validate(of('messaging.knative.dev/v1', 'Subscription', {}))).toBe(false)
    expect(validate(of('apps/v1', 'Deployment', { template: {} }))).toBe(true)
  })

  test.each([
    ['Triger', /no kind "Triger"\. Did you mean Trigger\?/],
    ['Transform', /Did you mean EventTransform\?/],
    ['nonsense', /are Broker, Trigger, Channel, Subscription/],
  ])('--schema of %s, which is no kind, says what it may be: 2', async (name, hint) => {
    const ran = await runSluice(['validate', '--schema', name])
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toMatch(hint)
  })
})

describe('sluice send', () => {
  const send = (...words: string[]): Promise<Ran> => runSluice(['send', ...words, '--server', sluice.api])

  test('sends an event of its flags in binary mode', async () => {
    const words = [
      '--type',
      'a.b',
      '--source',
      '/x',
      '--id',
      '5',
      '--subject',
      'über',
      '--ext',
      'region=eu',
      '--ext',
      'n=a=b',
    ]
    const ran = await send('default', ...words, '--data', '{"n":1}')
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(ran.stdout).toContain('id 5, type a.b, source /x')
    const received = await taker.next()
    expect(ceHeaders(received)).toMatchObject({
      id: '5',
      type: 'a.b',
      source: '/x',
      subject: '%C3%BCber',
      region: 'eu',
      n: 'a=b',
    })
    expect(header(received, 'content-type')).toBe('application/json')
    expect(received.body.toString()).toBe('{"n":1}')
    await inJson.next()
  })

  test('sends it in structured mode, and text as text', async () => {
    expect(await send('default/default', '--type', 't', '--data', 'hello', '--mode', 'structured')).toMatchObject({
      code: 0,
    })
    expect(structured(await inJson.next())).toMatchObject({ type: 't', datacontenttype: 'text/plain', data: 'hello' })
    await taker.next()
  })

  test('sends the bytes of a file as data', async () => {
    const folder = folderOf({ 'data.json': '{"from":"a file"}' })
    expect(await send('default', '--type', 't', '--data', `@${join(folder, 'data.json')}`)).toMatchObject({ code: 0 })
    expect((await taker.next()).body.toString()).toBe('{"from":"a file"}')
    await inJson.next()
  })

  test('sends an event, or a list of them, from a file or standard input', async () => {
    const folder = folderOf({ 'one.json': eventJson({ id: 'from-file' }) })
    expect(await send('--event', join(folder, 'one.json'))).toMatchObject({ code: 0 })
    expect(ceHeaders(await taker.next())['id']).toBe('from-file')
    const list = `[${eventJson({ id: 'l1' })},${eventJson({ id: 'l2' })}]`
    expect(await runSluice(['send', '--event', '-', '--server', sluice.api], { input: list })).toMatchObject({
      code: 0,
    })
    const ids = [ceHeaders(await taker.next())['id'], ceHeaders(await taker.next())['id']]
    expect(new Set(ids)).toEqual(new Set(['l1', 'l2']))
  })

  test('sends to a whole URL without asking the API', async () => {
    expect(await runSluice(['send', sluice.broker, '--type', 't', '--server', 'http://127.0.0.1:1'])).toMatchObject({
      code: 0,
    })
    await taker.next()
  })

  test('an event that is refused: 1, with the reason of the server', async () => {
    const before = await acceptedEvents(sluice.api)
    const folder = folderOf({ 'bad.json': eventJson({ time: 'yesterday' }) })
    const ran = await send('--event', join(folder, 'bad.json'))
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toMatch(/answered 400: .*yesterday/)
    expect(await send('--type', 't', '--ext', 'Bad-Name=1')).toMatchObject({ code: 1, stdout: '' })
    expect(await acceptedEvents(sluice.api)).toBe(before)
  })

  test('a broker that is not there: 1', async () => {
    const ran = await send('nobody', '--type', 't')
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toContain('nobody')
  })

  test('the address of something else than the API: 1, and it says so', async () => {
    const ran = await runSluice(['send', '--type', 't', '--server', sluice.ingress])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toMatch(/answered 404: .* --server or SLUICE_SERVER has to be the API of a sluice/)
    const { url } = await subscriber()
    expect(await runSluice(['send', '--type', 't', '--server', url])).toMatchObject({ code: 1, stdout: '' })
  })

  test('ports that browsers and fetch block are ports like any other', async () => {
    const [ingress, api] = await freeAmong([6000, 6566, 6665, 6666, 6667, 6668, 6669, 6697])
    const ports = ['--listen', `127.0.0.1:${ingress}`, '--api', `127.0.0.1:${api}`]
    const here = await startSluice({ 'a.yaml': broker() }, ports)
    expect(await runSluice(['send', '--type', 't', '--server', here.api])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`accepted by ${here.broker}`) as string,
    })
  })

  test('a server that does not answer: 3', async () => {
    const ran = await runSluice(['send', '--type', 't', '--server', 'http://127.0.0.1:1'])
    expect(ran).toMatchObject({ code: 3, stdout: '' })
    expect(ran.stderr).toContain('http://127.0.0.1:1')
    expect(await runSluice(['send', 'http://127.0.0.1:1/default/default', '--type', 't'])).toMatchObject({ code: 3 })
  })
})

/** Those of the ports that nobody has. */
async function freeAmong(ports: readonly number[]): Promise<number[]> {
  const free: number[] = []
  for (const port of ports) {
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
      free.push(port)
    } catch {
      continue
    }
    server.close()
    await once(server, 'close')
  }
  return free
}
