// Sluice's own API, below `/sluice/v1`: what Kubernetes has no words for. Answers are JSON, errors as the ingress has
// them: `{ code, message, subject? }`.

import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Clock } from '@sluice/clock'
import type { Controller } from '@sluice/controller'
import { SluiceError } from '@sluice/event'
import { mountDeadLetters } from './dead-letters.ts'
import { mountEvents } from './events.ts'
import { mountRunning } from './running.ts'
import { mountTriggerOperations } from './trigger-operations.ts'

export function mountSluiceApi(routes: FastifyInstance, controller: Controller, clock: Clock): void {
  void routes.register(
    (scope, _options, done) => {
      scope.setErrorHandler((error, _request, reply) => sendError(reply, error))
      mountDeadLetters(scope, controller)
      mountEvents(scope, controller)
      mountRunning(scope, controller)
      mountTriggerOperations(scope, controller, clock)
      done()
    },
    { prefix: '/sluice/v1' },
  )
}

/** Answers with an error. One that is not ours is a bug, and says nothing of its inside. */
function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const { code, message, subject, status, retryAfterMs } = known(error)
  if (retryAfterMs !== undefined) void reply.header('retry-after', Math.ceil(retryAfterMs / 1000))
  return reply.code(status).send({ code, message, subject })
}

function known(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error
  process.emitWarning(error instanceof Error ? error : new Error(String(error)))
  return new SluiceError('SLUICE_INTERNAL', 'A bug in Sluice; its log has the details.')
}
