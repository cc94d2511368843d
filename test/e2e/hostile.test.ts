// What attackers send: nothing of it is stored, nothing crashes, and the next sender is served.

import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { binary, broker, eventJson, json, structuredMode, trigger } from '../support/events.ts'
import { dial, encode, exchange, exchangeBytes, type Message } from '../support/exchange.ts'
import { memoryOf } from '../support/machine.ts'
import { acceptedEvents } from '../support/ops.ts'
import { runSluice, folderOf, startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, header, headerValues, subscriber, type Subscriber } from '../support/subscriber.ts'

let sluice: Sluice
let taker: Subscriber

beforeAll(async () => {
  taker = await subscriber()
  sluice = await startSluice({ 'default.yaml': broker() + trigger('all', taker.url) })
})

afterEach(async () => {
  const { status } = await exchange(sluice.broker, binary([['ce-id', 'next']]))
  const { id } = ceHeaders(await taker.next())
  if (status !== 202 || id !== 'next') throw new Error(`The next sender got ${status}, and ${id} arrived.`)
})

/** Which statuses the answers have, and how many events were stored. */
async function outcome(bytes: string): Promise<{ statuses: Set<number>; stored: number }> {
  const before = await acceptedEvents(sluice.api)
  const answers = await exchangeBytes(sluice.broker, Buffer.from(bytes, 'latin1'))
  return { statuses: new Set(answers.map(({ status }) => status)), stored: (await acceptedEvents(sluice.api)) - before }
}

async function refusal(message: Message): Promise<{ status: number; stored: number }> {
  const before = await acceptedEvents(sluice.api)
  const { status } = await exchange(sluice.broker, message)
  return { status, stored: (await acceptedEvents(sluice.api)) - before }
}

