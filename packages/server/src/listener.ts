// One HTTP listener: Fastify on a node:http server of ours, whose limits hold for Fastify and for what runs ahead of it.

import { constants } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import fastify, { type FastifyInstance } from 'fastify'
import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import type { Address } from './address.ts'
import { answerError } from './answer.ts'
import type { Certificate, LiveCertificate } from './certificate.ts'
import { boundConnections, type Crowd } from './connections.ts'
import { refuseAmbiguous } from './framing.ts'
import type { ServerLimits } from './limits.ts'
import { toOriginForm } from './request-target.ts'
import { answerUnreadable } from './unreadable.ts'

/** Handles a request ahead of Fastify, or returns false and leaves it alone. */
export type Ahead = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => boolean

export interface Listener {
  readonly routes: FastifyInstance
  /** Binds, and returns the real address, such as `http://127.0.0.1:8080`. Throws `SLUICE_LISTEN` with words for people. */
  listen(address: Address): Promise<string>
  /** Takes no new connections, lets answers under way finish, and closes; after `deadlineMs` whatever is still open. */
  close(options: { deadlineMs: number }): Promise<void>
}

/** In a path: names of resources have 253, those of dead letters that of their broker and more. */
const NAME_CHARACTERS_MAX = 500

/** What a listener is made of. */
export interface ListenerOptions {
  readonly clock: Clock
  readonly limits: ServerLimits
  /** Tells who came to a path that nobody has where to go. */
  readonly instead: string
  readonly ahead?: Ahead
  /** It speaks TLS by this one; absent: it speaks plain HTTP. */
  readonly certificate?: LiveCertificate
  /** Whether it has answers that go on, of which nobody knows when the next part comes. */
  readonly hasStreams?: boolean
  /** A connection was closed as soon as it was open: there are too many. */
  readonly refused?: (crowd: Crowd) => void
  /** A TLS handshake has failed, for this reason. */
  readonly handshakeFailed?: (why: string) => void
}

/** Makes a listener that is not open yet. */
export function openListener(options: ListenerOptions): Listener {
  const { clock, instead } = options
  let server: Server | undefined
  const routes = fastify({
    logger: false,
    routerOptions: { maxParamLength: NAME_CHARACTERS_MAX },
    forceCloseConnections: 'idle',
    clientErrorHandler: (error, socket) => answerUnreadable(error, socket, options.limits),
    // Such as a path that can't be percent-decoded.
    frameworkErrors: (_error, request, reply) => {
      reply.hijack()
      answerError(reply.raw, notFound(request.method, request.url, instead))
    },
    serverFactory: (handler) => (server = createLimited(options, handler)),
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
      const scheme = options.certificate === undefined ? 'http' : 'https'
      return `${scheme}://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`
    },
    async close({ deadlineMs }) {
      const timer = clock.setTimer(deadlineMs, () => server?.closeAllConnections())
      await routes.close()
      timer.cancel()
    },
  }
}

function createLimited(options: ListenerOptions, handler: RequestListener): Server {
  const { limits, ahead, hasStreams = false, refused = () => {} } = options
  const route = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    if (hasStreams) response.on('timeout', cutOffUnlessQuiet)
    if (refuseAmbiguous(request, response)) return
    if ((request.url as string).charCodeAt(0) !== SLASH) toOriginForm(request)
    if (ahead !== undefined && ahead(request, response, expectsContinue)) return
    if (expectsContinue) response.writeContinue()
    handler(request, response)
  }
  const http = {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: 1000,
    insecureHTTPParser: false,
    requireHostHeader: true,
  }
  const handle: RequestListener = (request, response) => route(request, response, false)
  const { certificate } = options
  const server = certificate === undefined ? createServer(http, handle) : createTls(http, handle, certificate, options)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => route(request, response, true))
  server.on('checkExpectation', ({ headers }: IncomingMessage, response: ServerResponse) =>
    answerError(response, unknownExpectation(headers.expect)),
  )
  server.timeout = limits.inactivityTimeoutMs
  // Who ends their half after a request waits for its answer (RFC 9112, 9.6); who follows a stream has gone.
  Object.assign(server, { httpAllowHalfOpen: !hasStreams })
  boundConnections(server, limits, refused)
  server.maxHeadersCount = 0 // Node would drop further ones in silence; the ingress counts and refuses
  return server
}

const SLASH = 0x2f

/** Of a connection on which nothing has moved for a while: it may be that there was nothing to say. */
function cutOffUnlessQuiet(socket: Socket): void {
  if (socket.writableLength > 0) socket.destroy()
}

/** What a new connection is secured by. Nobody may have a connection secured anew at our cost (threat 11). */
function secured({ cert, key }: Certificate): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_RENEGOTIATION }
}

function createTls(
  http: object,
  handle: RequestListener,
  certificate: LiveCertificate,
  { limits, handshakeFailed }: ListenerOptions,
): Server {
  const tls = { ...secured(certificate.now), handshakeTimeout: limits.headersTimeoutMs, ALPNProtocols: ['http/1.1'] }
  const server = createTlsServer({ ...http, ...tls }, handle)
  certificate.onChange((next) => server.setSecureContext(secured(next)))
  server.on('tlsClientError', (error: NodeJS.ErrnoException) => handshakeFailed?.(error.code ?? error.message))
  return server
}

function unknownExpectation(expect = ''): SluiceError {
  const message = `Expect is ${JSON.stringify(expect.slice(0, 80))}; only "100-continue" is known. Nothing was stored.`
  return new SluiceError('SLUICE_REQUEST_EXPECTATION', message, { status: 417 })
}

function notFound(method: string, url: string, instead: string): SluiceError {
  return new SluiceError('SLUICE_PATH_UNKNOWN', `Nothing answers ${method} ${pathOf(url)} here. ${instead}`, {
    status: 404,
  })
}

/** Without the query, which may hold a token (CloudEvents WebHook 3.2). */
function pathOf(url: string): string {
  return url.replace(/\?.*/s, '').slice(0, 200)
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
