// Metrics on the broker's Observer, in Prometheus' text form. Names: SURFACE.md "Metrics".
//
// Per event only plain counters move; what can be read off the running brokers is read when somebody scrapes.

import type { BrokerName, Observer, TriggerName } from '@sluice/broker'
import type { Controller } from '@sluice/controller'
import type { Clock } from '@sluice/clock'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Knative's buckets (KNATIVE.md 4.1), in seconds. */
const DISPATCH_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

export interface Metrics {
  readonly observer: Observer
  /** The text of `/metrics`; reads lag and sizes off the running brokers. */
  render(controller: Controller, clock: Clock): Promise<string>
  readonly contentType: string
}

/** Counters of one trigger, moved on the hot path without a look-up by label. */
interface TriggerCounts {
  readonly trigger: TriggerName
  delivered: number
  retry: number
  deadLettered: number
  boxed: number
}

export function metrics(): Metrics {
  const registry = new Registry()
  const accepted = new Map<BrokerName, number>()
  const triggers = new Map<TriggerName, TriggerCounts>()

  const acceptedTotal = new Counter({
    name: 'sluice_events_accepted_total',
    help: 'Events stored, replies included.',
    labelNames: ['namespace', 'broker'],
    registers: [registry],
  })
  const refusedTotal = new Counter({
    name: 'sluice_events_refused_total',
    help: 'Events not stored, by the HTTP status that their sender was given.',
    labelNames: ['namespace', 'broker', 'code'],
    registers: [registry],
  })
  const deliveriesTotal = new Counter({
    name: 'sluice_deliveries_total',
    help: 'What became of events: delivered, retry, dead_lettered (the sink has it), boxed.',
    labelNames: ['namespace', 'broker', 'trigger', 'outcome'],
    registers: [registry],
  })
  const dispatchSeconds = new Histogram({
    name: 'kn_eventing_dispatch_duration_seconds',
    help: 'Duration of one attempt at a subscriber.',
    labelNames: ['kn_broker_namespace', 'kn_broker_name', 'http_response_status_code'],
    buckets: DISPATCH_BUCKETS,
    registers: [registry],
  })
  const lostTotal = new Counter({
    name: 'sluice_events_lost_total',
    help: 'Accepted events that will not be delivered, by cause.',
    labelNames: ['namespace', 'broker', 'trigger', 'cause'],
    registers: [registry],
  })
  const discardedTotal = new Counter({
    name: 'sluice_events_discarded_total',
    help: 'Undelivered events of deleted triggers.',
    labelNames: ['namespace', 'broker', 'trigger', 'cause'],
    registers: [registry],
  })
  const gauges = stateGauges(registry)

  const counts = (trigger: TriggerName): TriggerCounts => {
    let found = triggers.get(trigger)
    if (found === undefined) {
      found = { trigger, delivered: 0, retry: 0, deadLettered: 0, boxed: 0 }
      triggers.set(trigger, found)
    }
    return found
  }
  const dispatched = histogramByStatus(dispatchSeconds)

  return {
    contentType: registry.contentType,
    observer: {
      accepted: (broker) => void accepted.set(broker, (accepted.get(broker) ?? 0) + 1),
      refused: ({ namespace, name }, status, events) =>
        refusedTotal.inc({ namespace, broker: name, code: status }, events),
      matched() {},
      attempted: (trigger, _event, outcome, at) => {
        if (at === 'subscriber') dispatched(trigger.broker, outcome.status, outcome.durationMs / 1000)
      },
      parked: (trigger) => void counts(trigger).retry++,
      settled: (trigger) => void counts(trigger).delivered++,
      deadLettered: (trigger, _event, into) => void counts(trigger)[into === 'sink' ? 'deadLettered' : 'boxed']++,
      targetChanged() {},
      lost: (trigger, { events, cause }) => lostTotal.inc({ ...labels(trigger), cause }, events),
      discarded: (trigger, events) => {
        discardedTotal.inc({ ...labels(trigger), cause: 'deleted' }, events)
        triggers.delete(trigger)
      },
    },
    async render(controller, clock) {
      acceptedTotal.reset()
      for (const [{ namespace, name }, count] of accepted) acceptedTotal.inc({ namespace, broker: name }, count)
      deliveriesTotal.reset()
      for (const each of triggers.values()) {
        const of = labels(each.trigger)
        deliveriesTotal.inc({ ...of, outcome: 'delivered' }, each.delivered)
        deliveriesTotal.inc({ ...of, outcome: 'retry' }, each.retry)
        deliveriesTotal.inc({ ...of, outcome: 'dead_lettered' }, each.deadLettered)
        deliveriesTotal.inc({ ...of, outcome: 'boxed' }, each.boxed)
      }
      gauges(controller, clock)
      return registry.metrics()
    },
  }
}

