// Which columns a table of resources has: for each kind those of `kn KIND list`, in its words (KNATIVE.md 4.2).

import { readyCondition, type Condition, type Destination, type Kind, type Resource } from '@sluice/resource'
import { EVENT_TYPE_COLUMNS } from './event-type-words.ts'
import { ageOf, type Column } from './table.ts'

/** Of a table of that kind. */
export function columnsOf({ kind, run }: Kind, allNamespaces: boolean): Column<Resource>[] {
  const own = (run ? BY_KIND[kind] : undefined) ?? OTHERS // a Service of Knative is none of the core's
  return allNamespaces ? [NAMESPACE, NAME, ...own] : [NAME, ...own]
}

const NAMESPACE = column('NAMESPACE', ({ metadata }) => metadata.namespace)
const NAME = column('NAME', ({ metadata }) => metadata.name)
const AGE = column('AGE', ({ metadata }) => ageOf(metadata.creationTimestamp))
const URL = column('URL', urlOf)
const CONDITIONS = column('CONDITIONS', ({ status }) => {
  const all = status?.conditions ?? []
  return `${all.filter(isFine).length} OK / ${all.length}`
})
const READY = column('READY', ({ status }) => readyCondition(status?.conditions)?.status ?? '<unknown>')
const REASON = column('REASON', ({ status }) => whyNotReady(readyCondition(status?.conditions)))

const BY_KIND: Readonly<Record<string, readonly Column<Resource>[]>> = {
  Broker: [URL, AGE, CONDITIONS, READY, REASON],
  Trigger: [
    column('BROKER', ({ spec }) => textOf(spec?.['broker'])),
    column('SINK', ({ spec }) => destinationText(spec?.['subscriber'])),
    ...[AGE, CONDITIONS, READY, REASON],
  ],
  Channel: [column('TYPE', typeOfChannel), URL, AGE, READY, REASON],
  InMemoryChannel: [URL, AGE, READY, REASON],
  LogChannel: [URL, AGE, READY, REASON],
  Subscription: [
    column('CHANNEL', ({ spec }) => referenceText(spec?.['channel'])),
    column('SUBSCRIBER', ({ spec }) => destinationText(spec?.['subscriber'])),
    column('REPLY', ({ spec }) => destinationText(spec?.['reply'])),
    column('DEAD LETTER SINK', ({ spec }) => destinationText(deadLetterSinkOf(spec))),
    ...[READY, REASON],
  ],
  EventType: [...EVENT_TYPE_COLUMNS, READY],
  WebhookSource: [URL, sinkColumn(), AGE, CONDITIONS, READY, REASON],
  PingSource: [
    column('SCHEDULE', ({ spec }) => textOf(spec?.['schedule'])),
    ...[sinkColumn(), AGE, CONDITIONS, READY, REASON],
  ],
  Service: [column('TYPE', ({ spec }) => textOf(spec?.['type'])), column('ADDRESS', serviceAddress), AGE],
  ConfigMap: [column('DATA', ({ data }) => sizeOf(data)), AGE],
  Secret: [
    column('TYPE', ({ type }) => textOf(type) || 'Opaque'),
    column('DATA', ({ data, stringData }) => sizeOf({ ...asRecord(data), ...asRecord(stringData) })),
    AGE,
  ],
}

const OTHERS: readonly Column<Resource>[] = [AGE, READY, REASON]

function column(title: string, of: (resource: Resource) => string): Column<Resource> {
  return { title, of }
}

/** Of a source. */
function sinkColumn(): Column<Resource> {
  return column('SINK', ({ spec }) => destinationText(spec?.['sink']))
}

/** A condition that takes nothing away from Ready (spec 104, 114). */
export function isFine({ status, severity }: Condition): boolean {
  return status === 'True' || severity === 'Info' || severity === 'Warning'
}

/** `reason : message`, as kn has it; empty where it is ready. */
export function whyNotReady(ready: Condition | undefined): string {
  if (ready === undefined || ready.status === 'True') return ' '
  return [ready.reason, ready.message].filter(Boolean).join(' : ')
}

/** Where it takes events. */
export function urlOf({ status }: Resource): string {
  return textOf(asRecord(status?.['address'])['url'])
}

/** `broker:default`, `ksvc:shop`, or the URL, as kn's `--sink` takes them. */
export function destinationText(value: unknown): string {
  const { ref, uri } = asRecord(value) as Destination
  if (ref === undefined) return textOf(uri)
  return `${referenceText(ref)}${uri === undefined ? '' : ` ${uri}`}`
}

/** `broker:default`. */
export function referenceText(value: unknown): string {
  const { apiVersion, kind, name } = asRecord(value)
  if (typeof kind !== 'string' || typeof name !== 'string') return ''
  const isKnativeService = kind === 'Service' && textOf(apiVersion).startsWith('serving.')
  const short = isKnativeService ? 'ksvc' : (SHORT[kind] ?? kind.toLowerCase())
  return `${short}:${name}`
}

const SHORT: Readonly<Record<string, string>> = { Service: 'svc', InMemoryChannel: 'imc' }

/** What it asks for, or has by default. */
function typeOfChannel({ spec, status }: Resource): string {
  return textOf(asRecord(spec?.['channelTemplate'])['kind']) || textOf(asRecord(status?.['channel'])['kind'])
}

function deadLetterSinkOf(spec: Resource['spec']): unknown {
  return asRecord(spec?.['delivery'])['deadLetterSink']
}

function serviceAddress({ spec }: Resource): string {
  const ports = spec?.['ports']
  const port = Array.isArray(ports) ? asRecord(ports[0])['port'] : undefined
  const host = textOf(spec?.['externalName'])
  return host !== '' && typeof port === 'number' ? `${host}:${port}` : host
}

function sizeOf(value: unknown): string {
  return String(Object.keys(asRecord(value)).length)
}

export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
