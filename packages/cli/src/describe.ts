// `sluice describe`: all about a resource as a person asks for it. What it is and how its conditions stand, as kn prints
// them; then what runs: where its events go and by which policy, what waits, what went wrong last, and what its channel can do.

import { stringify } from 'yaml'
import {
  BROKER_DEFAULTS,
  deliveryOf,
  findKind,
  groupOf,
  isBroker,
  SCHEMA_DATA,
  type Condition,
  type DeliverySpec,
  type Resource,
} from '@sluice/resource'
import { clientOf, jsonOf, reach, whyRefused, type Client } from './client.ts'
import { asRecord, destinationText, referenceText, textOf, urlOf } from './columns.ts'
import { eventTypeSections } from './event-type-words.ts'
import { EXIT, exitWith } from './exit.ts'
import type { ClientFlags } from './flags.ts'
import { get, list, pathOf, wantedOf } from './resources.ts'
import { channelLines, deliveryLines, progressLines, type ChannelAnswer, type TriggerAnswer } from './running.ts'
import { ageOf, listOf, printable, printableLines, tableOf, type Column } from './table.ts'

export async function describe(words: readonly string[], flags: ClientFlags): Promise<void> {
  const { namespace } = flags
  const client = clientOf('sluice describe', flags)
  const texts: string[] = []
  for (const { kind, name } of await wantedOf(client, words)) {
    const found =
      name === undefined ? (await list(client, kind, namespace)).items : [await get(client, kind, namespace, name)]
    for (const resource of found) texts.push(await textOfResource(client, resource))
  }
  if (texts.length === 0) exitWith(EXIT.ok, `There are none in namespace ${namespace}.`)
  process.stdout.write(texts.join('\n\n'))
}

async function textOfResource(client: Client, resource: Resource): Promise<string> {
  const sections = SECTIONS[resource.kind] ?? otherSections
  const parts = [headOf(resource), ...(await sections(client, resource)), conditionsOf(resource)]
  return parts.filter((part) => part !== '').join('\n')
}

function headOf({ metadata, apiVersion, kind }: Resource): string {
  const { name, namespace, labels, annotations, creationTimestamp } = metadata
  return listOf({
    'Name:': name,
    'Namespace:': namespace || undefined,
    'Resource:': `${kind} (${apiVersion})`,
    'Labels:': pairs(labels),
    'Annotations:': pairs(annotations),
    'Age:': ageOf(creationTimestamp),
  })
}

/** kubectl's own copy of the whole resource: nothing to read. And what has a section of its own. */
const NOT_SHOWN: readonly string[] = ['kubectl.kubernetes.io/last-applied-configuration', SCHEMA_DATA]

function pairs(values: Readonly<Record<string, string>> | undefined): string | undefined {
  const all = Object.entries(values ?? {}).flatMap(([key, value]) =>
    NOT_SHOWN.includes(key) ? [] : [`${key}=${value}`],
  )
  return all.length === 0 ? undefined : all.join(', ')
}

type Sections = (client: Client, resource: Resource) => Promise<string[]> | string[]

