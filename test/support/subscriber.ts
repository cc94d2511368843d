// A subscriber: keeps what it gets, bytes as they came, and answers as the test says.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { atEnd } from './cleanup.ts'

/** One request as it came. */
export interface Received {
  readonly method: string
  readonly path: string
  /** Name, value, name, value; a byte per character. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

/** A status, or more; `reset` breaks the connection off. */
export type Answer =
  | number
  | 'reset'
  | { readonly status: number; readonly headers?: readonly string[]; readonly body?: string | Buffer }

/** What a subscriber answers to its `n`-th request, 1 being the first. A promise that never resolves: nothing. */
export type Script = (request: Received, n: number) => Answer | Promise<Answer>

/** A running subscriber. */
export interface Subscriber {
  /** `http://127.0.0.1:PORT/`, or `https://…` */
  readonly url: string
  readonly port: number
  /** Everything so far. */
  readonly all: readonly Received[]
  /** Resolves with the first `n`, once they are there. */
  received(n: number): Promise<readonly Received[]>
  /** Resolves with the one after those that `next` gave before. */
  next(): Promise<Received>
  /** Answers by this script from now on. */
  answer(script: Script): void
  /** Takes nothing any more; connections are broken off. */
  close(): Promise<void>
}

const open = new Set<Subscriber>()
atEnd(async () => {
  await Promise.all([...open].map((each) => each.close()))
})

/** Of {@link subscriber}: its port, and what it speaks TLS by. */
export interface SubscriberOptions {
  readonly port?: number
  readonly tls?: ServerOptions
}

/** Starts a subscriber that answers by `script`; without one, 202. */
export async function subscriber(
  script: Script = () => 202,
  { port: wanted = 0, tls }: SubscriberOptions = {},
): Promise<Subscriber> {
  const all: Received[] = []
  let current = script
  let taken = 0
  let changed = Promise.withResolvers<void>()
  const limits = { keepAliveTimeout: 60_000, maxHeaderSize: 64 * 1024 }
  const take = (request: IncomingMessage, response: ServerResponse): void => void receive(request, response)
  const server = tls === undefined ? createServer(limits, take) : createSecureServer({ ...limits, ...tls }, take)

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request).catch(() => undefined)
    if (body === undefined) return // the sender broke off
    const { method = '', url = '', rawHeaders } = request
    const arrived = { method, path: url, rawHeaders, body }
    const n = all.push(arrived)
    changed.resolve()
    changed = Promise.withResolvers()
    write(response, await current(arrived, n))
  }

  async function received(n: number): Promise<readonly Received[]> {
    while (all.length < n) await changed.promise
    return all.slice(0, n)
  }

  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(wanted, '127.0.0.1')
  await once(server, 'listening')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is no string
  const { port } = server.address() as AddressInfo
  const running: Subscriber = {
    url: `http${tls === undefined ? '' : 's'}://127.0.0.1:${port}/`,
    port,
    all,
    received,
    async next() {
      const n = ++taken
      return (await received(n))[n - 1]!
    },
    answer: (next) => void (current = next),
    async close() {
      open.delete(running)
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  open.add(running)
  return running
}

function write(response: ServerResponse, answer: Answer): void {
  if (answer === 'reset') return void response.socket?.resetAndDestroy()
  if (typeof answer === 'number') return void response.writeHead(answer).end()
  response.writeHead(answer.status, [...(answer.headers ?? [])]).end(answer.body)
}

/** Every value of a header, in order; a byte per character. */
export function headerValues(received: Pick<Received, 'rawHeaders'>, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < received.rawHeaders.length; i += 2) {
    if (received.rawHeaders[i]!.toLowerCase() === name) values.push(received.rawHeaders[i + 1]!)
  }
  return values
}

/** The value of a header that may be there once at most. */
export function header(received: Pick<Received, 'rawHeaders'>, name: string): string | undefined {
  const values = headerValues(received, name)
  if (values.length > 1) throw new Error(`header ${name} is there ${values.length} times: ${values.join(' | ')}`)
  return values[0]
}

/** The attributes of a binary-mode event as they stand on the wire, without those that a broker adds. */
export function ceHeaders(received: Received): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (let i = 0; i < received.rawHeaders.length; i += 2) {
    const name = received.rawHeaders[i]!.toLowerCase()
    if (name.startsWith('ce-') && name !== 'ce-knativearrivaltime')
      attributes[name.slice(3)] = received.rawHeaders[i + 1]!
  }
  return attributes
}

/** Ids of the events that came in binary mode. */
export function idsOf(taker: Subscriber): Set<string> {
  return new Set(taker.all.map((each) => ceHeaders(each)['id']!))
}

/** The event of a structured-mode request, without what a broker adds. */
export function structured(received: Received): Record<string, unknown> {
  const type = header(received, 'content-type')
  if (!type?.startsWith('application/cloudevents+json')) throw new Error(`not structured, but ${String(type)}`)
  const event: Record<string, unknown> = JSON.parse(received.body.toString('utf8'))
  delete event['knativearrivaltime']
  return event
}
