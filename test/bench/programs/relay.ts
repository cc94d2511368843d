// The relay that the programs beside Sluice are made of: the least that an HTTP hop in Node can do and still be
// honest. It reads the whole request, posts it on one of 64 kept-alive connections, and answers what came back.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Pool, type Dispatcher } from 'undici'
import { listenOnLoopback } from '../listen.ts'

/** What is sent on for a request: header names and values in turn, and the body. */
export interface Forwarded {
  readonly headers: string[]
  readonly body: Buffer
}

/** Makes the forwarded request from the headers as they came, without the hop's own, and the body. */
export type Rewrite = (headers: string[], body: Buffer) => Forwarded

const UPSTREAM_CONNECTIONS = 64
/** Headers that belong to one connection (RFC 9110 section 7.6.1), and those that undici writes itself. */
const HOP_HEADERS = new Set(['host', 'connection', 'keep-alive', 'transfer-encoding', 'te', 'upgrade', 'trailer'])

/** Relays every request to `upstream` (origin and path); prints `relay ready ingress=URL` once it listens. */
export async function relay(upstream: string, rewrite: Rewrite): Promise<void> {
  const { origin, pathname } = new URL(upstream)
  const pool = new Pool(origin, { connections: UPSTREAM_CONNECTIONS })
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      const forwarded = rewrite(withoutHopHeaders(request), body)
      const { headers } = forwarded
      pool.dispatch({ path: pathname, method: 'POST', headers, body: forwarded.body }, new Answer(response))
    })
  })
  process.on('disconnect', () => process.exit())
  process.stdout.write(`relay ready ingress=${await listenOnLoopback(server)}\n`)
}

/** The rewrite of a relay that changes nothing. */
export const unchanged: Rewrite = (headers, body) => ({ headers, body })

function withoutHopHeaders(request: IncomingMessage): string[] {
  const { rawHeaders } = request
  const kept: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    if (!HOP_HEADERS.has(name.toLowerCase())) kept.push(name, rawHeaders[at + 1]!)
  }
  return kept
}

/** Writes what the upstream answers into the response of the request that waits for it. */
class Answer implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse
  constructor(response: ServerResponse) {
    this.#response = response
  }
  onRequestStart(): void {}
  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Record<string, unknown>): void {
    const length = headers['content-length']
    this.#response.writeHead(status, typeof length === 'string' ? ['content-length', length] : [])
  }
  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#response.write(chunk)
  }
  onResponseEnd(): void {
    this.#response.end()
  }
  onResponseError(): void {
    this.#response.writeHead(502).end()
  }
}
