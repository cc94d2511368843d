// Subscribers that write what they got into the ledger, and answer as they are told. As `support/subscriber.ts`, for many
// events: nothing of a request is kept.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { atEnd } from '../support/cleanup.ts'
import type { Ledger } from './ledger.ts'

/** What a sink answers to an event; a promise: later. */
export type AnswerTo = (id: string) => number | Promise<number>

/** A running sink. */
export interface Sink {
  readonly url: string
  /** Answers so from now on. */
  answer(answer: AnswerTo): void
  /** Takes nothing any more, until it is opened again at its port. */
  close(): Promise<void>
  open(): Promise<void>
  /** Resolves once no connection is open: of a process that has ended, all is read that it had on its way. */
  idle(): Promise<void>
}

/** Starts a sink of this name; without `answer` it takes everything. */
export async function openSink(ledger: Ledger, name: string, answer: AnswerTo = () => 202): Promise<Sink> {
  let current = answer
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => void take(request, response))
  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = String(request.headers['ce-id'])
    const data = await buffer(request).catch(() => undefined)
    if (data === undefined) return // the process was killed
    const status = await current(id)
    if (request.socket.destroyed) return // as well, while this one thought about it
    ledger.received(name, id, status, data)
    response.writeHead(status).end()
  }
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // the process was killed
    socket.on('close', () => sockets.delete(socket))
  })
  const idle = async (): Promise<void> => {
    await setImmediate() // who has just connected is among them
    for (const socket of sockets) if (!socket.destroyed) await once(socket, 'close').catch(() => {})
  }
  let port = 0
  const open = async (): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is no string
    port = (server.address() as AddressInfo).port
  }
  const close = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  await open()
  atEnd(close)
  return { url: `http://127.0.0.1:${port}/`, answer: (next) => void (current = next), open, close, idle }
}
