// Real subscribers, good and bad, and a way to send them one event and wait for the outcome.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createRawServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import { buffer } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import { Event } from '@sluice/event'
import { onTestFinished } from 'vitest'
import {
  deliverer,
  target,
  type AttemptRequest,
  type Deliverer,
  type DelivererOptions,
  type Outcome,
} from '../src/index.ts'

export interface Received {
  readonly method: string
  readonly path: string
  /** As they came: name, value, name, value. */
  readonly rawHeaders: readonly string[]
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** A subscriber on node:http. It answers by `answer`, or 202. */
export async function subscriber(
  answer: (response: ServerResponse, request: Received) => void = (response) => response.writeHead(202).end(),
): Promise<{ url: string; received: Received[]; connections: () => number; closed: () => number }> {
  const received: Received[] = []
  let connections = 0
  let closed = 0
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    void buffer(request).then((body) => {
      const { method = '', url: path = '', rawHeaders, headers } = request
      received.push({ method, path, rawHeaders, headers, body })
      answer(response, received.at(-1)!)
    })
  })
  server.on('connection', (socket) => {
    connections++
    socket.on('close', () => closed++)
  })
  const url = await listen(server)
  return { url, received, connections: () => connections, closed: () => closed }
}

/** What a subscriber sees that speaks TLS. */
export interface SecurelyReceived extends Received {
  /** Whom the client certificate of its connection is for, in words; '' without one. */
  readonly client: string
  /** Its connection, by number. */
  readonly connection: number
}

/** A subscriber on node:https. It answers 202. */
export async function secureSubscriber(
  options: ServerOptions,
): Promise<{ url: string; received: SecurelyReceived[]; resumed: () => number }> {
  const received: SecurelyReceived[] = []
  const numbers = new Map<Socket, number>()
  let resumed = 0
  const server = createSecureServer({ keepAliveTimeout: 60_000, ...options }, (request, response) => {
    void buffer(request).then((body) => {
      const { method = '', url: path = '', rawHeaders, headers } = request
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server of TLS has no other sockets
      const socket = request.socket as TLSSocket
      const name = socket.getPeerCertificate().subject as { CN?: string } | undefined
      const connection = numbers.get(socket) ?? 0
      received.push({ method, path, rawHeaders, headers, body, client: name?.CN ?? '', connection })
      response.writeHead(202).end()
    })
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    numbers.set(socket, numbers.size + 1)
    if (socket.isSessionReused()) resumed++
  })
  server.on('tlsClientError', () => {})
  const url = (await listen(server)).replace('http:', 'https:')
  return { url, received, resumed: () => resumed }
}

/** What a raw subscriber sees of one connection. */
export interface RawConnection {
  readonly socket: Socket
  /** 1 for the first connection. */
  readonly number: number
  /** Resolves with the n-th request on this connection, head and body, as soon as all of it is there. */
  readonly request: (n?: number) => Promise<string>
  /** Resolves once both directions are closed, or reset. */
  readonly closed: Promise<void>
}

/** A subscriber that does with each connection what `behave` says. */
export async function rawSubscriber(
  behave: (connection: RawConnection) => unknown,
): Promise<{ url: string; connections: RawConnection[] }> {
  const connections: RawConnection[] = []
  const server = createRawServer({ allowHalfOpen: true }, (socket) => {
    const connection = rawConnection(socket, connections.length + 1)
    connections.push(connection)
    behave(connection)
  })
  return { url: await listen(server), connections }
}

function rawConnection(socket: Socket, number: number): RawConnection {
  const requests: string[] = []
  let text = ''
  let changed = Promise.withResolvers<void>()
  socket.setEncoding('latin1')
  socket.on('error', () => {})
  socket.on('data', (chunk: string) => {
    text += chunk
    for (let end = endOfRequest(text); end !== -1; end = endOfRequest(text)) {
      requests.push(text.slice(0, end))
      text = text.slice(end)
    }
    changed.resolve()
    changed = Promise.withResolvers()
  })
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  socket.on('close', () => resolve())
  socket.on('end', () => socket.end())
  return {
    socket,
    number,
    closed,
    request: async (n = 1) => {
      while (requests.length < n) await changed.promise
      return requests[n - 1]!
    },
  }
}

function endOfRequest(text: string): number {
  const head = text.indexOf('\r\n\r\n')
  if (head === -1) return -1
  const length = /content-length: (\d+)/i.exec(text)?.[1] ?? '0'
  const end = head + 4 + Number(length)
  return text.length >= end ? end : -1
}

/** Listens on a free port of 127.0.0.1, or on a given one; everything is closed after the test. */
export async function listen(server: Server, port = 0): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is no string
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** A deliverer that is closed after the test. */
export function testDeliverer(options: DelivererOptions = {}): Deliverer {
  const made = deliverer(options)
  onTestFinished(() => made.close({ deadlineMs: 0 }))
  return made
}

/** An event of about `bytes` of JSON data. */
export function orderPlaced(bytes = 20, extensions: Record<string, string> = {}): Event {
  const attributes = new Map(
    Object.entries({
      specversion: '1.0',
      id: 'order-1',
      source: '/shop',
      type: 'com.example.order.placed',
      datacontenttype: 'application/json',
      ...extensions,
    }),
  )
  return new Event(attributes, Buffer.from(JSON.stringify({ pad: 'x'.repeat(Math.max(0, bytes - 10)) })))
}

/** One turn of the event loop. undici uses a connection again only in the turn after its answer. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** One attempt, as the broker makes it for a trigger. */
export function attempt(sender: Deliverer, url: string, changes: Partial<AttemptRequest> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    sender.send(
      {
        target: target(url),
        event: orderPlaced(),
        timeoutMs: 30_000,
        format: 'binary',
        headers: ['prefer', 'reply'],
        reply: true,
        ...changes,
      },
      resolve,
    )
  })
}
