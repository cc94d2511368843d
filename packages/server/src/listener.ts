// One HTTP listener: Fastify on a node:http server of ours, whose limits hold for Fastify and for what runs ahead of it.

import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import type { Address } from './address.ts'
import { answerError } from './answer.ts'
import { refuseAmbiguous } from './framing.ts'
import type { ServerLimits } from './limits.ts'

/** Handles a request ahead of Fastify, or returns false and leaves it alone. */
export type Ahead = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => boolean

export interface Listener {
  readonly routes: FastifyInstance
  /** Binds, and returns the real address: `http://127.0.0.1:8080`. Throws `SLUICE_LISTEN` with words for people. */
  listen(address: Address): Promise<string>
  /** Takes no new connections, lets answers under way finish, and closes; after `deadlineMs` whatever is still open. */
  close(options: { deadlineMs: number }): Promise<void>
}

/** In a path: names of resources have 253, those of dead letters that of their broker and more. */
const NAME_CHARACTERS_MAX = 500

/** Makes a listener that is not open yet; `instead` tells who came to a path that nobody has where to go. */
export function openListener(clock: Clock, limits: ServerLimits, instead: string, ahead?: Ahead): Listener {
  let server: Server | undefined
  const routes = fastify({
    logger: false,
    routerOptions: { maxParamLength: NAME_CHARACTERS_MAX },
    forceCloseConnections: 'idle',
    // Such as a path that can't be percent-decoded.
    frameworkErrors: (_error, request, reply) => {
      reply.hijack()
      answerError(reply.raw, notFound(request.method, request.url, instead))
    },
    serverFactory: (handler) => (server = createLimited(limits, handler, ahead)),
  })
  // No route here takes a body yet: what comes with a request to nowhere is nobody's to parse.
  routes.removeAllContentTypeParsers()
  routes.addContentTypeParser('*', (_request, _body, done) => done(null))
  routes.setNotFoundHandler((request, reply) => {
    reply.hijack()
    answerError(reply.raw, notFound(request.method, request.url, instead))
  })

  return {
    routes,
    async listen({ host, port }) {
      try {
        await routes.listen({ host, port })
      } catch (cause) {
        throw listenFailed(host, port, cause)
      }
      const bound = (server as Server).address() as AddressInfo
      return `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`
    },
    async close({ deadlineMs }) {
      const timer = clock.setTimer(deadlineMs, () => server?.closeAllConnections())
      await routes.close()
      timer.cancel()
    },
  }
}

function createLimited(limits: ServerLimits, handler: RequestListener, ahead: Ahead | undefined): Server {
  const route = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    if (refuseAmbiguous(request, response)) return
    if (ahead !== undefined && ahead(request, response, expectsContinue)) return
    if (expectsContinue) response.writeContinue()
    handler(request, response)
  }
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: 1000,
      insecureHTTPParser: false,
      requireHostHeader: true,
    },
    (request, response) => route(request, response, false),
  )
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => route(request, response, true))
  server.maxConnections = limits.connectionsMax
  server.maxHeadersCount = 0 // Node would drop further ones in silence; the ingress counts and refuses
  return server
}

function notFound(method: string, url: string, instead: string): SluiceError {
  return new SluiceError('SLUICE_PATH_UNKNOWN', `Nothing answers ${method} ${url.slice(0, 200)} here. ${instead}`, {
    status: 404,
  })
}

function listenFailed(host: string, port: number, cause: unknown): SluiceError {
  const code = (cause as NodeJS.ErrnoException).code
  const why =
    code === 'EADDRINUSE'
      ? 'Another process has it. Stop that one, or choose another port (0 = a free one).'
      : code === 'EACCES'
        ? 'This user may not. Choose a port above 1023.'
        : (cause as Error).message
  return new SluiceError('SLUICE_LISTEN', `Can't listen on ${host}:${port}. ${why}`, { cause })
}