function labels({ namespace, name, broker }: TriggerName): { namespace: string; broker: string; trigger: string } {
  return { namespace, broker: broker.name, trigger: name }
}

/** Looks a bound histogram up by broker and status, not by a label object for every attempt. */
function histogramByStatus(
  histogram: Histogram<'kn_broker_namespace' | 'kn_broker_name' | 'http_response_status_code'>,
): (broker: BrokerName, status: number, seconds: number) => void {
  const bound = new Map<BrokerName, Map<number, { observe(seconds: number): void }>>()
  return (broker, status, seconds) => {
    let byStatus = bound.get(broker)
    if (byStatus === undefined) bound.set(broker, (byStatus = new Map()))
    let observer = byStatus.get(status)
    if (observer === undefined) {
      observer = histogram.labels(broker.namespace, broker.name, String(status))
      byStatus.set(status, observer)
    }
    observer.observe(seconds)
  }
}

/** What stands in the running brokers at the moment of the scrape. */
function stateGauges(registry: Registry): (controller: Controller, clock: Clock) => void {
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Gauge<Label> =>
    new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] })
  const ofTrigger = ['namespace', 'broker', 'trigger'] as const
  const ofBroker = ['namespace', 'broker'] as const
  const lag = gauge('sluice_subscription_lag_events', 'Events that the trigger has still to settle.', ofTrigger)
  const oldest = gauge('sluice_subscription_oldest_seconds', 'Age of the oldest of them.', ofTrigger)
  const inFlight = gauge(
    'sluice_subscription_in_flight',
    'Events handed out and neither settled nor parked.',
    ofTrigger,
  )
  const parked = gauge('sluice_subscription_parked', 'Events that wait for their next try.', ofTrigger)
  const window = gauge('sluice_subscription_window', 'Events that may be in flight.', ofTrigger)
  const boxEvents = gauge('sluice_dead_letter_box_events', 'Dead letters in the box.', ofBroker)
  const boxBytes = gauge('sluice_dead_letter_box_bytes', 'Bytes of dead letters in the box.', ofBroker)
  const channelBytes = gauge('sluice_channel_bytes', 'Bytes stored in the channel.', ofBroker)
  const channelReady = gauge('sluice_channel_ready', '1 while the channel works.', ofBroker)
  const all = [lag, oldest, inFlight, parked, window, boxEvents, boxBytes, channelBytes, channelReady]

  return (controller, clock) => {
    for (const each of all) each.reset()
    for (const broker of controller.brokers()) {
      const of = { namespace: broker.namespace, broker: broker.name }
      const box = broker.box.usage()
      boxEvents.set(of, box.events)
      boxBytes.set(of, box.bytes)
      channelBytes.set(of, broker.channel.usage().bytes)
      channelReady.set(of, controller.channelState(broker).state === 'ready' ? 1 : 0)
      for (const { name, config, status } of broker.triggers()) {
        const labelled = { ...of, namespace: name.namespace, trigger: name.name }
        const { lag: waiting } = status
        lag.set(labelled, waiting.events)
        oldest.set(labelled, waiting.oldest === undefined ? 0 : Math.max(0, clock.now() - waiting.oldest) / 1000)
        inFlight.set(labelled, waiting.inFlight)
        parked.set(labelled, waiting.parked)
        window.set(labelled, config.window.events)
      }
    }
  }
}
