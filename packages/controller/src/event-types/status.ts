// What the status of an EventType says. Pure.

import {
  conditions,
  eventTypeKind,
  groupOf,
  isBroker,
  readyCondition,
  type EventType,
  type Identity,
  type Mark,
  type Resource,
  type Status,
} from '@sluice/resource'
import type { Tally } from './tallies.ts'

/** Consumers that are named. */
const NAMES_MAX = 10

/** What it points to; `undefined`: to nothing. */
export function referenceOf({ spec, metadata }: EventType): Identity | undefined {
  const { reference } = spec
  if (reference === undefined) return undefined
  const { apiVersion, group = groupOf(apiVersion ?? ''), kind, name, namespace = metadata.namespace } = reference
  return { group, kind, namespace, name }
}

/** In Knative's words (KNATIVE.md A.2). `referenced`: the object that it points to, where that is there. */
export function eventTypeStatus(
  eventType: EventType,
  referenced: Resource | undefined,
  tally: Tally | undefined,
): Status {
  return {
    observedGeneration: eventType.metadata.generation,
    conditions: conditions(eventTypeKind.conditions!, {
      ReferenceExists: referenceMark(eventType, referenced),
      ...(referenced !== undefined && isBroker(referenced) && { BrokerReady: brokerMark(referenced) }),
    }),
    ...seenStatus(tally),
  }
}

function referenceMark({ spec }: EventType, referenced: Resource | undefined): Mark {
  if (spec.reference === undefined) {
    return { status: 'True', reason: 'ReferenceNotSet', message: 'spec.reference is not set' }
  }
  if (referenced !== undefined) return { status: 'True' }
  return { status: 'False', reason: 'ResourceDoesNotExist', message: 'Resource in spec.reference does not exist' }
}

function brokerMark({ status }: Resource): Mark {
  const ready = readyCondition(status?.conditions)
  if (ready?.status === 'True') return { status: 'True', severity: 'Info' }
  const { status: is = 'Unknown' } = ready ?? {}
  const { reason = 'BrokerNotConfigured', message = 'Broker has not yet been reconciled.' } = ready ?? {}
  return { status: is as 'Unknown', severity: 'Info', reason, message }
}

/** What has come in of it. Nothing where nobody counts: it points to no Broker and no channel. */
export function seenStatus(tally: Tally | undefined): object {
  if (tally === undefined) return {}
  let [events, firstMs, lastMs, violations] = [0, 0, 0, 0]
  let { violation } = tally
  for (const each of tally.place.within(tally)) {
    events += each.events
    violations += each.violations
    if (each.events > 0) firstMs = firstMs === 0 ? each.firstMs : Math.min(firstMs, each.firstMs)
    lastMs = Math.max(lastMs, each.lastMs)
    if ((each.violation?.timeMs ?? 0) > (violation?.timeMs ?? 0)) violation = each.violation
  }
  return {
    seen: { events, ...(events > 0 && { first: timestamp(firstMs), last: timestamp(lastMs) }) },
    ...(violation !== undefined && {
      schemaViolations: { events: violations, last: { time: timestamp(violation.timeMs), problem: violation.problem } },
    }),
  }
}

/** Who takes its events; nobody, where the number is 0. */
export function consumersStatus(names: readonly string[]): object {
  return { consumers: { count: names.length, names: names.slice(0, NAMES_MAX) } }
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString()
}
