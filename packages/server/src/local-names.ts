// A page in somebody's browser can point a name of its own at 127.0.0.1 and read what answers there (DNS rebinding,
// threat 19). A listener on loopback has no authentication, so it answers only where the request calls it by an address
// or by `localhost`, which no page can have.

import type { FastifyInstance } from 'fastify'
import { SluiceError } from '@sluice/event'
import { answerError } from './answer.ts'

/** Refuses, with 403, requests to these routes that name another host. */
export function answerToLocalNamesOnly(routes: FastifyInstance, isLocalOnly: () => boolean): void {
  routes.addHook('onRequest', async (request, reply) => {
    if (!isLocalOnly() || isLocalName(request.headers.host ?? '')) return
    reply.hijack()
    answerError(reply.raw, foreignName(request.headers.host ?? ''))
  })
}

/** Whether the Host header is an IP address, `localhost` or a name below it, with or without a port. */
export function isLocalName(host: string): boolean {
  return /^(\d{1,3}(\.\d{1,3}){3}|\[[\da-f:.]+\]|([\w-]+\.)*localhost\.?)(:\d*)?$/i.test(host)
}

function foreignName(host: string): SluiceError {
  return new SluiceError(
    'SLUICE_HOST_FOREIGN',
    `This listener is for this machine only, and does not answer to ${JSON.stringify(host.slice(0, 100))}. ` +
      'Call it by 127.0.0.1 or localhost, or listen on another address (--api).',
    { status: 403 },
  )
}
