// The running brokers that a request to the API is about.

import type { Broker } from '@sluice/broker'
import type { Controller } from '@sluice/controller'
import { SluiceError } from '@sluice/event'

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
  if (namespace !== undefined && name !== undefined) return [brokerOf(controller, namespace, name)]
  return [...controller.brokers()]
    .filter((each) => namespace === undefined || each.namespace === namespace)
    .filter((each) => name === undefined || each.name === name)
    .toSorted((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1))
}

/** The broker of that name. Throws where it does not run. */
export function brokerOf(controller: Controller, namespace: string, name: string): Broker {
  const broker = controller.broker(namespace, name)
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

/** `namespace/name`. */
export function pathOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`
}
