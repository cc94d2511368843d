// A page in somebody's browser may send a request here without being able to read the answer: a form, or a fetch in mode
// `no-cors` (threat 19). Its browser then says from which page it came, and what changes something is refused.

import type { FastifyInstance } from 'fastify'
import { SluiceError } from '@sluice/event'
import { answerError } from './answer.ts'

/** Refuses, with 403, requests to these routes that change something and come from a page of another origin. */
export function refuseForeignOrigins(routes: FastifyInstance): void {
  routes.addHook('onRequest', async (request, reply) => {
    const { origin, host = '' } = request.headers
    if (SAFE.has(request.method) || origin === undefined || isOwn(origin, host)) return
    reply.hijack()
    answerError(reply.raw, foreignOrigin(origin))
  })
}

/** Methods that change nothing (RFC 9110, 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Scheme aside: whoever ends TLS ahead of this listener speaks plain HTTP to it. */
function isOwn(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}

function foreignOrigin(origin: string): SluiceError {
  return new SluiceError(
    'SLUICE_ORIGIN_FOREIGN',
    `A page of ${JSON.stringify(origin.slice(0, 100))} may change nothing here. Nothing was done.`,
    { status: 403 },
  )
}
