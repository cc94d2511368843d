// Requests that two servers could read in two ways, so that one hides behind another (threat 10). Node refuses most of
// them itself; what it lets through is refused here, and nothing that follows on the same connection is taken.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { SluiceError } from '@sluice/event'
import { answerError } from './answer.ts'

/** Connections on which nobody knows where the next request begins. What was read from them already may hold more. */
const ended = new WeakSet<Socket>()

/** Whether the request was refused, and answered where it was the first such one of its connection. */
export function refuseAmbiguous(request: IncomingMessage, response: ServerResponse): boolean {
  if (ended.has(request.socket)) return true
  const problem = ambiguity(request)
  if (problem === undefined) return false
  ended.add(request.socket)
  response.setHeader('Connection', 'close')
  answerError(response, problem)
  return true
}

function ambiguity({ headers, rawHeaders }: IncomingMessage): SluiceError | undefined {
  const transfer = headers['transfer-encoding']
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') {
    return new SluiceError(
      'SLUICE_REQUEST_TRANSFER_ENCODING',
      `Transfer-Encoding is ${JSON.stringify(transfer.slice(0, 80))}; only "chunked" is taken. Nothing was stored.`,
      { status: 400 },
    )
  }
  if (countHosts(rawHeaders) > 1) {
    return new SluiceError(
      'SLUICE_REQUEST_HOST',
      'Header Host is there more than once; send it once (RFC 9112, 3.2). Nothing was stored.',
      { status: 400 },
    )
  }
  return undefined
}

function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts
}