describe('threat 10: requests that two servers could read in two ways', () => {
  const LINE = 'POST /default/default HTTP/1.1\r\n'
  const HOST = 'Host: sluice\r\n'
  const EVENT = 'ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n'
  const SMUGGLED = `${LINE}${HOST}${EVENT}Content-Length: 0\r\n\r\n`

  test.each([
    ['Transfer-Encoding: xchunked', `${LINE}${HOST}${EVENT}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['Transfer-Encoding: gzip, chunked', `${LINE}${HOST}${EVENT}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    [
      'Transfer-Encoding: chunked, identity',
      `${LINE}${HOST}${EVENT}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    ],
    ['Transfer-Encoding: identity', `${LINE}${HOST}${EVENT}Transfer-Encoding: identity\r\n\r\n`],
    [
      'a request behind Transfer-Encoding: xchunked',
      `${LINE}${HOST}${EVENT}Transfer-Encoding: xchunked\r\n\r\n${SMUGGLED}`,
    ],
    ['a request behind two Host lines', `${LINE}${HOST}Host: other\r\n${EVENT}Content-Length: 0\r\n\r\n${SMUGGLED}`],
    [
      'two Transfer-Encoding lines',
      `${LINE}${HOST}${EVENT}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n`,
    ],
    [
      'Content-Length and Transfer-Encoding',
      `${LINE}${HOST}${EVENT}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ['two Content-Length lines', `${LINE}${HOST}${EVENT}Content-Length: 0\r\nContent-Length: 5\r\n\r\nabcde`],
    ['two equal Content-Length lines', `${LINE}${HOST}${EVENT}Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde`],
    ['Content-Length: -1', `${LINE}${HOST}${EVENT}Content-Length: -1\r\n\r\n`],
    ['Content-Length: +5', `${LINE}${HOST}${EVENT}Content-Length: +5\r\n\r\nabcde`],
    ['Content-Length: 0x5', `${LINE}${HOST}${EVENT}Content-Length: 0x5\r\n\r\nabcde`],
    ['a blank before the colon', `${LINE}${HOST}${EVENT}Content-Length : 5\r\n\r\nabcde`],
    ['bare line feeds', `${LINE}${HOST}${EVENT}\r\n`.replaceAll('\r\n', '\n')],
    ['one bare line feed', `${LINE}${HOST}ce-x: 1\nce-y: 2\r\n${EVENT}\r\n`],
    ['a folded line', `${LINE}${HOST}${EVENT}ce-x: a\r\n b\r\nContent-Length: 0\r\n\r\n`],
    ['NUL in a value', `${LINE}${HOST}${EVENT}ce-x: a\0b\r\nContent-Length: 0\r\n\r\n`],
    ['NUL in a name', `${LINE}${HOST}${EVENT}ce-\0x: a\r\nContent-Length: 0\r\n\r\n`],
    ['no Host', `${LINE}${EVENT}Content-Length: 0\r\n\r\n`],
    ['two Host lines', `${LINE}${HOST}Host: other\r\n${EVENT}Content-Length: 0\r\n\r\n`],
    ['a chunk of size zz', `${LINE}${HOST}${EVENT}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`],
    ['a chunk longer than it says', `${LINE}${HOST}${EVENT}Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n`],
    ['a chunk size beyond 64 bits', `${LINE}${HOST}${EVENT}Transfer-Encoding: chunked\r\n\r\n${'f'.repeat(17)}\r\nx`],
    ['no HTTP', 'hello\r\n\r\n'],
    ['an unknown method', `BREW${LINE.slice(4)}${HOST}${EVENT}\r\n`],
  ])('%s: 400, nothing stored, the connection ends', async (_what, bytes) => {
    expect(await outcome(bytes)).toEqual({ statuses: new Set([400]), stored: 0 })
  })
})

describe('threat 9: line breaks in attributes', () => {
  const EVIL = '%0d%0aX-Evil:1'

  test.each(['id', 'source', 'type', 'subject', 'time', 'dataschema', 'specversion', 'anything'])(
    'ce-%s: escaped line breaks become no header',
    async (name) => {
      expect(await refusal(binary([[`ce-${name}`, `a${EVIL}`]]))).toEqual({ status: 400, stored: 0 })
      const text = eventJson({ [name]: 'a\r\nX-Evil: 1' })
      expect(await refusal(structuredMode(text))).toEqual({ status: 400, stored: 0 })
    },
  )

  test('datacontenttype: line breaks become no header', async () => {
    const text = eventJson({ datacontenttype: 'text/plain\r\nX-Evil: 1' })
    expect(await refusal(structuredMode(text))).toEqual({ status: 400, stored: 0 })
  })

  test('headers that go on with an event go on as they came', async () => {
    await exchange(sluice.broker, binary([['x-request-id', `a${EVIL}`]]))
    const received = await taker.next()
    expect(header(received, 'x-request-id')).toBe(`a${EVIL}`)
    expect(headerValues(received, 'x-evil')).toEqual([])
  })
})

describe('threat 13: JSON bombs', () => {
  const bombs: [what: string, body: string][] = [
    ['nested 250,000 deep', `${'['.repeat(250_000)}${']'.repeat(250_000)}`],
    ['data nested 65 deep', json(`"data":${'['.repeat(65)}${']'.repeat(65)}`)],
    ['data nested 250,000 deep', json(`"data":${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}`)],
    ['50,000 members', json(Array.from({ length: 50_000 }, (_, n) => `"m${n}":1`).join(','))],
    ['a member 100,000 times', json(Array<string>(100_000).fill('"m":1').join(','))],
    ['a huge number as extension', json(`"n":${'9'.repeat(100_000)}`)],
    ['1e400 as extension', json('"n":1e400')],
    ['half a surrogate pair', json('"subject":"\\ud800"')],
    ['a name that is endless', json(`"${'m'.repeat(100_000)}":1`)],
  ]
  test.each(bombs)('%s: 400, nothing stored', async (_what, body) => {
    expect(await refusal(structuredMode(body))).toEqual({ status: 400, stored: 0 })
  })

  test('wide data and long numbers are data, and go through byte for byte', async () => {
    const wide = `{${Array.from({ length: 20_000 }, (_, n) => `"m${n}":1e400`).join(',')}}`
    await exchange(sluice.broker, structuredMode(json(`"data":${wide}`)))
    expect((await taker.next()).body.toString()).toBe(wide)
  })
})

describe('threat 14: names that every object has', () => {
  const NAMES = ['constructor', 'tostring', 'valueof', 'prototype', 'hasownproperty']

  test.each(NAMES)('%s is an extension like any other', async (name) => {
    await exchange(sluice.broker, binary([[`ce-${name}`, 'v']]))
    expect(ceHeaders(await taker.next())).toHaveProperty(name, 'v')
    await exchange(sluice.broker, structuredMode(json(`"${name}":"v"`)))
    expect(ceHeaders(await taker.next())).toHaveProperty(name, 'v')
    await exchange(sluice.broker, binary())
    expect(Object.keys(ceHeaders(await taker.next()))).not.toContain(name)
  })

  test.each(['/__proto__/__proto__', '/constructor/prototype', '/default/constructor', '/default/__proto__'])(
    'nothing is at %s',
    async (path) => {
      expect((await exchange(`${sluice.ingress}${path}`, binary())).status).toBe(404)
    },
  )

  test.each([
    'eventing.knative.dev/v1/namespaces/default/constructor',
    'eventing.knative.dev/v1/namespaces/__proto__/brokers/default',
    'constructor/v1/namespaces/default/brokers/default',
    'eventing.knative.dev/constructor/namespaces/default/brokers/default',
    'eventing.knative.dev/v1/namespaces/default/brokers/__proto__',
  ])('no resource is at %s', async (path) => {
    expect((await fetch(`${sluice.api}/apis/${path}`)).status).toBe(404)
  })

  test('brokers, triggers and filters may be called so, and absent attributes stay absent', async () => {
    const constructed = await subscriber()
    const other = await startSluice({
      'names.yaml': [
        broker('constructor'),
        trigger('tostring', constructed.url, ['filter: {attributes: {constructor: yes-it-is}}'], 'constructor'),
        trigger('valueof', constructed.url, ['filter: {attributes: {constructor: ""}}'], 'constructor'),
      ].join(''),
    })
    const url = `${other.ingress}/default/constructor`
    expect((await exchange(url, binary([['ce-id', 'without']]))).status).toBe(202)
    expect((await exchange(url, binary([['ce-id', 'with'], ['ce-constructor', 'yes-it-is']]))).status).toBe(202) // prettier-ignore
    const received = await constructed.received(2)
    expect(received.map((each) => ceHeaders(each)['id'])).toEqual(['with', 'with'])
    expect((await other.stop()).code).toBe(0)
    expect(constructed.all).toHaveLength(2)
  })

  test('a file that says __proto__ is told so, and changes nothing', async () => {
    const yaml = `${broker()}---\n__proto__: {kind: Broker}\napiVersion: v1\nkind: constructor\nmetadata: {name: x}\n`
    const ran = await runSluice(['validate', folderOf({ 'evil.yaml': yaml })])
    expect(ran.code).toBe(1)
    expect(ran.stderr).toMatch(/evil\.yaml:\d+:\d+/)
    expect(ran.stderr).not.toMatch(/TypeError|at .*\.ts:/)
  })
})

describe('threat 11: requests that have no end', () => {
  const HEAD =
    'POST /default/default HTTP/1.1\r\nHost: x\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n'
  const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`

  /** Sends `first`, then `again` until the connection is closed. */
  async function pour(first: string, again: string): Promise<{ statuses: number[]; stored: number; grown: number }> {
    const before = await acceptedEvents(sluice.api)
    const memory = memoryOf(sluice.process.pid!)
    const connection = await dial(sluice.broker)
    connection.write(first)
    const piece = Buffer.from(again, 'latin1')
    const more = (): void => {
      while (!connection.socket.destroyed && connection.socket.write(piece));
    }
    connection.socket.on('drain', more)
    more()
    await connection.closed
    const grown = memoryOf(sluice.process.pid!) - memory
    const stored = (await acceptedEvents(sluice.api)) - before
    return { statuses: connection.answers().map(({ status }) => status), stored, grown }
  }

  test.each([
    ['a header line', `${HEAD}ce-x: `, 'x'.repeat(10_000)],
    ['a header name', HEAD, 'x'.repeat(10_000)],
    ['header lines', HEAD, 'ce-x: y\r\n'.repeat(1000)],
    ['a request line', 'POST /', 'x'.repeat(10_000)],
    ['a chunk extension', `${CHUNKED}1;`, 'x'.repeat(10_000)],
    ['trailers', `${CHUNKED}1\r\nx\r\n0\r\n`, 'x: y\r\n'.repeat(1000)],
    ['chunks of one byte', CHUNKED, '1\r\nx\r\n'.repeat(10_000)],
    ['chunks', CHUNKED, `10000\r\n${'x'.repeat(65_536)}\r\n`],
    ['an announced body', `${HEAD}Content-Length: 100000000000\r\n\r\n`, 'x'.repeat(65_536)],
    ['blank lines', '', '\r\n'.repeat(10_000)],
  ])(
    '%s without end: the connection is closed, nothing is stored, and no memory is taken',
    async (_what, first, again) => {
      const { statuses, stored, grown } = await pour(first, again)
      for (const status of statuses) expect(status).toBeGreaterThanOrEqual(400)
      expect(stored).toBe(0)
      expect(grown).toBeLessThan(100 * 1024 * 1024)
    },
  )
})

test('fault 35: a reset in the middle of a body stores nothing; who closes only their half has their answer', async () => {
  const before = await acceptedEvents(sluice.api)
  const message = encode(sluice.broker, binary([['ce-id', 'half']], 'x'.repeat(1000)))
  for (const end of [10, 100, message.length - 1]) {
    const connection = await dial(sluice.broker)
    connection.socket.write(message.subarray(0, end), () => connection.socket.resetAndDestroy())
    await connection.closed
  }
  expect(await acceptedEvents(sluice.api)).toBe(before)
  const half = await dial(sluice.broker)
  half.socket.end(message)
  expect((await half.answer()).status).toBe(202)
  expect(ceHeaders(await taker.next())['id']).toBe('half')
})

test('threat 12: a sender that announces more than it sends stores nothing', async () => {
  const before = await acceptedEvents(sluice.api)
  const bytes =
    'POST /default/default HTTP/1.1\r\nHost: x\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\nContent-Length: 100\r\n\r\nabc'
  const connection = await dial(sluice.broker)
  connection.socket.end(bytes)
  await connection.closed
  expect(await acceptedEvents(sluice.api)).toBe(before)
})

test('threat 23: no answer shows a path of this machine, or a stack', async () => {
  for (const message of [binary([['ce-id', '']]), structuredMode('{'), { method: 'GET' }, structuredMode('x', 'a/b')]) {
    const { body } = await exchange(sluice.broker, message)
    expect(body.toString()).not.toMatch(/\.ts\b|node_modules|file:\/\//)
  }
  expect(await (await fetch(`${sluice.api}/nowhere`)).text()).not.toMatch(/\.ts\b|node_modules|file:\/\//)
})
