// What operators want to read of the events' way: a target that goes down, dead letters, losses. Never data or
// attributes of an event beyond its id, source and type (CE-15).

import { judgementText, type BrokerName, type Observer, type TriggerName } from '@sluice/broker'
import type { Clock } from '@sluice/clock'
import type { Event } from '@sluice/event'
import { Sparsely } from './sparsely.ts'

/** What it needs of a logger; pino is one. */
export interface EventLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** `observer`, and a log line where a person should know. */
export function withLog(observer: Observer, log: EventLog, clock: Clock): Observer {
  const deadLettered = new Sparsely<TriggerName>(clock)
  const judged = new Sparsely<BrokerName>(clock)
  const down = new WeakSet<TriggerName>()
  /** The last sign of overload, in words. */
  const pressure = new WeakMap<TriggerName, string>()

  return {
    ...observer,
    judged(broker, event, judgement, trigger) {
      observer.judged(broker, event, judgement, trigger)
      const events = judged.count(broker)
      if (events === 0) return
      const { namespace, name } = broker
      const reply = trigger === undefined ? {} : { replyOf: trigger.name }
      log.warn(
        { broker: `${namespace}/${name}`, ...identified(event), ...reply, why: judgementText(judgement), events },
        judgement.isRefused ? 'refused, for its data' : 'stored, though its data is not as it should be',
      )
    },
    deadLettered(trigger, event, into, reason, error) {
      observer.deadLettered(trigger, event, into, reason, error)
      const events = deadLettered.count(trigger)
      if (events === 0) return
      log.warn(
        { ...named(trigger), ...identified(event), reason, ...(error !== reason && { error }), events },
        into === 'sink' ? 'dead-lettered to its sink' : 'kept in the dead-letter box',
      )
    },
    attempted(trigger, event, outcome, at, attempt) {
      observer.attempted(trigger, event, outcome, at, attempt)
      if (outcome.pressure && at === 'subscriber') pressure.set(trigger, outcome.error)
    },
    targetChanged(trigger, state) {
      observer.targetChanged(trigger, state)
      if (state === 'Down') {
        down.add(trigger)
        log.warn(
          { ...named(trigger), why: pressure.get(trigger) },
          'subscriber is down; its events wait, and cost no tries',
        )
      } else if (down.delete(trigger)) log.info(named(trigger), 'subscriber takes events again')
    },
    lost(trigger, loss) {
      observer.lost(trigger, loss)
      log.error({ ...named(trigger), events: loss.events, cause: loss.cause }, 'events lost')
    },
    discarded(trigger, events, cause) {
      observer.discarded(trigger, events, cause)
      if (events > 0) log.warn({ ...named(trigger), events }, DISCARDED[cause])
    },
  }
}

const DISCARDED = {
  deleted: 'trigger deleted; its backlog was discarded',
  seek: 'trigger was set past events that waited for it',
} as const

function named({ namespace, name, broker }: TriggerName): object {
  const title = `${namespace}/${name}`
  return broker.kind === 'Broker'
    ? { trigger: title, broker: broker.name }
    : { subscription: title, channel: broker.name }
}

/** Each may have 60 KiB; so many characters are enough to find it. */
const LOGGED_CHARACTERS_MAX = 256

function identified({ id, source, type }: Event): object {
  return { id: shortened(id), source: shortened(source), type: shortened(type) }
}

function shortened(text: string): string {
  return text.length <= LOGGED_CHARACTERS_MAX ? text : `${text.slice(0, LOGGED_CHARACTERS_MAX)}...`
}
