// The Kubernetes API (@sluice/api) on the listener for operations.

import type { FastifyInstance } from 'fastify'
import { API_PATHS, type Api } from '@sluice/api'

/** Mounts it: what it answers, it reads and writes itself. */
export function mountResources(routes: FastifyInstance, api: Api): void {
  for (const path of API_PATHS) {
    routes.all(path, (request, reply) => {
      reply.hijack()
      void api.handle(request.raw, reply.raw)
    })
  }
  routes.addHook('preClose', (done) => {
    api.close() // watches last
    done()
  })
}
