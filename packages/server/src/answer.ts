// How the ingress answers: a status, and for an error one JSON object that says what was wrong and what to do.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { finished } from 'node:stream'
import { SluiceError } from '@sluice/event'

/** On every answer of the ingress (KNATIVE.md 3.1, spec 121). */
export const ALLOW: readonly string[] = ['Allow', 'POST, OPTIONS']
const EMPTY = [...ALLOW, 'Content-Length', '0']

/** Answers without a body. */
export function answer(response: ServerResponse, status: number, headers: readonly string[] = []): void {
  response.writeHead(status, headers.length === 0 ? EMPTY : [...EMPTY, ...headers]).end()
}

const stored: ServerResponse[] = []

/**
 * Answers 202, at the end of this turn of the event loop, together with all others that are stored by then: the
 * deliveries of the turn are on their way first, and a sender that is woken finds its other answers waiting. On one
 * machine that spares a fifth of the CPU of an event (test/bench, G1).
 */
export function answerStored(response: ServerResponse): void {
  if (stored.push(response) === 1) setImmediate(answerAllStored)
}

function answerAllStored(): void {
  for (const response of stored) answer(response, 202)
  stored.length = 0
}

/**
 * Answers with `{ code, message, subject? }`; an error that is not ours is a bug and says nothing of its inside, nor does
 * one of the disk, whose words are for operators.
 *
 * @param unread the request, where its body may still be coming: the answer goes out at once, but the connection is
 *   not closed before the rest was read and thrown away, else its sender might be reset before it has the answer. That
 *   is bounded: who sends on for long is cut off
 */
export function answerError(response: ServerResponse, error: unknown, unread?: IncomingMessage): void {
  if (response.headersSent || response.destroyed) return
  const known = error instanceof SluiceError ? forSender(error) : internalError(error)
  const body = errorBody(known)
  const headers = [...ALLOW, 'Content-Type', 'application/json', 'Content-Length', String(body.length)]
  const challenge = CHALLENGES[known.code]
  if (challenge !== undefined) headers.push('WWW-Authenticate', challenge)
  if (known.retryAfterMs !== undefined) headers.push('Retry-After', String(Math.ceil(known.retryAfterMs / 1000)))
  if (response.hasHeader('Connection')) headers.push('Connection', String(response.getHeader('Connection')))
  response.writeHead(known.status, headers)
  if (unread === undefined || unread.complete) return void response.end(body)
  response.write(body)
  discard(unread, () => response.end())
}

/** What is thrown away of one body, in bytes; each of its pieces costs as much as so many (threat 11). */
const DISCARDED_BYTES_MAX = 16 * 1024 * 1024
const PIECE_BYTES = 256

function discard(unread: IncomingMessage, done: () => void): void {
  let bytes = 0
  unread.on('data', (piece: Buffer) => {
    bytes += piece.length + PIECE_BYTES
    if (bytes > DISCARDED_BYTES_MAX) unread.destroy()
  })
  finished(unread.resume(), done)
}

/** `{ code, message, subject? }`. */
export function errorBody({ code, message, subject }: SluiceError): Buffer {
  return Buffer.from(`${JSON.stringify({ code, message, subject })}\n`)
}

/** What a 401 asks for (RFC 6750, 3). */
const CHALLENGES: Readonly<Record<string, string>> = {
  SLUICE_TOKEN_MISSING: 'Bearer realm="sluice"',
  SLUICE_TOKEN_INVALID: 'Bearer realm="sluice", error="invalid_token"',
}

/** Paths of the machine are not for everybody (threat 23). */
function forSender(error: SluiceError): SluiceError {
  const { code, status, retryable, retryAfterMs } = error
  if (code !== 'SLUICE_DISK') return error
  const message = "The disk doesn't take events now; the status of the Broker says why. Nothing was stored."
  return new SluiceError(code, message, { status, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) })
}

function internalError(error: unknown): SluiceError {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)))
  return new SluiceError('SLUICE_INTERNAL', 'A bug in Sluice; its log has the details. Nothing is known to be stored.')
}
