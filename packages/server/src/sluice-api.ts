// Sluice's own API, below `/sluice/v1`: what Kubernetes has no words for. Answers are JSON, errors as the ingress has
// them: `{ code, message, subject? }`.

import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Clock } from '@sluice/clock'
import type { Controller } from '@sluice/controller'
import { SluiceError } from '@sluice/event'
import { mountDeadLetters } from './dead-letters.ts'
import { mountEvents } from './events.ts'
import { mountExplain } from './explain.ts'
import { mountRunning } from './running.ts'
import { mountTail } from './tail.ts'
import type { Trace } from './trace.ts'
import { mountTriggerOperations } from './trigger-operations.ts'
import { mountWebhookTest } from './webhook-test.ts'

/** What it is about. */
export interface SluiceApi {
  readonly controller: Controller
  readonly clock: Clock
  /** Steps of events; without, none is known, and nobody can follow them. */
  readonly steps: Trace | undefined
  /** Of an event that is to be explained. */
  readonly eventBytesMax: number
}

/** Returns what ends the answers that have no end of their own. */
export function mountSluiceApi(
  routes: FastifyInstance,
  { controller, clock, steps, eventBytesMax }: SluiceApi,
): () => void {
  let end = (): void => {}
  void routes.register(
    (scope, _options, done) => {
      scope.setErrorHandler((error, _request, reply) => sendError(reply, error))
      mountDeadLetters(scope, controller)
      mountEvents(scope, controller)
      mountExplain(scope, controller, steps, eventBytesMax)
      if (steps !== undefined) end = mountTail(scope, controller, steps, clock)
      mountRunning(scope, controller)
      mountTriggerOperations(scope, controller, clock)
      mountWebhookTest(scope, controller)
      done()
    },
    { prefix: '/sluice/v1' },
  )
  return () => end()
}

/** Answers with an error. One that is not ours is a bug, and says nothing of its inside. */
function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const { code, message, subject, status, retryAfterMs } = known(error)
  if (retryAfterMs !== undefined) void reply.header('retry-after', Math.ceil(retryAfterMs / 1000))
  return reply.code(status).send({ code, message, subject })
}

function known(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error
  const { statusCode, message } = error as { statusCode?: unknown; message: string } // Fastify's, such as a body too large
  if (typeof statusCode === 'number' && statusCode < 500) {
    return new SluiceError('SLUICE_REQUEST_INVALID', `${message}.`, { status: statusCode })
  }
  process.emitWarning(error instanceof Error ? error : new Error(String(error)))
  return new SluiceError('SLUICE_INTERNAL', 'A bug in Sluice; its log has the details.')
}
