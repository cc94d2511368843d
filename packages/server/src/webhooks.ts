// Requests to sources: `* /webhooks/{namespace}/{source}`. The body is read here, whole and within bounds; what it means is
// the source's.
//
// From: a provider, or whoever else. Next: the source's handler (sources/webhook), which answers once the event is stored.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { MountedSource } from '@sluice/controller'
import { SourceRequest, type SourceResponse } from '@sluice/source'
import { answerError } from './answer.ts'
import { announcedBytes, checkHead, readBody, type Reading } from './body.ts'
import type { ServerLimits } from './limits.ts'
import type { Ahead } from './listener.ts'
import { requireRoom } from './room.ts'

/** Finds the source of a path, or throws a SluiceError: 404 for none, 503 while it isn't open, starting or stopping. */
export type FindSource = (namespace: string, name: string) => MountedSource

/** Answers a request to a source; returns false, having done nothing, for any other path. */
export function webhooks(findSource: FindSource, limits: ServerLimits, reading: Reading): Ahead {
  return (request, response, expectsContinue) => {
    const path = sourcePath(request.url as string)
    if (path === undefined) return false
    try {
      const source = findSource(path.namespace, path.name)
      checkHead(request, limits)
      const { bytesMax } = source.http
      requireRoom(source, announcedBytes(request, bytesMax, SETTING), { kind: 'source', ...path })
      if (expectsContinue) response.writeContinue()
      readBody(request, { bytesMax, setting: SETTING, pieceBytesMin: limits.pieceBytesMin }, reading, {
        done: (body) => void handle(source, request, response, body),
        refused: (error) => answerError(response, error, request),
      })
    } catch (error) {
      if (expectsContinue) response.shouldKeepAlive = false // nobody knows whether its body will come now
      answerError(response, error, expectsContinue ? undefined : request)
    }
    return true
  }
}

async function handle(
  { http, url }: MountedSource,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer | undefined,
): Promise<void> {
  const written = request.url as string
  const query = written.indexOf('?')
  const whole = new SourceRequest(
    request.method as string,
    query === -1 ? url : url + written.slice(query),
    request.rawHeaders,
    body ?? NOTHING,
  )
  try {
    answer(response, await http.handle(whole))
  } catch (error) {
    answerError(response, error)
  }
}

const NOTHING = Buffer.alloc(0)
const SETTING = 'spec.maxBytes of the source'

function answer(response: ServerResponse, { status, headers = [], body = '' }: SourceResponse): void {
  if (response.destroyed) return
  const isBodiless = status === 204 || status === 304
  const length = isBodiless ? [] : ['Content-Length', String(Buffer.byteLength(body))]
  response.writeHead(status, [...headers, ...length]).end(isBodiless ? undefined : body)
}

/** The two names of `/webhooks/{namespace}/{source}`, with or without a slash at the end; a query is ignored. */
function sourcePath(url: string): { namespace: string; name: string } | undefined {
  const match = /^\/webhooks\/([^/?]+)\/([^/?]+)\/?(?:\?|$)/.exec(url)
  return match === null ? undefined : { namespace: match[1]!, name: match[2]! }
}
