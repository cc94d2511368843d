// Metrics on the broker's Observer. Names: SURFACE.md "Metrics".
//
// Per event only plain numbers move, found by the identity of broker and trigger; they are written down when somebody
// scrapes, in slices, so that 10,000 triggers don't stop the events meanwhile (bench: bench/metrics.ts). What is no
// more (a deleted trigger, a removed broker) has no numbers either: they go with it.

import { setImmediate } from 'node:timers/promises'
import type { Broker, BrokerName, Observer, TriggerName } from '@sluice/broker'
import type { Controller } from '@sluice/controller'
import type { Clock } from '@sluice/clock'
import { exposition, EXPOSITION_TYPE, labelText, type Exposition, type Family } from './exposition.ts'
import { DISPATCH_BUCKETS, Histogram, SYNC_BUCKETS } from './histogram.ts'

/** Counts what the observer is told, and prints it. */
export interface Metrics {
  readonly observer: Observer
  /** A log has made one write and its sync, in so many ms. */
  synced(ms: number): void
  /** A connection was closed as soon as it was open. */
  connectionRefused(listener: string, crowd: string): void
  /** The certificate of a listener ends then. */
  certificate(listener: string, notAfterMs: number): void
  /** A request to the API was refused for want of a token. */
  unauthorized(): void
  /** Files that have changed were applied; or they are broken, and were not. */
  reloaded(isApplied: boolean, nowMs: number): void
  /**
   * The text of `/metrics`, with lag and sizes read off the running brokers. Who asks while it is being written gets
   * the same text.
   */
  render(controller: Controller, clock: Clock): Promise<string>
  readonly contentType: string
}

/** Triggers written before others on the event loop have their turn. */
const TRIGGERS_AT_ONCE = 200

const ACCEPTED = counter('sluice_events_accepted_total', 'Events stored, replies included.')
const REFUSED = counter('sluice_events_refused_total', 'Events not stored, by the HTTP status their sender was given.')
const DELIVERIES = counter(
  'sluice_deliveries_total',
  'What became of events: delivered, retry, dead_lettered (the sink has it), boxed.',
)
const DISPATCH: Family = {
  name: 'kn_eventing_dispatch_duration_seconds',
  type: 'histogram',
  help: 'Duration of one attempt at a subscriber; status 0 = no answer.',
}
const LOST = counter('sluice_events_lost_total', 'Accepted events that will not be delivered, by cause.')
const DISCARDED = counter('sluice_events_discarded_total', 'Undelivered events of what was deleted, by cause.')
const LAG = gauge('sluice_subscription_lag_events', 'Events that the trigger has still to settle.')
const OLDEST = gauge('sluice_subscription_oldest_seconds', 'Age of the oldest of them.')
const IN_FLIGHT = gauge('sluice_subscription_in_flight', 'Events handed out and neither settled nor parked.')
const PARKED = gauge('sluice_subscription_parked', 'Events that wait for their next try.')
const WINDOW = gauge('sluice_subscription_window', 'Events that may be in flight.')
const FILTER_ERRORS = counter(
  'sluice_filter_errors_total',
  'Events on which the expression of a trigger failed, so that it did not match them.',
)
const STATE = gauge('sluice_subscription_state', 'Of its subscriber: 0 healthy, 1 throttled, 2 down.')
const BOX_EVENTS = gauge('sluice_dead_letter_box_events', 'Dead letters in the box.')
const BOX_BYTES = gauge('sluice_dead_letter_box_bytes', 'Bytes of dead letters in the box.')
const CHANNEL_BYTES = gauge('sluice_channel_bytes', 'Bytes that the channel holds and not every trigger has settled.')
const CHANNEL_READY = gauge('sluice_channel_ready', '1 while the channel works; 0 also where it could not be opened.')
const VIOLATIONS = counter(
  'sluice_schema_violations_total',
  'Events and replies whose data does not keep to the schema of their type: stored, or refused.',
)
const EVENT_TYPES = gauge('sluice_event_types', 'EventTypes that there are, those of replies included.')
const OTHER_EVENTS = counter('sluice_event_types_other_events_total', 'Events that no EventType describes.')
const RELOADED = gauge('sluice_config_last_reload_successful', '0 while the files are broken and were not applied.')
const RELOADED_AT = gauge('sluice_config_last_reload_success_timestamp_seconds', 'When the files were applied last.')
const UNAUTHORIZED = counter('sluice_api_unauthorized_total', 'Requests to the API without one of its tokens.')
const CONNECTIONS_REFUSED = counter(
  'sluice_connections_refused_total',
  'Connections closed as soon as they were open: too many of the listener, or of one address.',
)
const CERTIFICATE = gauge('sluice_tls_certificate_not_after_seconds', 'When the certificate of a listener ends.')
const SYNC: Family = {
  name: 'sluice_log_sync_seconds',
  type: 'histogram',
  help: 'Duration of one write and its sync to the disk, of all logs.',
}

