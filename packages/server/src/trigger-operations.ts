// What people do beside changing resources, over HTTP:
//
//     POST /triggers/{namespace}/{name}/pause
//     POST /triggers/{namespace}/{name}/resume
//     POST /triggers/{namespace}/{name}/seek        ?to=earliest, latest, or an RFC 3339 time
//     POST /prune
//
// Of a Subscription likewise: /subscriptions/{namespace}/{name}/...
//
// From: a person, mostly by way of cli/src/trigger-operations.ts. Next: controller/src/operations.ts.

import type { FastifyInstance } from 'fastify'
import type { Controller, SeekTarget } from '@sluice/controller'
import type { Clock } from '@sluice/clock'
import { invalidQuery, queryOf, timeOf } from './query.ts'

const KINDS = [
  ['triggers', 'Trigger'],
  ['subscriptions', 'Subscription'],
] as const

interface Params {
  namespace: string
  name: string
}

export function mountTriggerOperations(routes: FastifyInstance, controller: Controller, clock: Clock): void {
  const { operations } = controller

  for (const [plural, kind] of KINDS) {
    const at = `/${plural}/:namespace/:name`

    routes.post<{ Params: Params }>(`${at}/pause`, async (request, reply) => {
      queryOf(request, [])
      const { isKept } = await operations.pause({ kind, ...request.params })
      return reply.send({ paused: true, kept: isKept })
    })

    routes.post<{ Params: Params }>(`${at}/resume`, async (request, reply) => {
      queryOf(request, [])
      const { isKept } = await operations.resume({ kind, ...request.params })
      return reply.send({ paused: false, kept: isKept })
    })

    routes.post<{ Params: Params }>(`${at}/seek`, async (request, reply) => {
      const to = targetOf(queryOf(request, ['to']).to, clock)
      const { isKept, skipped } = await operations.seek({ kind, ...request.params }, to)
      return reply.send({ to: typeof to === 'string' ? to : new Date(to.time).toISOString(), skipped, kept: isKept })
    })
  }

  routes.post('/prune', async (request, reply) => {
    queryOf(request, [])
    return reply.send(await operations.prune())
  })
}

function targetOf(text: string | undefined, clock: Clock): SeekTarget {
  if (text === 'earliest' || text === 'latest') return text
  const time = text === undefined ? undefined : timeOf(text)
  if (time === undefined) {
    throw invalidQuery('to', 'to has to be earliest, latest, or an RFC 3339 time such as 2026-11-24T18:48:23Z.')
  }
  if (time > clock.now()) throw invalidQuery('to', `to is ${text}, which is still to come. For all new events: latest.`)
  return { time }
}
