// A request becomes an event, or a reason why not. Hot path (bench: test/bench, G1): plain node:http, ahead of Fastify.
//
// From: a sender. Next: broker/src/broker.ts, whose `accept` resolves once the event is stored: only then 202.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Broker } from '@sluice/broker'
import { SluiceError, decodeHttp, type DecodeLimits } from '@sluice/event'
import { answer, answerError } from './answer.ts'
import type { ServerLimits } from './limits.ts'

/** Finds the broker of a path, or throws a SluiceError: 404 for none, 503 while starting or stopping. */
export type FindBroker = (namespace: string, name: string) => Broker

/** Answers a request to `/{namespace}/{broker}`; returns false, having done nothing, for any other path. */
export type Ingress = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => boolean

export function ingress(findBroker: FindBroker, limits: ServerLimits): Ingress {
  const decodeLimits: Partial<DecodeLimits> = { maxEventBytes: limits.eventBytesMax }
  const reading = { bytes: 0 }

  return (request, response, expectsContinue) => {
    const path = brokerPath(request.url as string)
    if (path === undefined) return false
    if (request.method !== 'POST') {
      answerOther(request, response)
      return true
    }
    try {
      checkHead(request, response, limits)
      const broker = findBroker(path.namespace, path.name)
      const bytesMax = bodyBytesMax(request, limits)
      const announced = announcedBytes(request, bytesMax)
      const retryAfterMs = broker.room(announced)
      if (retryAfterMs > 0) throw noRoom(path.namespace, path.name, retryAfterMs)
      if (expectsContinue) response.writeContinue()
      readBody(request, response, bytesMax, reading, limits.readingBytesMax, (body) => {
        void accept(broker, request, response, body, decodeLimits)
      })
    } catch (error) {
      refuse(request, response, error)
    }
    return true
  }
}

async function accept(
  broker: Broker,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer | undefined,
  limits: Partial<DecodeLimits>,
): Promise<void> {
  try {
    await broker.accept(decodeHttp(request.rawHeaders, body, limits))
    answer(response, 202)
  } catch (error) {
    answerError(response, error)
  }
}

/** The two names of `/{namespace}/{broker}`, with or without a slash at the end; a query is ignored. */
export function brokerPath(url: string): { namespace: string; name: string } | undefined {
  const query = url.indexOf('?')
  let end = query === -1 ? url.length : query
  if (end > 1 && url.charCodeAt(end - 1) === SLASH) end--
  const middle = url.indexOf('/', 1)
  if (middle <= 1 || middle + 1 >= end) return undefined
  const third = url.indexOf('/', middle + 1)
  if (third !== -1 && third < end) return undefined
  const namespace = url.slice(1, middle)
  if (namespace === 'channels' || namespace === 'webhooks') return undefined // SURFACE.md "Paths"
  return { namespace, name: url.slice(middle + 1, end) }
}

const SLASH = 0x2f

/** What can be refused before a byte of the body is read. */
function checkHead(request: IncomingMessage, response: ServerResponse, limits: ServerLimits): void {
  const { headers, rawHeaders } = request
  if (rawHeaders.length > limits.headersMax * 2) {
    throw new SluiceError('SLUICE_REQUEST_HEADERS', `The request has more than ${limits.headersMax} header lines.`, {
      status: 431,
    })
  }
  const transfer = headers['transfer-encoding']
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') {
    response.setHeader('Connection', 'close') // where the next request begins is anybody's guess
    throw new SluiceError(
      'SLUICE_REQUEST_TRANSFER_ENCODING',
      `Transfer-Encoding is "${transfer}"; only "chunked" is taken. Nothing was stored.`, // threat 10
      { status: 400 },
    )
  }
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new SluiceError(
      'SLUICE_REQUEST_CONTENT_ENCODING',
      `Content-Encoding is "${encoding}"; send the event uncompressed. Nothing was stored.`, // threat 12
      { status: 415 },
    )
  }
}

function bodyBytesMax(request: IncomingMessage, limits: ServerLimits): number {
  const type = request.headers['content-type']
  const batch = type !== undefined && /^\s*application\/cloudevents-batch/i.test(type)
  return batch ? limits.batchBytesMax : limits.eventBytesMax
}

/** What Content-Length announces; 0 where the body comes in chunks. */
function announcedBytes(request: IncomingMessage, bytesMax: number): number {
  const length = request.headers['content-length']
  if (length === undefined) return 0
  const bytes = Number(length)
  if (bytes > bytesMax) throw bodyTooLarge(bytesMax)
  return bytes
}

/** Reads the body up to `bytesMax` and calls `done`; answers itself where that can't be. */
function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  bytesMax: number,
  reading: { bytes: number },
  readingBytesMax: number,
  done: (body: Buffer | undefined) => void,
): void {
  let first: Buffer | undefined
  let more: Buffer[] | undefined
  let bytes = 0
  let over = false

  const stop = (error: unknown): void => {
    over = true
    reading.bytes -= bytes
    refuse(request, response, error)
  }
  request.on('data', (chunk: Buffer) => {
    if (over) return
    bytes += chunk.length
    reading.bytes += chunk.length
    if (bytes > bytesMax) return stop(bodyTooLarge(bytesMax))
    if (reading.bytes > readingBytesMax) return stop(tooManyBodies(readingBytesMax))
    if (first === undefined) first = chunk
    else (more ??= [first]).push(chunk)
  })
  request.on('end', () => {
    if (over) return
    over = true
    reading.bytes -= bytes
    done(more === undefined ? first : Buffer.concat(more, bytes))
  })
  request.on('close', () => {
    if (over) return // a sender that left in the middle of its body: nothing is stored (fault 35)
    over = true
    reading.bytes -= bytes
  })
}

function answerOther(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  if (request.method === 'OPTIONS') return answer(response, 200, WEBHOOK_HANDSHAKE) // KNATIVE.md 3.1, spec 121
  answerError(
    response,
    new SluiceError('SLUICE_METHOD_NOT_ALLOWED', `${request.method} is not for events: send them by POST.`, {
      status: 405,
    }),
  )
}

const WEBHOOK_HANDSHAKE = ['WebHook-Allowed-Origin', '*', 'WebHook-Allowed-Rate', '*']

/** Refuses a request whose body was not read; the rest of it is read and thrown away, within the request's time. */
function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  request.resume()
  answerError(response, error)
}

function noRoom(namespace: string, name: string, retryAfterMs: number): SluiceError {
  return new SluiceError(
    'SLUICE_CHANNEL_FULL',
    `The channel of Broker ${namespace}/${name} is full: its triggers' subscribers are slower than its senders. Nothing was stored.`,
    { status: 429, retryable: true, retryAfterMs },
  )
}

function bodyTooLarge(bytesMax: number): SluiceError {
  return new SluiceError(
    'SLUICE_EVENT_TOO_LARGE',
    `The body has more than ${bytesMax} bytes (--max-event-bytes). Nothing was stored.`,
    { status: 413 },
  )
}

function tooManyBodies(bytesMax: number): SluiceError {
  return new SluiceError(
    'SLUICE_INGRESS_BUSY',
    `Bodies of more than ${bytesMax} bytes are being read at once. Nothing was stored.`,
    { status: 503, retryable: true, retryAfterMs: 1000 },
  )
}