/** In the order in which they are printed. */
const FAMILIES: readonly Family[] = [
  ...[ACCEPTED, REFUSED, DELIVERIES, DISPATCH, LOST, DISCARDED],
  ...[LAG, OLDEST, IN_FLIGHT, PARKED, WINDOW, STATE, FILTER_ERRORS],
  ...[VIOLATIONS, EVENT_TYPES, OTHER_EVENTS],
  ...[
    BOX_EVENTS,
    BOX_BYTES,
    CHANNEL_BYTES,
    CHANNEL_READY,
    SYNC,
    RELOADED,
    RELOADED_AT,
    UNAUTHORIZED,
    CONNECTIONS_REFUSED,
    CERTIFICATE,
  ],
]
const STATES = { Healthy: 0, Throttled: 1, Down: 2 } as const

function counter(name: string, help: string): Family {
  return { name, type: 'counter', help }
}

function gauge(name: string, help: string): Family {
  return { name, type: 'gauge', help }
}

/** Of one broker. */
interface BrokerCounts {
  accepted: number
  /** Events by HTTP status. */
  readonly refused: Map<number, number>
  violations: { stored: number; refused: number }
  /** By HTTP status; 0 = no answer. A subscriber chooses among a thousand at most. */
  readonly dispatched: Map<number, Histogram>
}

/** Of one trigger. */
interface TriggerCounts {
  delivered: number
  retry: number
  deadLettered: number
  boxed: number
}

export function metrics(): Metrics {
  const brokers = new WeakMap<BrokerName, BrokerCounts>()
  const triggers = new WeakMap<TriggerName, TriggerCounts>()
  const lost = new Map<string, number>()
  const discarded = new Map<string, number>()
  const syncs = new Histogram(SYNC_BUCKETS)
  let unauthorized = 0
  const certificates = new Map<string, number>()
  const connectionsRefused = new Map<string, number>()
  let reloaded = { isApplied: true, atMs: 0 }
  let rendering: Promise<string> | undefined

  return {
    contentType: EXPOSITION_TYPE,
    observer: {
      accepted: (broker) => void ofBroker(broker).accepted++,
      refused: (broker, status, events) => add(ofBroker(broker).refused, status, events),
      judged: (broker, _event, { isRefused }) => void ofBroker(broker).violations[isRefused ? 'refused' : 'stored']++,
      matched() {},
      attempted(trigger, _event, outcome, at) {
        if (at !== 'subscriber') return
        const { dispatched } = ofBroker(trigger.broker)
        let histogram = dispatched.get(outcome.status)
        if (histogram === undefined) dispatched.set(outcome.status, (histogram = new Histogram(DISPATCH_BUCKETS)))
        histogram.observe(outcome.durationMs / 1000)
      },
      parked: (trigger) => void ofTrigger(trigger).retry++,
      settled: (trigger) => void ofTrigger(trigger).delivered++,
      deadLettered: (trigger, _event, into) => void ofTrigger(trigger)[into === 'sink' ? 'deadLettered' : 'boxed']++,
      targetChanged() {},
      lost: (_trigger, { events, cause }) => add(lost, cause, events),
      discarded: (_trigger, events, cause) => add(discarded, cause, events),
    },
    synced: (ms) => syncs.observe(ms / 1000),
    connectionRefused: (listener, crowd) => add(connectionsRefused, labelText({ listener, crowd }), 1),
    certificate: (listener, notAfterMs) => void certificates.set(listener, notAfterMs / 1000),
    unauthorized: () => void unauthorized++,
    reloaded: (isApplied, nowMs) => void (reloaded = { isApplied, atMs: isApplied ? nowMs : reloaded.atMs }),
    render(controller, clock) {
      return (rendering ??= render(controller, clock).finally(() => (rendering = undefined)))
    },
  }

  function ofBroker(broker: BrokerName): BrokerCounts {
    let counts = brokers.get(broker)
    if (counts === undefined) {
      const violations = { stored: 0, refused: 0 }
      brokers.set(broker, (counts = { accepted: 0, refused: new Map(), violations, dispatched: new Map() }))
    }
    return counts
  }

  function ofTrigger(trigger: TriggerName): TriggerCounts {
    let counts = triggers.get(trigger)
    if (counts === undefined) {
      triggers.set(trigger, (counts = { delivered: 0, retry: 0, deadLettered: 0, boxed: 0 }))
    }
    return counts
  }

  async function render(controller: Controller, clock: Clock): Promise<string> {
    const to = exposition(FAMILIES)
    for (const [cause, events] of lost) to.sample(LOST, labelText({ cause }), events)
    for (const [cause, events] of discarded) to.sample(DISCARDED, labelText({ cause }), events)
    syncs.write(to, SYNC)
    to.sample(UNAUTHORIZED, '', unauthorized)
    for (const [labels, connections] of connectionsRefused) to.sample(CONNECTIONS_REFUSED, labels, connections)
    for (const [listener, seconds] of certificates) to.sample(CERTIFICATE, labelText({ listener }), seconds)
    if (reloaded.atMs > 0) {
      to.sample(RELOADED, '', reloaded.isApplied ? 1 : 0)
      to.sample(RELOADED_AT, '', reloaded.atMs / 1000)
    }
    for (const waiting of controller.waiting()) to.sample(CHANNEL_READY, labelText(labelsOf(waiting)), 0)
    let written = 0
    for (const broker of controller.brokers()) {
      writeBroker(to, broker, ofBroker(broker), controller)
      for (const trigger of broker.triggers()) {
        writeTrigger(to, broker, trigger, ofTrigger(trigger.name), clock)
        if (++written % TRIGGERS_AT_ONCE === 0) await setImmediate()
      }
    }
    return to.text()
  }
}

