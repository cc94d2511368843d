// Resources over HTTP, to read: `GET /apis/{group}/{version}/namespaces/{namespace}/{plural}[/{name}]`, as Kubernetes
// has it. The whole API comes later; this much lets `sluice send` find a broker and a person see a status.

import type { FastifyInstance } from 'fastify'
import type { Controller } from '@sluice/controller'
import { kindByName, type Kind } from '@sluice/resource'

interface Params {
  group: string
  version: string
  namespace: string
  plural: string
  name: string
}

export function mountResources(routes: FastifyInstance, controller: Controller): void {
  const path = '/apis/:group/:version/namespaces/:namespace/:plural'

  routes.get<{ Params: Params }>(path, (request, reply) => {
    const { group, version, namespace, plural } = request.params
    const kind = kindOfPath(group, version, plural)
    if (kind === undefined) return reply.code(404).send(notFound(plural, ''))
    const items = controller.list({ group, kind: kind.kind }).filter(({ metadata }) => metadata.namespace === namespace)
    return { apiVersion: `${group}/${version}`, kind: `${kind.kind}List`, metadata: {}, items }
  })

  routes.get<{ Params: Params }>(`${path}/:name`, (request, reply) => {
    const { group, version, namespace, plural, name } = request.params
    const kind = kindOfPath(group, version, plural)
    const resource = kind && controller.get({ group, kind: kind.kind, namespace, name })
    return resource ?? reply.code(404).send(notFound(plural, name))
  })
}

/** Only the stored version is served: conversion on reading comes with the whole API. */
function kindOfPath(group: string, version: string, plural: string): Kind | undefined {
  const kind = kindByName(`${group}/${plural}`)
  return kind?.plural === plural && kind.versions[0] === version ? kind : undefined
}

/** A Kubernetes Status. */
function notFound(plural: string, name: string): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: `${plural} "${name}" not found`,
    reason: 'NotFound',
    code: 404,
  }
}
