// The YAML of the fault tests, beyond that of support/events.ts.

import { broker } from '../support/events.ts'

/** A Broker `default` with a log of these bounds: the `spec` of a LogChannel, on one line. */
export function boundedBroker(spec: string): string {
  return `${broker('default', '{config: {apiVersion: v1, kind: ConfigMap, name: bounds}}')}---
apiVersion: v1
kind: ConfigMap
metadata: {name: bounds}
data:
  channel-template-spec: |
    apiVersion: messaging.sluice.dev/v1alpha1
    kind: LogChannel
    spec: ${spec}
`
}

/** A trigger's YAML, with `sluice.dev/order: key`. */
export function inOrder(yaml: string): string {
  return yaml.replace(/name: (\w+)\}/, 'name: $1, annotations: {sluice.dev/order: key}}')
}
