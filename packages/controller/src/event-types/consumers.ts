// Who takes the events of an EventType: which triggers could match what has its type and source, whatever else it has.

import type { Broker } from '@sluice/broker'
import { compileTrigger, PossibleFilters, type Filter } from '@sluice/filter'
import { isTrigger } from '@sluice/resource'
import type { TriggerPlan } from '../trigger.ts'
import type { Tally } from './tallies.ts'

/** A trigger or subscription, and what it asks for. */
export interface Taker {
  readonly name: string
  readonly filter: Filter
}

/** Answers that are remembered. */
const ANSWERS_MAX = 2000

/** Those of one Broker or channel, as they are now. */
export class Consumers {
  readonly #filters = new PossibleFilters<string>()
  readonly #answers = new Map<string, readonly string[]>()

  constructor(takers: Iterable<Taker>) {
    for (const { name, filter } of takers) this.#filters.add(name, filter)
  }

  /** Their names. */
  of({
    type,
    source,
    matchesType,
    matchesSource,
  }: Pick<Tally, 'type' | 'source' | 'matchesType' | 'matchesSource'>): readonly string[] {
    const known = new Map([['specversion', '1.0']])
    if (matchesType?.exact !== undefined) known.set('type', type!)
    if (matchesSource?.exact !== undefined) known.set('source', source!)
    const key = JSON.stringify([...known])
    let answer = this.#answers.get(key)
    if (answer === undefined) {
      if (this.#answers.size >= ANSWERS_MAX) this.#answers.clear()
      this.#answers.set(key, (answer = this.#filters.of(known)))
    }
    return answer
  }
}

/** Those that are declared, with their filters as they run, where they do. */
export function* takersOf(plans: readonly TriggerPlan[], broker: Broker | undefined): Generator<Taker> {
  const running = new Map<string, Filter>()
  for (const { config } of broker?.triggers() ?? []) running.set(config.id, config.filter)
  for (const { trigger } of plans) {
    const { uid, name } = trigger.metadata
    yield { name, filter: running.get(uid) ?? compileTrigger(isTrigger(trigger) ? trigger.spec : {}) }
  }
}