function add<Key>(counts: Map<Key, number>, key: Key, events: number): void {
  counts.set(key, (counts.get(key) ?? 0) + events)
}

function writeBroker(to: Exposition, broker: Broker, counts: BrokerCounts, controller: Controller): void {
  const of = labelsOf(broker)
  const labels = labelText(of)
  const box = broker.box.usage()
  to.sample(ACCEPTED, labels, counts.accepted)
  for (const [code, events] of counts.refused) to.sample(REFUSED, labelText({ ...of, code }), events)
  for (const [status, histogram] of counts.dispatched) {
    histogram.write(to, DISPATCH, { ...attributesOf(broker), http_response_status_code: status })
  }
  to.sample(BOX_EVENTS, labels, box.events)
  to.sample(BOX_BYTES, labels, box.bytes)
  to.sample(CHANNEL_BYTES, labels, broker.channel.usage().bytes)
  to.sample(CHANNEL_READY, labels, controller.channelState(broker).state === 'ready' ? 1 : 0)
  for (const action of ['stored', 'refused'] as const) {
    if (counts.violations[action] > 0) to.sample(VIOLATIONS, labelText({ ...of, action }), counts.violations[action])
  }
  const { eventTypes, others } = controller.eventTypes.usage(broker)
  to.sample(EVENT_TYPES, labels, eventTypes)
  to.sample(OTHER_EVENTS, labels, others)
}

/** A channel has `channel` in the place of `broker`, and its subscriptions `subscription` in that of `trigger`. */
function labelsOf({ kind, namespace, name }: BrokerName): Record<string, string> {
  return kind === 'Broker' ? { namespace, broker: name } : { namespace, channel: name }
}

/** As Knative names them (KNATIVE.md 4.1). */
function attributesOf({ kind, namespace, name }: BrokerName): Record<string, string> {
  return kind === 'Broker'
    ? { kn_broker_namespace: namespace, kn_broker_name: name }
    : { kn_channel_namespace: namespace, kn_channel_name: name }
}

type RunningTrigger = ReturnType<Broker['triggers']> extends Iterable<infer Each> ? Each : never

function writeTrigger(
  to: Exposition,
  broker: Broker,
  { name, config, status }: RunningTrigger,
  counts: TriggerCounts,
  clock: Clock,
): void {
  const which = broker.kind === 'Broker' ? 'trigger' : 'subscription'
  const labels = labelText({ ...labelsOf(broker), namespace: name.namespace, [which]: name.name })
  const outcome = (which: string): string => `${labels.slice(0, -1)},outcome="${which}"}`
  to.sample(DELIVERIES, outcome('delivered'), counts.delivered)
  to.sample(DELIVERIES, outcome('retry'), counts.retry)
  to.sample(DELIVERIES, outcome('dead_lettered'), counts.deadLettered)
  to.sample(DELIVERIES, outcome('boxed'), counts.boxed)
  const { lag } = status
  to.sample(LAG, labels, lag.events)
  to.sample(OLDEST, labels, lag.oldest === undefined ? 0 : Math.max(0, clock.now() - lag.oldest) / 1000)
  to.sample(IN_FLIGHT, labels, lag.inFlight)
  to.sample(PARKED, labels, lag.parked)
  to.sample(WINDOW, labels, config.window.events)
  to.sample(STATE, labels, STATES[status.state])
  to.sample(FILTER_ERRORS, labels, config.filterErrors?.count ?? 0)
}
