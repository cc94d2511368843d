// Events as senders write them, and the YAML that routes them.

import type { Message } from './exchange.ts'

type Line = readonly [name: string, value: string]

/** A binary-mode request: the required attributes, unless `headers` name them, then `headers`. */
export function binary(headers: readonly Line[] = [], body: string | Buffer = ''): Message {
  const given = new Set(headers.map(([name]) => name.toLowerCase()))
  const required = REQUIRED.filter(([name]) => !given.has(name))
  return { headers: [...required, ...headers], body }
}

const REQUIRED: readonly Line[] = [
  ['ce-specversion', '1.0'],
  ['ce-id', '1'],
  ['ce-source', '/s'],
  ['ce-type', 't'],
]

/** The JSON of an event: the required attributes, then `members`, which is JSON text: `"n": 1`. */
export function json(members = ''): string {
  return `{"specversion":"1.0","id":"1","source":"/s","type":"t"${members === '' ? '' : `,${members}`}}`
}

/** The JSON of an event, with these members instead of or beside the required attributes; `undefined` leaves one out. */
export function eventJson(members: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ specversion: '1.0', id: '1', source: '/s', type: 't', ...members })
}

/** A structured-mode request with this body. */
export function structuredMode(body: string | Buffer, contentType: string = STRUCTURED): Message {
  return { headers: [['content-type', contentType]], body }
}

/** A batch of events, each as JSON text. */
export function batch(...events: readonly string[]): Message {
  return { headers: [['content-type', 'application/cloudevents-batch+json']], body: `[${events.join(',')}]` }
}

/** The media type of an event in JSON. */
export const STRUCTURED = 'application/cloudevents+json'

/** A Broker as YAML; `spec` is YAML on one line. */
export function broker(name = 'default', spec = '{}'): string {
  return `---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: ${name}}
spec: ${spec}
`
}

/** A Trigger of `broker` as YAML; `more` is YAML, a field of the spec on each line. */
export function trigger(name: string, subscriberUri: string, more: readonly string[] = [], of = 'default'): string {
  return `---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: ${name}}
spec:
  broker: ${of}
  subscriber: {uri: "${subscriberUri}"}
${more.map((line) => `  ${line}\n`).join('')}`
}

/** A channel as YAML, a Channel unless `kind` says otherwise; `spec` is YAML on one line. */
export function channel(name: string, spec = '{}', kind = 'Channel'): string {
  return `---
apiVersion: ${kind === 'LogChannel' ? 'messaging.sluice.dev/v1alpha1' : 'messaging.knative.dev/v1'}
kind: ${kind}
metadata: {name: ${name}}
spec: ${spec}
`
}

/** A Subscription of a channel as YAML; `more` is YAML, a field of the spec on each line. */
export function subscription(
  name: string,
  of: string,
  subscriberUri: string,
  more: readonly string[] = [],
  kind = 'Channel',
): string {
  return `---
apiVersion: messaging.knative.dev/v1
kind: Subscription
metadata: {name: ${name}}
spec:
  channel: {apiVersion: ${kind === 'LogChannel' ? 'messaging.sluice.dev/v1alpha1' : 'messaging.knative.dev/v1'}, kind: ${kind}, name: ${of}}
  subscriber: {uri: "${subscriberUri}"}
${more.map((line) => `  ${line}\n`).join('')}`
}
