// A sender that writes exactly the bytes it is told to, and reads the answer: nothing is checked, fixed or added.

import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

/** An HTTP answer. */
export interface HttpAnswer {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Of the body, where it is JSON. */
  json(): { code?: string; message?: string; subject?: string }
}

/** A request as lines; values are written a byte per character. */
export interface Message {
  readonly method?: string
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: string | Buffer
  /** Sends the body in chunks of this size instead of with Content-Length. */
  readonly chunkBytes?: number
}

/** Sends a request on a connection of its own, and resolves with the final answer. */
export async function exchange(url: string, message: Message = {}): Promise<HttpAnswer> {
  const answers = await exchangeBytes(url, encode(url, message))
  const last = answers.at(-1)
  if (last === undefined) throw new Error(`${url} closed the connection without an answer`)
  return last
}

/** The bytes of a request that asks for the connection to be closed after it. */
export function encode(url: string, { method = 'POST', headers = [], body = '', chunkBytes }: Message): Buffer {
  const { host, pathname, search } = new URL(url)
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const lines = [`${method} ${pathname}${search} HTTP/1.1`, `Host: ${host}`, 'Connection: close']
  for (const [name, value] of headers) lines.push(`${name}: ${value}`)
  if (chunkBytes !== undefined) lines.push('Transfer-Encoding: chunked')
  else if (bytes.length > 0 || method === 'POST') lines.push(`Content-Length: ${bytes.length}`)
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  return Buffer.concat([head, chunkBytes === undefined ? bytes : chunked(bytes, chunkBytes)])
}

function chunked(bytes: Buffer, chunkBytes: number): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.subarray(at, at + chunkBytes)
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

/** Writes bytes on a connection of its own; resolves with every answer, once the other side has closed it. */
export async function exchangeBytes(url: string, bytes: Buffer | string): Promise<HttpAnswer[]> {
  const connection = await dial(url)
  connection.write(bytes)
  await connection.closed
  return connection.answers()
}

/** A connection that a test writes to piece by piece. */
export interface Connection {
  readonly socket: Socket
  write(bytes: Buffer | string): void
  /** The whole answers so far. */
  answers(): HttpAnswer[]
  /** Resolves with the `n`-th answer, `100 Continue` counted. Rejects where the connection closes before. */
  answer(n?: number): Promise<HttpAnswer>
  /** Resolves once it is closed, by whomever and however. */
  readonly closed: Promise<void>
}

/** Opens a connection to the server of a URL; `from`: an address of this machine, such as `127.0.0.2` on Linux. */
export async function dial(url: string, from?: string): Promise<Connection> {
  const { hostname, port } = new URL(url)
  const own = from === undefined ? {} : { localAddress: from }
  const socket = connect({ host: hostname, port: Number(port), ...own })
  await once(socket, 'connect')
  let received = Buffer.alloc(0)
  let isClosed = false
  let changed = Promise.withResolvers<void>()
  const { promise: closed, resolve: close } = Promise.withResolvers<void>()
  const tell = (): void => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  socket.on('error', () => {}) // the other side may reset while this one still writes
  socket.on('data', (piece: Buffer) => {
    received = Buffer.concat([received, piece])
    tell()
  })
  socket.on('close', () => {
    isClosed = true
    close()
    tell()
  })
  return {
    socket,
    closed,
    write: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    answers: () => parse(received),
    async answer(n = 1) {
      for (;;) {
        const found = parse(received)[n - 1]
        if (found !== undefined) return found
        if (isClosed) throw new Error(`closed after ${parse(received).length} answers: ${received.toString('latin1')}`)
        await changed.promise
      }
    },
  }
}

function parse(received: Buffer): HttpAnswer[] {
  const answers: HttpAnswer[] = []
  for (let at = 0; at < received.length;) {
    const headEnd = received.indexOf('\r\n\r\n', at)
    if (headEnd === -1) break
    const [statusLine = '', ...lines] = received.toString('latin1', at, headEnd).split('\r\n')
    const headers = Object.fromEntries(lines.map(headerOf))
    const bodyStart = headEnd + 4
    // In chunks come only answers of Node's own, and these have no body.
    const bodyLength = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : 5
    const bodyEnd = bodyStart + bodyLength
    if (received.length < bodyEnd) break
    answers.push(httpAnswer(Number(statusLine.split(' ')[1]), headers, received.subarray(bodyStart, bodyEnd)))
    at = bodyEnd
  }
  return answers
}

function headerOf(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}

function httpAnswer(status: number, headers: Record<string, string>, body: Buffer): HttpAnswer {
  return { status, headers, body, json: () => JSON.parse(body.toString('utf8')) }
}
