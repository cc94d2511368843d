// A controller with everything real but the clock: store, brokers, in-memory channels, deliveries, subscribers.

import { createServer, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { NO_OBSERVER, type Observer } from '@sluice/broker'
import { manualClock, type ManualClock } from '@sluice/clock'
import { deliverer, type Deliverer } from '@sluice/delivery'
import { newEvent, type Event } from '@sluice/event'
import { admit, formatProblems, type Condition, type Declared, type Problem, type Resource } from '@sluice/resource'
import { onTestFinished } from 'vitest'
import {
  openController,
  type ChannelKind,
  type Controller,
  type ControllerOptions,
  type DataDirectory,
  type Drivers,
  type StorageObserver,
} from '@sluice/controller'

export const BASE = 'http://127.0.0.1:8080'
const GROUP = 'eventing.knative.dev'

export interface Scene {
  readonly clock: ManualClock
  readonly controller: Controller
  /** Makes these all there is; throws where they are refused. */
  apply(...resources: Declared[]): Promise<void>
  /** What an apply of these is refused with. */
  refused(...resources: Declared[]): Promise<readonly Problem[]>
  broker(name?: string): Resource
  trigger(name: string): Resource
  /** Stores an event in a broker, as the ingress does. */
  send(type: string, id?: string, broker?: string): Promise<void>
  /** Resolves once the `n`-th plain request is answered, or has failed, and all that follows from that is done. */
  exchanged(n: number): Promise<void>
  /** Resolves once `holds`; time stands still meanwhile. */
  until(holds: () => boolean): Promise<void>
}

export interface SceneOptions {
  readonly memoryBytes?: number
  readonly boxBytes?: number
  readonly drivers?: Partial<Drivers>
  readonly channel?: ChannelKind
  readonly data?: DataDirectory
  readonly storage?: StorageObserver
  readonly observer?: Partial<Observer>
  readonly eventTypesLimited?: ControllerOptions['eventTypesLimited'] & {}
}

export function scene({ memoryBytes = 16 * 1024 * 1024, observer = {}, ...options }: SceneOptions = {}): Scene {
  const clock = manualClock()
  const deliveries = deliverer({ clock })
  let exchanges = 0
  const exchange: Deliverer['exchange'] = (request) => deliveries.exchange(request).finally(() => exchanges++)
  const controller = openController({
    clock,
    deliverer: { ...deliveries, exchange },
    observer: { ...NO_OBSERVER, ...observer },
    memoryBytes,
    random: () => 0,
    ...options,
  })
  onTestFinished(async () => {
    await deliveries.close({ deadlineMs: 0 }) // first: nobody waits for what is under way
    await controller.close({ deadlineMs: 0 }).catch(() => {}) // a test of what it rejects with has closed it itself
  })
  const refused: Scene['refused'] = (...resources) => controller.apply(resources, { base: BASE })
  const get = (kind: string, name: string): Resource => {
    const found = controller.get({ group: GROUP, kind, namespace: 'default', name })
    if (found === undefined) throw new Error(`there is no ${kind} ${name}`)
    return found
  }
  return {
    clock,
    controller,
    refused,
    async apply(...resources) {
      const problems = await refused(...resources)
      if (problems.length > 0) throw new Error(formatProblems(problems))
    },
    broker: (name = 'default') => get('Broker', name),
    trigger: (name) => get('Trigger', name),
    async send(type, id, broker = 'default') {
      const found = controller.broker('default', broker)
      if (found === undefined) throw new Error(`no broker ${broker} takes events`)
      await found.accept([event(type, id)])
    },
    async exchanged(n) {
      while (exchanges < n) await setImmediate()
      await settle()
    },
    async until(holds) {
      while (!holds()) await setImmediate()
    },
  }
}

/** Lets everything happen that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate()
}

/** Resolves in the tick of the next commit of files, after everybody was told of it. */
export function nextCommit({ store }: Controller): Promise<void> {
  return new Promise((resolve) => {
    const leave = store.subscribe(() => {
      leave()
      resolve()
    })
  })
}

export function event(type: string, id?: string): Event {
  return newEvent({ type, source: '/test', ...(id !== undefined && { id }) })
}

/** A resource as it comes from a file. */
export function declare(written: object): Declared {
  const { resource, findings } = admit(structuredClone(written))
  if (resource === undefined) throw new Error(findings.map(({ message }) => message).join('\n'))
  return { resource, origin: { file: 'test.yaml', line: 1, column: 1 } }
}

export function broker(name = 'default', spec: object = {}, annotations: object = {}): Declared {
  return declare({ apiVersion: `${GROUP}/v1`, kind: 'Broker', metadata: { name, annotations }, spec })
}

/** A trigger of Broker default, for every event; `to` is a URL or a destination. */
export function trigger(name: string, to: string | object, spec: object = {}, annotations: object = {}): Declared {
  const subscriber = typeof to === 'string' ? { uri: to } : to
  return declare({
    apiVersion: `${GROUP}/v1`,
    kind: 'Trigger',
    metadata: { name, annotations },
    spec: { broker: 'default', subscriber, ...spec },
  })
}

/** A filter for one type. */
export function ofType(type: string): object {
  return { filters: [{ exact: { type } }] }
}

/** A destination that a Service of this name is. */
export function serviceRef(name: string): object {
  return { ref: { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name } }
}

/** A Service that is an address with a name. */
export function service(name: string, url: string): Declared {
  const { hostname, port } = new URL(url)
  return declare({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { type: 'ExternalName', externalName: hostname, ports: [{ port: Number(port) }] },
  })
}

/** A condition as `True`, or `False Reason`. */
export function condition(resource: Resource, type: string): string {
  const found = conditionOf(resource, type)
  return [found.status, found.reason].filter((word) => word !== undefined).join(' ')
}

export function conditionOf(resource: Resource, type: string): Condition {
  const found = resource.status?.conditions.find((each) => each.type === type)
  if (found === undefined) throw new Error(`${resource.kind} ${resource.metadata.name} has no condition ${type}`)
  return found
}

export interface Subscriber {
  readonly url: string
  /** `ce-id` and path of what came, in order. */
  readonly got: readonly { readonly id: string; readonly path: string }[]
  /** What it answers; `undefined` = nothing yet. */
  status: number | undefined
}

/** A subscriber that answers 202 until it is told otherwise. */
export async function subscriber(status: number | undefined = 202): Promise<Subscriber> {
  const got: { id: string; path: string }[] = []
  const waiting: ServerResponse[] = []
  const server: Server = createServer((request, response) => {
    got.push({ id: String(request.headers['ce-id']), path: String(request.url) })
    request.resume()
    if (current === undefined) waiting.push(response)
    else response.writeHead(current).end()
  })
  let current = status
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    got,
    get status() {
      return current
    },
    set status(next) {
      current = next
      if (next !== undefined) for (const response of waiting.splice(0)) response.writeHead(next).end()
    },
  }
}
