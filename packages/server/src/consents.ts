// Where a subscriber consents to be sent events, if it does not in its answer to the handshake (CloudEvents WebHook 4.1.3): by
// GET or POST, from a program or a browser. The key in the address is what lets it.
//
// From: the subscriber, or a person who has found the address in its log. Next: controller/src/consents.ts.

import { CONSENT_PATH, type Controller } from '@sluice/controller'
import { SluiceError } from '@sluice/event'
import type { FastifyInstance } from 'fastify'

export function mountConsents(routes: FastifyInstance, { consents }: Controller): void {
  routes.route({
    method: ['GET', 'POST'],
    url: CONSENT_PATH,
    handler: async ({ query, headers }, reply) => {
      const { id, key } = query as Record<string, unknown>
      const rate = headers['webhook-allowed-rate']
      const isKnown = typeof id === 'string' && typeof key === 'string'
      if (!isKnown || !consents.callBack(id, key, typeof rate === 'object' ? rate.join() : rate)) throw unknownConsent()
      return reply.type('text/plain').send('The consent is taken down; events will be sent.\n')
    },
  })
}

/** The same for a wrong key as for no such trigger. */
function unknownConsent(): SluiceError {
  const message = 'Nobody waits for this consent: its trigger is gone or was changed, or the address is not whole.'
  return new SluiceError('SLUICE_CONSENT_UNKNOWN', message, { status: 404 })
}
