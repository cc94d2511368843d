// The annotations of a Trigger and a Subscription: what Sluice can do beyond Knative's spec (SURFACE, "Trigger annotations").

import type { AnnotationRule, Draft, Report } from '../kind.ts'
import { isRecord, type Resource } from '../resource.ts'
import { SUBSCRIPTION_RECEIVER_ANNOTATIONS, TRIGGER_RECEIVER_ANNOTATIONS } from './receiver-annotations.ts'

/** What the annotations of a Trigger or Subscription ask for; absent where they say nothing. */
export interface TriggerSettings {
  /** `key`: events with the same key in their order, retries included. Default `none`. */
  readonly order: 'none' | 'key'
  /** Events handed out and not yet settled, 1 to 100,000. */
  readonly window?: number
  /** POSTs at once, 1 to 10,000, at most the window. */
  readonly concurrency?: number
  /** Tries a second at the subscriber, more than 0. */
  readonly ratePerSecond?: number
  readonly paused: boolean
  /** Where a new subscription begins: `time` in milliseconds since the epoch. */
  readonly from?: 'resume' | 'earliest' | 'latest' | { readonly time: number }
}

/** Settings of one that is stored, so that its annotations were checked. */
export function triggerSettings({ metadata: { annotations } }: Resource): TriggerSettings {
  const { [WINDOW]: window, [CONCURRENCY]: concurrency, [RATE]: rate, [FROM]: from } = annotations
  const ordered = (annotations[ORDER] ?? (annotations[KAFKA_ORDER] === 'ordered' ? 'key' : 'none')) === 'key'
  return {
    order: ordered ? 'key' : 'none',
    paused: annotations[PAUSED] === 'true',
    ...(window !== undefined && { window: Number(window) }),
    ...(concurrency !== undefined && { concurrency: Number(concurrency) }),
    ...(rate !== undefined && { ratePerSecond: Number.parseFloat(rate) }),
    ...(from !== undefined && { from: isNamedStart(from) ? from : { time: Date.parse(from) } }),
  }
}

/** `sluice.dev/order` */
export const ORDER = 'sluice.dev/order'
/** `sluice.dev/window` */
export const WINDOW = 'sluice.dev/window'
/** `sluice.dev/concurrency` */
export const CONCURRENCY = 'sluice.dev/concurrency'
/** Knative's own wish for order: `ordered` means `order: key`. */
export const KAFKA_ORDER = 'kafka.eventing.knative.dev/delivery.order'
const RATE = 'sluice.dev/rate'
const PAUSED = 'sluice.dev/paused'
const FROM = 'sluice.dev/from'

/** Those that both know. */
const DELIVERY_ANNOTATIONS: Readonly<Record<string, AnnotationRule>> = {
  [ORDER]: choice('Whether events with the same key keep their order.', ['none', 'key']),
  [WINDOW]: wholeNumber('How many events may be out and not yet settled. Default 256.', 100_000),
  [CONCURRENCY]: wholeNumber('How many deliveries may run at once; at most the window.', 10_000),
  [RATE]: {
    description: 'How many tries a second the subscriber gets at most, such as 100/s; a tenth of that at once.',
    refuse: (value) =>
      /^\d{1,9}(\.\d{1,6})?\/s$/.test(value) && Number.parseFloat(value) > 0 ? undefined : 'a rate such as 100/s',
  },
  [PAUSED]: {
    description: 'Whether deliveries wait; the events are kept.',
    values: ['true', 'false'],
    refuse: (value) => (value === 'true' || value === 'false' ? undefined : '"true", or left out'),
  },
  [FROM]: {
    description: 'Where a new Trigger begins to read: resume, earliest, latest, or an RFC 3339 time.',
    values: ['resume', 'earliest', 'latest'],
    refuse: (value) =>
      isNamedStart(value) || isTime(value)
        ? undefined
        : 'resume, earliest, latest, or an RFC 3339 time such as 2026-11-24T18:48:23Z',
  },
  [KAFKA_ORDER]: choice('Knative: whether events keep their order.', ['ordered', 'unordered']),
}

/** The rules of each annotation that a Subscription knows. */
export const SUBSCRIPTION_ANNOTATIONS: Readonly<Record<string, AnnotationRule>> = {
  ...DELIVERY_ANNOTATIONS,
  ...SUBSCRIPTION_RECEIVER_ANNOTATIONS,
}

/** The rules of each annotation that a Trigger knows. */
export const TRIGGER_ANNOTATIONS: Readonly<Record<string, AnnotationRule>> = {
  ...DELIVERY_ANNOTATIONS,
  ...TRIGGER_RECEIVER_ANNOTATIONS,
  'eventing.knative.dev/injection': {
    ...choice('Knative: whether a missing default Broker is made.', ['enabled', 'disabled']),
    notYet: (value) => (value === 'enabled' ? 'warning' : undefined),
  },
  'knative.dev/dependency': {
    description: 'Knative: an object, as JSON, that has to be Ready before the Trigger is.',
    refuse: (value) =>
      isObjectReference(value) ? undefined : 'an object reference as JSON, with kind, name and apiVersion',
  },
}

/** The rule between two of them. */
export function checkWindow({ metadata: { annotations } }: Draft, report: Report): void {
  const window = Number(annotations[WINDOW] ?? Number.NaN)
  const concurrency = Number(annotations[CONCURRENCY] ?? Number.NaN)
  if (!(concurrency > window)) return
  report({
    code: 'SLUICE_RESOURCE_INVALID_ANNOTATION',
    path: ['metadata', 'annotations', CONCURRENCY],
    message: `Annotation ${CONCURRENCY} is ${concurrency}, more than ${WINDOW}, which is ${window}.`,
    hint: 'Only events of the window are delivered: raise it, or lower the concurrency.',
  })
}

function choice(description: string, values: string[]): AnnotationRule {
  return { description, values, refuse: (value) => (values.includes(value) ? undefined : values.join(' or ')) }
}

function wholeNumber(description: string, max: number): AnnotationRule {
  return {
    description,
    refuse: (value) =>
      /^[1-9]\d{0,8}$/.test(value) && Number(value) <= max ? undefined : `a whole number from 1 to ${max}`,
  }
}

function isNamedStart(value: string): value is 'resume' | 'earliest' | 'latest' {
  return value === 'resume' || value === 'earliest' || value === 'latest'
}

function isTime(value: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/.test(value) &&
    !Number.isNaN(Date.parse(value))
  )
}

function isObjectReference(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) && ['kind', 'name', 'apiVersion'].every((field) => typeof value[field] === 'string')
  } catch {
    return false
  }
}
