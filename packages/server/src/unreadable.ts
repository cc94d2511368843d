// Requests that node:http can't read, or that don't end in their time: they come to no handler, so their answer is written
// to the socket as it is, and nothing that follows on it is read.

import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { SluiceError } from '@sluice/event'
import { ALLOW, errorBody } from './answer.ts'
import type { ServerLimits } from './limits.ts'

/** For the event `clientError` of a server: answers, and closes the connection. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket, limits: ServerLimits): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const refusal = refusalOf(error, limits)
  const body = errorBody(refusal)
  const head = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
    ALLOW.join(': '),
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ]
  if (socket.writable) socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]))
  socket.destroy(error)
}

function refusalOf({ code, message }: NodeJS.ErrnoException, limits: ServerLimits): SluiceError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new SluiceError(
        'SLUICE_REQUEST_TIMEOUT',
        `The request was not whole in its time, ${limits.headersTimeoutMs} ms for its headers and ${limits.requestTimeoutMs} ms ` +
          'in all. Nothing was stored.',
        { status: 408 },
      )
    case 'HPE_HEADER_OVERFLOW':
      return new SluiceError(
        'SLUICE_REQUEST_HEADERS',
        `The request has more than ${limits.headerBytesMax} bytes of headers, its path counted. Nothing was stored.`,
        { status: 431 },
      )
    default:
      return new SluiceError(
        'SLUICE_REQUEST_UNREADABLE',
        `This can't be read as HTTP/1.1: ${message}. Nothing was stored.`,
        {
          status: 400,
        },
      )
  }
}
