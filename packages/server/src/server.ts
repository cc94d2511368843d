// The two listeners: events on one, operations on the other.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { resourceApi } from '@sluice/api'
import type { BrokerName } from '@sluice/broker'
import type { Clock } from '@sluice/clock'
import { unknownSource, type Controller } from '@sluice/controller'
import { SluiceError } from '@sluice/event'
import { isLoopback, type Address } from './address.ts'
import { requireTokens, type ApiTokens } from './api-tokens.ts'
import type { LiveCertificate } from './certificate.ts'
import type { Crowd } from './connections.ts'
import { refuseForeignOrigins } from './foreign-origins.ts'
import { mountConsents } from './consents.ts'
import { ingress, type EventPath } from './ingress.ts'
import { serverLimits, type ServerLimits } from './limits.ts'
import { openListener, type ListenerOptions } from './listener.ts'
import { answerToLocalNamesOnly } from './local-names.ts'
import type { EventLog } from './log-observer.ts'
import type { Metrics } from './metrics.ts'
import { mountResources } from './resources.ts'
import { mountSluiceApi } from './sluice-api.ts'
import { Sparsely } from './sparsely.ts'
import { hubFields } from './storage-log.ts'
import type { Trace } from './trace.ts'
import { webhooks } from './webhooks.ts'

/** What it serves, and by which limits. */
export interface ServerOptions {
  controller: Controller
  metrics: Metrics
  /** Whose `noting` the controller's observer is; without it no event can be followed, nor its way be looked up. */
  trace?: Trace
  clock: Clock
  version: string
  limits?: Partial<ServerLimits>
  /** Who may use the API. Absent: whoever reaches it. */
  apiTokens?: ApiTokens
  /** Listeners that speak TLS, each by its own. Whoever opened one closes it. */
  certificates?: { readonly [Name in ListenerName]?: LiveCertificate }
  /** Is told what operators want to read of the listeners. */
  log?: EventLog
}

/** What a listener is called by operators. */
export type ListenerName = 'ingress' | 'api'

/** `starting`: no configuration yet. `draining`: shutting down, no new events. */
export type ServerState = 'starting' | 'ready' | 'draining'

/** Both listeners. */
export interface SluiceServer {
  /** Binds both listeners and returns their real addresses. */
  listen(addresses: { ingress: Address; api: Address }): Promise<{ ingress: string; api: string }>
  /** Ready takes events; anything else answers 503, with Retry-After, and is not ready on `/readyz`. */
  setState(state: ServerState): void
  /** Why the files can't be applied any more, in one line; `undefined` once they are. It changes nothing but what is said. */
  setBroken(why: string | undefined): void
  /** Lets answers under way finish, for `deadlineMs` at most, and closes. */
  close(options: { deadlineMs: number }): Promise<void>
}

/** Makes the listeners; they are open from {@link SluiceServer.listen} on. */
export function openServer(options: ServerOptions): SluiceServer {
  const { controller, metrics, clock, version, apiTokens, log } = options
  const limits = serverLimits(options.limits)
  let state: ServerState = 'starting'
  let broken: string | undefined
  const reading = { bytes: 0, bytesMax: limits.readingBytesMax }
  const requireReady = (): void => {
    if (state !== 'ready') throw notReady(state)
  }

  const strangers = new Sparsely<BrokerName | ApiTokens>(clock)
  const takeEvents = ingress(
    (of) => {
      requireReady()
      const entrance = controller.entrance(of.kind, of.namespace, of.name)
      if (entrance === undefined) throw unknown(of)
      return entrance
    },
    limits,
    reading,
    (broker, status) => {
      metrics.observer.refused(broker, status, 1)
      const requests = status === 401 ? strangers.count(broker) : 0
      if (requests > 0) log?.warn({ ...hubFields(broker), requests }, 'requests without a valid token were refused')
    },
  )
  const takeWebhooks = webhooks(
    (namespace, name) => {
      requireReady()
      const source = controller.sources.mounted(namespace, name)
      if (source === undefined) throw unknownSource(namespace, name)
      return source
    },
    limits,
    reading,
  )
  const common = (name: ListenerName): Omit<ListenerOptions, 'instead'> => {
    const certificate = options.certificates?.[name]
    const refused = crowdLog(name, metrics, clock, log)
    if (certificate === undefined) return { clock, limits, refused }
    metrics.certificate(name, certificate.now.notAfterMs)
    certificate.onChange((next) => metrics.certificate(name, next.notAfterMs))
    return { clock, limits, refused, certificate, handshakeFailed: handshakeLog(name, clock, log) }
  }
  const events = openListener({
    ...common('ingress'),
    instead:
      'Events go by POST to /{namespace}/{broker}, such as /default/default, or /channels/{namespace}/{channel}; webhooks to /webhooks/{namespace}/{source}.',
    ahead: (request, response, expectsContinue) =>
      takeEvents(request, response, expectsContinue) || takeWebhooks(request, response, expectsContinue),
  })
  const api = openListener({
    ...common('api'),
    hasStreams: true,
    instead:
      'This is the API: /metrics, /healthz, /livez, /readyz, /version, /apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}, /sluice/v1. ' +
      'Events go to the other listener (--listen).',
  })
  let apiIsLocal = true
  answerToLocalNamesOnly(api.routes, () => apiIsLocal)
  refuseForeignOrigins(api.routes)
  if (apiTokens !== undefined) {
    requireTokens(api.routes, apiTokens, () => {
      metrics.unauthorized()
      const requests = strangers.count(apiTokens)
      if (requests > 0) log?.warn({ requests }, 'requests to the API without a valid token were refused')
    })
  }
  const mayKnow = ({ headers }: FastifyRequest): boolean => apiTokens?.accepts(headers.authorization) ?? true
  mountConsents(events.routes, controller)
  mountHealth(events.routes, () => state, () => undefined) // prettier-ignore
  mountHealth(api.routes, () => state, (request) => (mayKnow(request) ? broken : undefined)) // prettier-ignore
  mountResources(api.routes, resourceApi({ resources: controller, clock, version }))
  const endStreams = mountSluiceApi(api.routes, {
    controller,
    clock,
    steps: options.trace,
    eventBytesMax: limits.eventBytesMax,
  })
  api.routes.get('/metrics', async (_request, reply) => {
    void reply.type(metrics.contentType)
    return metrics.render(controller, clock)
  })

  return {
    async listen(addresses) {
      apiIsLocal = isLoopback(addresses.api)
      return { ingress: await events.listen(addresses.ingress), api: await api.listen(addresses.api) }
    },
    setState(next) {
      state = next
    },
    setBroken(why) {
      broken = why
      metrics.reloaded(why === undefined, clock.now())
    },
    async close(deadline) {
      endStreams()
      await Promise.all([events.close(deadline), api.close(deadline)])
    },
  }
}