const SECTIONS: Readonly<Record<string, Sections>> = {
  async Broker(client, resource) {
    const { metadata, status } = resource
    const running = await ask<ChannelAnswer>(client, `/sluice/v1/brokers/${metadata.namespace}/${metadata.name}`)
    return [
      section('Address', { URL: urlOf(resource) || 'none yet' }),
      section('Delivery', {
        'Triggers without their own': policyText(await brokerDelivery(client, resource)),
        'Dead letters': textOf(status?.['deadLetterSinkUri']) || 'the dead-letter box of this Broker',
      }),
      ...(running === undefined ? [] : channelLines(running).map(([title, values]) => section(title, values))),
    ]
  },
  async Trigger(client, resource) {
    const { metadata, spec, status } = resource
    const running = await ask<TriggerAnswer>(client, `/sluice/v1/triggers/${metadata.namespace}/${metadata.name}`)
    const shown = running === undefined ? [] : [...progressLines(running), ...channelLines(running)]
    return [
      listOf({ 'Broker:': textOf(spec?.['broker']) }),
      filterSection(spec),
      section('Sink', {
        Destination: destinationText(spec?.['subscriber']),
        URI: textOf(status?.['subscriberUri']) || 'not resolved',
      }),
      ...(running === undefined
        ? []
        : [section('Delivery', { By: await policyOwner(client, resource), ...deliveryLines(running) })]),
      ...shown.map(([title, values]) => section(title, values)),
    ]
  },
  Channel: channelSections,
  InMemoryChannel: channelSections,
  LogChannel: channelSections,
  async Subscription(client, resource) {
    const { metadata, spec, status } = resource
    const running = await ask<TriggerAnswer>(client, `/sluice/v1/subscriptions/${metadata.namespace}/${metadata.name}`)
    const shown = running === undefined ? [] : [...progressLines(running), ...channelLines(running)]
    const { subscriberUri, replyUri } = asRecord(status?.['physicalSubscription'])
    const resolved = (uri: unknown): string => textOf(uri) || 'not resolved'
    return [
      listOf({ 'Channel:': referenceText(spec?.['channel']) }),
      section('Sink', { Destination: destinationText(spec?.['subscriber']), URI: resolved(subscriberUri) }),
      spec?.['reply'] === undefined
        ? section('Reply', { none: 'what the subscriber answers with is dropped' })
        : section('Reply', { Destination: destinationText(spec['reply']), URI: resolved(replyUri) }),
      ...(running === undefined
        ? []
        : [section('Delivery', { By: await policyOwner(client, resource), ...deliveryLines(running) })]),
      ...shown.map(([title, values]) => section(title, values)),
    ]
  },
  EventType: (_client, resource) =>
    eventTypeSections(resource).map(([title, of]) => (typeof of === 'string' ? block(title, of) : section(title, of))),
}

async function channelSections(client: Client, resource: Resource): Promise<string[]> {
  const { kind, metadata, spec, status } = resource
  const running = await ask<ChannelAnswer>(client, `/sluice/v1/channels/${metadata.namespace}/${metadata.name}`)
  const of = asRecord(status?.['channel'])
  const subscribers = status?.['subscribers']
  return [
    section('Address', { URL: urlOf(resource) || 'none yet' }),
    section('Made of', {
      Kind: textOf(of['kind']) || kind,
      Subscriptions: String(Array.isArray(subscribers) ? subscribers.length : 0),
    }),
    section('Delivery', {
      'Subscriptions without their own': policyText(spec?.['delivery']),
      'Dead letters': textOf(status?.['deadLetterSinkUri']) || `the dead-letter box of this ${kind}`,
    }),
    ...(running === undefined ? [] : channelLines(running).map(([title, values]) => section(title, values))),
  ]
}

/** Of a kind that has no words of its own: what was written, where it takes events, and what it says of itself. */
function otherSections(_client: Client, resource: Resource): string[] {
  const { spec = {}, status } = resource
  const url = urlOf(resource)
  const { address: _address, conditions: _conditions, observedGeneration: _generation, ...said } = { ...status }
  return [
    ...(url === '' ? [] : [section('Address', { URL: url })]),
    ...(Object.keys(spec).length === 0 ? [] : [block('Spec', stringify(spec))]),
    ...(Object.keys(said).length === 0 ? [] : [block('Status', stringify(said))]),
  ]
}

/** What runs of it; `undefined` where it doesn't run, which its conditions explain. */
async function ask<Answer>(client: Client, path: string): Promise<Answer | undefined> {
  const { word, server } = client
  const answer = await reach(client, 'GET', path)
  if (answer.status === 404 || answer.status === 503) return undefined
  const value = answer.status === 200 ? jsonOf(answer.body) : undefined
  if (value === undefined) exitWith(EXIT.failed, `${word}: ${whyRefused(server, path, answer)}`)
  return value as Answer
}

function filterSection(spec: Resource['spec']): string {
  const filters = spec?.['filters']
  if (Array.isArray(filters) && filters.length > 0) return block('Filters', stringify(filters))
  const attributes = asRecord(asRecord(spec?.['filter'])['attributes'])
  const shown = Object.entries(attributes).map(([name, value]) => [name, String(value) || '(there, and not empty)'])
  return shown.length === 0 ? section('Filter', { none: 'every event' }) : section('Filter', Object.fromEntries(shown))
}

