// What people do to a Trigger or a Subscription that is no change of its resource: pause it, resume it, set it to another
// place. It works on those from files too (DESIGN "Resources").
//
// From: the API (server/src/trigger-operations.ts). Next: the plan of the trigger is made again, or its broker seeks.

import type { Broker } from '@sluice/broker'
import type { Start } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import { keyOf, resourceKey, triggerSettings, type ResourceStore } from '@sluice/resource'
import { hubPathOf, isAnyTrigger, SUBSCRIPTIONS, TRIGGERS, type AnyTrigger } from './addresses.ts'
import type { DataDirectory } from './data.ts'
import type { OperationNotes } from './operation-notes.ts'

/** Names a Trigger, or a Subscription. */
export interface TriggerReference {
  /** Default `Trigger`. */
  readonly kind?: 'Trigger' | 'Subscription'
  readonly namespace: string
  readonly name: string
}

/** What came of an operation. */
export interface Operated {
  /** Whether it holds after a restart of Sluice. */
  readonly isKept: boolean
}

/** Where a trigger is set to: `time` in wall-clock ms. */
export type SeekTarget = 'earliest' | 'latest' | { readonly time: number }

/** What {@link Operations.prune} has removed. */
export interface Pruned {
  /** Of triggers. */
  readonly cursors: number
  /** Data of Brokers. */
  readonly brokers: number
}

export interface OperationsContext {
  readonly store: ResourceStore
  readonly clock: Clock
  readonly notes: OperationNotes
  readonly data: DataDirectory | undefined
  /** Forgets where removed triggers stood; resolves with how many. */
  readonly forgetRemoved: () => Promise<number>
  /** The broker at this path, or throws why there is none. */
  readonly runningBroker: (path: string) => Broker
  /** The notes of the trigger with this resource key are others: makes it run by them. Never rejects. */
  readonly changed: (key: string) => Promise<void>
}

export class Operations {
  readonly #context: OperationsContext

  constructor(context: OperationsContext) {
    this.#context = context
  }

  /**
   * Nothing is delivered any more, once this has resolved, but what is under way; what matches is stored and waits. Rejects
   * with `SLUICE_TRIGGER_NOT_FOUND` or `SLUICE_SUBSCRIPTION_NOT_FOUND`, or where the disk does not keep it.
   */
  async pause(reference: TriggerReference): Promise<Operated> {
    const { notes, clock } = this.#context
    const trigger = this.#find(reference)
    const { uid } = trigger.metadata
    const note = notes.of(uid)
    if (note?.paused === undefined) {
      await notes.set(uid, { ...note, trigger: title(trigger), paused: { since: timestamp(clock) } })
      await this.#context.changed(keyOf(trigger))
    }
    return { isKept: notes.isKept }
  }

  /** The end of {@link pause}. Rejects with `SLUICE_TRIGGER_PAUSED` where its annotation keeps it paused, too. */
  async resume(reference: TriggerReference): Promise<Operated> {
    const { notes } = this.#context
    const trigger = this.#find(reference)
    const { uid } = trigger.metadata
    const { paused, ...note } = notes.of(uid) ?? { trigger: title(trigger) }
    if (paused !== undefined) {
      await notes.set(uid, note)
      await this.#context.changed(keyOf(trigger))
    }
    if (triggerSettings(trigger).paused) throw this.#pausedByAnnotation(trigger)
    return { isKept: notes.isKept }
  }

  /**
   * Sets what it has still to get to `to`. Rejects, with nothing changed, with `SLUICE_CHANNEL_UNSUPPORTED` where the
   * channel of its broker can't, and where that is not open.
   */
  async seek(reference: TriggerReference, to: SeekTarget): Promise<Operated & { readonly skipped: number }> {
    const { notes, clock, runningBroker } = this.#context
    const trigger = this.#find(reference)
    const { uid } = trigger.metadata
    const broker = runningBroker(hubPathOf(trigger))
    const { skipped } = await broker.seekTrigger(uid, to satisfies Start).catch((error: unknown) => {
      throw explained(error, trigger)
    })
    const text = typeof to === 'string' ? to : new Date(to.time).toISOString()
    const note = { ...notes.of(uid), trigger: title(trigger), seek: { to: text, time: timestamp(clock) } }
    await notes.set(uid, note).catch((error: unknown) => process.emitWarning(error as Error)) // it is done, all the same
    await this.#context.changed(keyOf(trigger))
    return { isKept: broker.channel.capabilities.durable, skipped }
  }

  /**
   * Removes at once what is kept for 24 h after its end: where removed triggers stood, and the data of removed Brokers.
   * Rejects where the disk does not let it.
   */
  async prune(): Promise<Pruned> {
    const cursors = await this.#context.forgetRemoved()
    return { cursors, brokers: (await this.#context.data?.emptyTrash()) ?? 0 }
  }

  #find({ kind = 'Trigger', namespace, name }: TriggerReference): AnyTrigger {
    const found = this.#lookFor(kind, namespace, name)
    if (found !== undefined) return found
    const other = kind === 'Trigger' ? 'Subscription' : 'Trigger'
    const hint = this.#lookFor(other, namespace, name) === undefined ? '' : ` There is a ${other} of that name.`
    throw new SluiceError(
      NOT_FOUND[kind],
      `There is no ${kind} ${name.slice(0, 253)} in namespace ${namespace.slice(0, 63)}.${hint}`,
      { status: 404 },
    )
  }

  #lookFor(kind: 'Trigger' | 'Subscription', namespace: string, name: string): AnyTrigger | undefined {
    const of = kind === 'Trigger' ? TRIGGERS : SUBSCRIPTIONS
    const found = this.#context.store.get(resourceKey({ ...of, namespace, name }))
    return found !== undefined && isAnyTrigger(found) ? found : undefined
  }

  #pausedByAnnotation(trigger: AnyTrigger): SluiceError {
    const origin = this.#context.store.origin(keyOf(trigger))
    const where = origin === undefined ? '' : ` (${origin.file}:${origin.line})`
    return new SluiceError(
      'SLUICE_TRIGGER_PAUSED',
      `${trigger.kind} ${title(trigger)} is paused by its annotation sluice.dev/paused, which wins${where}. Take that away, and apply it.`,
      { status: 409 },
    )
  }
}

const NOT_FOUND = { Trigger: 'SLUICE_TRIGGER_NOT_FOUND', Subscription: 'SLUICE_SUBSCRIPTION_NOT_FOUND' } as const

/** Says of whom, and what would do. */
function explained(error: unknown, trigger: AnyTrigger): unknown {
  if (!(error instanceof SluiceError)) return error
  const { code, status } = error
  if (code === 'SLUICE_TRIGGER_NOT_FOUND') {
    const message = `${trigger.kind} ${title(trigger)} is not subscribed yet; its status says why. Nothing was changed.`
    return new SluiceError('SLUICE_TRIGGER_NOT_SUBSCRIBED', message, { status: 503, retryable: true })
  }
  if (code !== 'SLUICE_CHANNEL_UNSUPPORTED') return error
  const what = trigger.kind === 'Trigger' ? 'A Broker with a log' : 'One of a LogChannel'
  const message = `${trigger.kind} ${title(trigger)} can't be set to another place: ${error.message} ${what} can. Nothing was changed.`
  return new SluiceError(code, message, { status, ...(error.subject !== undefined && { subject: error.subject }) })
}

function title({ metadata: { namespace, name } }: AnyTrigger): string {
  return `${namespace}/${name}`
}

function timestamp(clock: Clock): string {
  return new Date(clock.now()).toISOString()
}