function crowdLog(
  listener: ListenerName,
  metrics: Metrics,
  clock: Clock,
  log: EventLog | undefined,
): (crowd: Crowd) => void {
  const subjects = { listener: {}, address: {} }
  const crowding = new Sparsely(clock)
  return (crowd) => {
    metrics.connectionRefused(listener, crowd)
    const connections = crowding.count(subjects[crowd])
    if (connections > 0) log?.warn({ listener, connections }, CROWDED[crowd])
  }
}

const CROWDED = {
  listener: 'connections were refused: there are as many as there may be',
  address: 'connections were refused: one address has as many as it may have',
} as const

/** Why handshakes fail, for who can't connect; anybody can have them fail, so there are few lines. */
function handshakeLog(listener: ListenerName, clock: Clock, log: EventLog | undefined): (why: string) => void {
  const subject = {}
  const failing = new Sparsely(clock)
  return (why) => {
    const handshakes = failing.count(subject)
    if (handshakes > 0) log?.warn({ listener, why, handshakes }, 'TLS handshakes failed')
  }
}

/**
 * `/healthz`, `/livez`: the process answers. `/readyz`: it takes events. It does so by what it applied last where the files
 * are broken now, and stays ready: else one mistake would take every process that has these files out of service. What is
 * broken, with its place, it says to those alone who may know (threat 23).
 */
function mountHealth(
  routes: FastifyInstance,
  state: () => ServerState,
  broken: (request: FastifyRequest) => string | undefined,
): void {
  for (const path of ['/healthz', '/livez']) routes.get(path, () => 'ok\n')
  routes.get('/readyz', (request, reply) => {
    if (state() !== 'ready') void reply.code(503)
    const why = broken(request)
    return why === undefined ? `${state()}\n` : `${state()}\nfiles broken, what was applied before runs on: ${why}\n`
  })
}

function notReady(state: 'starting' | 'draining'): SluiceError {
  const why = state === 'starting' ? 'Sluice is starting' : 'Sluice is shutting down and takes no new events'
  return new SluiceError(`SLUICE_${state.toUpperCase()}`, `${why}. Nothing was stored.`, {
    status: 503,
    retryable: true,
    retryAfterMs: 1000,
  })
}

function unknown({ kind, namespace, name }: EventPath): SluiceError {
  const path = kind === 'Broker' ? '/{namespace}/{broker}' : '/channels/{namespace}/{channel}'
  return new SluiceError(
    kind === 'Broker' ? 'SLUICE_BROKER_UNKNOWN' : 'SLUICE_CHANNEL_UNKNOWN',
    `There is no ${kind} ${name.slice(0, 63)} in namespace ${namespace.slice(0, 63)}. Declare it in YAML, or mend the path: ${path}. Nothing was stored.`,
    { status: 404 },
  )
}
