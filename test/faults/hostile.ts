// Subscribers of every bad sort, on raw sockets: what each does, and what has to become of an event that it is sent.

import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { atEnd } from '../support/cleanup.ts'

/** One sort. */
export interface Hostile {
  readonly name: string
  /** On each connection. */
  readonly behave: (socket: Socket) => void
  /** `taken`, or the code that the dead letter has where one try is all there is: 500 where there was no answer. */
  readonly end: 'taken' | number
  /** That is its end because the time is over. */
  readonly hangs?: boolean
  /** Default `http`. */
  readonly scheme?: 'http' | 'https'
}

/** Starts one; its address. */
export async function startHostile({ behave, scheme = 'http' }: Hostile): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('end', () => socket.end())
    behave(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is no string
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const OK = 'HTTP/1.1 200 OK\r\n'
const ACCEPTED = 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n'
const REPLY = `${OK}ce-specversion: 1.0\r\nce-id: r\r\nce-source: /r\r\nce-type: reply\r\n`
const CHUNKED = 'transfer-encoding: chunked\r\n\r\n'
const KIB = 1024

/** All of them. */
export const HOSTILES: readonly Hostile[] = [
  // fault 25
  hostile('speaks SSH', answering('SSH-2.0-OpenSSH_9.6\r\n'), 500),
  { ...hostile('speaks no TLS', answering('HTTP/1.1 400 Bad Request\r\n\r\n'), 500), scheme: 'https' },
  { ...hostile('answers TLS with garbage', answering('\x16\x03\x03\x00\x02\x02\x28garbage'), 500), scheme: 'https' },
  { ...hanging('never ends the TLS handshake', () => {}, 500), scheme: 'https' },
  // fault 26
  hanging('accepts and never answers', (socket) => socket.resume(), 500),
  hanging('never reads', () => {}, 500),
  hanging('sends half of its headers', answering(`${OK}content-`), 500),
  hanging('drips its headers', dripping(`${OK}x: `, 'y'), 500),
  hanging('drips its reply', dripping(`${REPLY}content-length: 100000\r\n\r\n`, 'z'), 502),
  hanging('never ends the body of a failure', answering('HTTP/1.1 418 No\r\ncontent-length: 9\r\n\r\n'), 418),
  // fault 27
  hostile('resets at once', (socket) => socket.resetAndDestroy(), 500),
  hostile('resets instead of an answer', onRequest((socket) => socket.resetAndDestroy()), 500), // prettier-ignore
  hostile('resets in its headers', onRequest((socket) => socket.write(`${OK}x`, () => socket.resetAndDestroy())), 500), // prettier-ignore
  hostile(
    'closes its half without an answer',
    onRequest((socket) => socket.end()),
    500,
  ),
  hostile('resets after its answer', onRequest((socket) => socket.write(ACCEPTED, () => setImmediate(() => socket.resetAndDestroy()))), 'taken'), // prettier-ignore
  hostile(
    'closes what it said it keeps',
    onRequest((socket) => socket.end(ACCEPTED)),
    'taken',
  ),
  // fault 28
  hostile(
    'ends a success early',
    onRequest((socket) => socket.end(`${OK}content-length: 100\r\n\r\nshort`)),
    'taken',
  ),
  hostile(
    'ends a reply early',
    onRequest((socket) => socket.end(`${REPLY}content-length: 100\r\n\r\nshort`)),
    502,
  ),
  hostile(
    'speaks HTTP/1.0',
    onRequest((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nfine')),
    'taken',
  ),
  // fault 29
  hostile('sends headers without end', flooding(OK, `x-header: ${'y'.repeat(1000)}\r\n`), 500),
  hostile('sends a header line without end', flooding(`${OK}x: `, 'y'.repeat(64 * KIB)), 500),
  hostile('sends a reason without end', flooding('HTTP/1.1 200 ', 'y'.repeat(64 * KIB)), 500),
  hostile('sends empty lines without end', flooding('', '\r\n'.repeat(32 * KIB)), 500),
  hostile('sends 100 Continue without end', flooding('', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)), 500),
  hostile('sends 103 without end', flooding('', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)), 500),
  hostile('sends a body without end', flooding(`${OK}${CHUNKED}`, `10000\r\n${'x'.repeat(64 * KIB)}\r\n`), 'taken'),
  hostile('sends a reply without end', flooding(`${REPLY}${CHUNKED}`, `10000\r\n${'x'.repeat(64 * KIB)}\r\n`), 502),
  hostile('sends an extension of a chunk without end', flooding(`${REPLY}${CHUNKED}1;`, 'x'.repeat(64 * KIB)), 502),
  hostile('announces a reply of 10 GB', flooding(`${REPLY}content-length: 10000000000\r\n\r\n`, 'x'.repeat(64 * KIB)), 502), // prettier-ignore
  hostile('sends a gzip bomb', answering(gzipBomb()), 502),
  // fault 30
  hostile('replies without a type', answering(`${OK}ce-specversion: 1.0\r\nce-id: r\r\nce-source: /r\r\ncontent-length: 0\r\n\r\n`), 502), // prettier-ignore
  hostile('replies with a JSON bomb', answering(json('['.repeat(200_000))), 502),
  hostile('replies with a prototype', answering(json('{"specversion":"1.0","id":"1","source":"/","type":"t","__proto__":{}}')), 502), // prettier-ignore
  hostile('replies with a line break in an attribute', answering(`${REPLY}ce-subject: a%0d%0ax: y\r\ncontent-length: 0\r\n\r\n`), 502), // prettier-ignore
  // threat 10
  hostile('answers in two framings', answering(`${OK}content-length: 5\r\n${CHUNKED}0\r\n\r\n`), 500),
  hostile('answers twice', answering(ACCEPTED + ACCEPTED), 'taken'),
  hostile('answers before it reads', (socket) => socket.end(ACCEPTED), 'taken'),
  // threat 3, fault 23, fault 21
  hostile('redirects to the metadata address', answering('HTTP/1.1 307 T\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n'), 307), // prettier-ignore
  hostile('is gone', answering('HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n'), 410),
  hostile('asks for a thousand years', answering(`HTTP/1.1 503 No\r\nretry-after: ${'9'.repeat(12)}\r\ncontent-length: 0\r\n\r\n`), 503), // prettier-ignore
]

function hostile(name: string, behave: Hostile['behave'], end: Hostile['end']): Hostile {
  return { name, behave, end }
}

function hanging(...what: Parameters<typeof hostile>): Hostile {
  return { ...hostile(...what), hangs: true }
}

/** Does something once it has read a request, and again after each further one. */
function onRequest(act: (socket: Socket) => void): Hostile['behave'] {
  return (socket) => {
    let missing = -1
    let head = ''
    socket.on('data', (chunk: Buffer) => {
      if (missing === -1) {
        head += chunk.toString('latin1')
        const end = head.indexOf('\r\n\r\n')
        if (end === -1) return
        missing = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0) - (head.length - end - 4)
      } else missing -= chunk.length
      if (missing > 0) return
      missing = -1
      head = ''
      act(socket)
    })
  }
}

/** Answers each request with these bytes. */
function answering(answer: string | Buffer): Hostile['behave'] {
  return onRequest((socket) => socket.write(typeof answer === 'string' ? Buffer.from(answer, 'latin1') : answer))
}

/** Sends this again and again, for as long as somebody reads it. */
function flooding(head: string, piece: string): Hostile['behave'] {
  return onRequest((socket) => {
    const go = (): void => {
      while (!socket.destroyed && socket.write(piece));
    }
    if (head !== '') socket.write(head)
    socket.on('drain', go)
    go()
  })
}

/** Sends a piece every 20 ms. */
function dripping(head: string, piece: string): Hostile['behave'] {
  return onRequest((socket) => {
    socket.write(head)
    const timer = setInterval(() => socket.write(piece), 20)
    socket.on('close', () => clearInterval(timer))
  })
}

function json(body: string): string {
  return `${OK}content-type: application/cloudevents+json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

function gzipBomb(): Buffer {
  const bomb = gzipSync(Buffer.alloc(200 * KIB * KIB))
  return Buffer.concat([Buffer.from(`${REPLY}content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`), bomb])
}