function policyText(value: unknown): string {
  const { retry, backoffPolicy, backoffDelay, timeout } = asRecord(value) as DeliverySpec
  const given = { retry, backoffPolicy, backoffDelay, timeout }
  const parts = Object.entries(given).flatMap(([name, each]) => (each === undefined ? [] : [`${name} ${each}`]))
  return parts.length === 0 ? 'the default: retry 10, exponential from PT0.2S' : parts.join(', ')
}

/** Whose delivery holds: any field of its own replaces that of its Broker or channel whole (spec 82, 87). */
async function policyOwner(client: Client, { kind, metadata, spec }: Resource): Promise<string> {
  if (hasAny(spec)) return `this ${kind}`
  const channel = asRecord(spec?.['channel'])
  const owner = kind === 'Trigger' ? 'Broker' : textOf(channel['kind'])
  const name = textOf(kind === 'Trigger' ? spec?.['broker'] : channel['name'])
  const ownerKind = findKind(
    kind === 'Trigger' ? 'eventing.knative.dev' : groupOf(textOf(channel['apiVersion'])),
    owner,
  )
  if (ownerKind === undefined) return 'the default'
  const hub = await ask<Resource>(client, pathOf(ownerKind, metadata.namespace, name))
  if (hasAny(hub?.spec)) return `${owner} ${name}`
  const isDefaulted = hub !== undefined && (await brokerDelivery(client, hub)) !== undefined
  return isDefaulted ? `ConfigMap ${BROKER_DEFAULTS.namespace}/${BROKER_DEFAULTS.name}` : 'the default'
}

/** What holds for the triggers of a Broker that have no delivery of their own. */
async function brokerDelivery(client: Client, hub: Resource): Promise<DeliverySpec | undefined> {
  if (!isBroker(hub)) return undefined
  const { namespace, name } = BROKER_DEFAULTS
  const defaults = hub.spec.delivery === undefined ? await ask<Resource>(client, pathOf(CONFIG_MAP, namespace, name)) : undefined // prettier-ignore
  return deliveryOf(hub, () => defaults)
}

const CONFIG_MAP = findKind('', 'ConfigMap')!

function hasAny(spec: Resource['spec']): boolean {
  return Object.keys(asRecord(spec?.['delivery'])).length > 0
}

// --- Conditions, as kn marks them ---

function conditionsOf({ status }: Resource): string {
  const conditions = (status?.conditions ?? []).toSorted((a, b) => rank(a) - rank(b) || (a.type < b.type ? -1 : 1))
  return conditions.length === 0 ? '' : block('Conditions', tableOf(CONDITION_COLUMNS, conditions))
}

/** Ready first, then by severity. */
function rank({ type, severity }: Condition): number {
  if (type === 'Ready') return -1
  return severity === undefined ? 0 : severity === 'Warning' ? 1 : 2
}

const CONDITION_COLUMNS: readonly Column<Condition>[] = [
  { title: 'OK', of: markOf },
  { title: 'TYPE', of: ({ type }) => type },
  { title: 'AGE', of: ({ lastTransitionTime = '' }) => ageOf(lastTransitionTime) },
  { title: 'REASON', of: ({ reason, message }) => [reason, message].filter(Boolean).join(' : ') || ' ' },
]

function markOf({ status, severity }: Condition): string {
  if (status === 'True') return '++'
  if (status === 'Unknown') return '??'
  return severity === undefined ? '!!' : severity === 'Warning' ? ' W' : ' I'
}

// --- Layout ---

function section(title: string, values: Readonly<Record<string, string | undefined>>): string {
  return block(title, listOf(Object.fromEntries(Object.entries(values).map(([name, value]) => [`${name}:`, value]))))
}

function block(title: string, text: string): string {
  const lines = printableLines(text.trimEnd()).split('\n')
  return `${printable(title)}:\n${lines.map((line) => `  ${line}\n`).join('')}`
}
