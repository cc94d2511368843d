// The running brokers, those of channels among them, that a request to the API is about. One of a Broker is called by its
// name there, one of a channel `Kind:name`, such as `Channel:uploads`.

import type { Broker } from '@sluice/broker'
import type { Controller } from '@sluice/controller'
import { SluiceError } from '@sluice/event'
import { invalidQuery } from './query.ts'

/** Which brokers; without either, all. */
export interface BrokerChoice {
  readonly namespace?: string
  readonly broker?: string
}

/**
 * Those that are chosen and run, by namespace and name. Throws for one that is named and does not run: 503 while it is
 * declared, else 404.
 */
export function brokersOf(controller: Controller, { namespace, broker: name }: BrokerChoice): Broker[] {
  refusePath(name)
  if (namespace !== undefined && name !== undefined) return [brokerOf(controller, namespace, name)]
  return [...controller.brokers()]
    .filter((each) => namespace === undefined || each.namespace === namespace)
    .filter((each) => name === undefined || titleOf(each) === name)
    .toSorted((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1))
}

/** The one of that name. Throws where it does not run. */
export function brokerOf(controller: Controller, namespace: string, name: string): Broker {
  refusePath(name)
  const broker = name.includes(':') ? channelOf(controller, namespace, name) : controller.broker(namespace, name)
  if (broker !== undefined) return broker
  throw (
    controller.unavailable(namespace, name) ??
    new SluiceError(
      'SLUICE_BROKER_UNKNOWN',
      `There is no Broker ${name.slice(0, 63)} in namespace ${namespace.slice(0, 63)}.`,
      { status: 404 },
    )
  )
}

/** As the command takes it, which is not as the API does. */
function refusePath(name: string | undefined): void {
  const [namespace = '', own = ''] = name?.split('/', 2).map((step) => step.slice(0, 63)) ?? []
  if (own === '') return
  throw invalidQuery('broker', `broker is ${JSON.stringify(`${namespace}/${own}`)}: write namespace=${namespace}&broker=${own}.`) // prettier-ignore
}

function channelOf(controller: Controller, namespace: string, title: string): Broker | undefined {
  for (const broker of controller.brokers()) {
    if (broker.namespace === namespace && titleOf(broker) === title) return broker
  }
  return undefined
}

/** Its name, and of a channel its kind before that. */
export function titleOf({ kind, name }: Pick<Broker, 'kind' | 'name'>): string {
  return kind === 'Broker' ? name : `${kind}:${name}`
}

/** By which they are sorted. */
export function pathOf(broker: Pick<Broker, 'kind' | 'namespace' | 'name'>): string {
  return `${broker.namespace}/${titleOf(broker)}`
}
