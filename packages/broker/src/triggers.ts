// The triggers of a broker: set, changed, held, removed. Each is a subscription on the broker's channel and a dispatch
// that delivers what the subscription hands over (DESIGN "A Trigger is a filtered subscription").
//
// From: broker.ts. Next: the channel hands over to dispatch.ts.

import type { Channel, Lag, Position, PublishResult, Start, Subscription, Window } from '@sluice/channel'
import { SluiceError, type Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import type { TargetState } from './congestion.ts'
import { Dispatch, type DispatchContext, type Route } from './dispatch.ts'
import type { BrokerName, TriggerName } from './observer.ts'
import { Redrive } from './redrive.ts'
import type { Relieving } from './relief.ts'

/** A trigger, with everything resolved: where its address came from, and what YAML said, is its owner's business. */
export interface TriggerConfig {
  /** Names the subscription and its progress, for good: the trigger's uid. */
  readonly id: string
  /** Shown to the subscriber (`Kn-Namespace`), and in dead letters. */
  readonly namespace: string
  readonly name: string
  /** Which events it wants. A change of it needs another object. */
  readonly filter: Filter
  /** On how many events the filter failed, so that it did not match them; counted by whoever compiled it. */
  readonly filterErrors?: { readonly count: number }
  /** Where they go, and how. */
  readonly route: Route
  /** `key`: events of one key one after the other, retries included (DESIGN "The channel contract"). */
  readonly order: 'none' | 'key'
  /** What is handed out at once, at most: tried, waiting for a try, or on the way to a sink or the box. */
  readonly window: Window
  /** By a person: it is handed nothing, and nothing is tried, until this is false again. */
  readonly paused: boolean
  /** Where a new subscription starts; of one that is known it changes nothing. */
  readonly start: Start
}

/** What a trigger is doing, for status and metrics. */
export interface TriggerStatus {
  /** What it has still to settle. */
  readonly lag: Lag
  /** How its subscriber does. */
  readonly state: TargetState
  /** Attempts a second that its subscriber gets at most, and how many events wait before it now. Absent: no limit. */
  readonly rate?: { readonly perSecond: number; readonly queued: number }
  /** The last failure in words; of an attempt, a reply that was not stored, or the dead-letter sink. */
  readonly lastFailure: string | undefined
  /** The trigger stands still because the dead-letter box takes no more of it: it is full, or can't be written. */
  readonly boxFull: boolean
  /** Why the box can't be written, and what to do, in words; `undefined` where it can, or is full. */
  readonly boxFailure: string | undefined
  /** Entries of the box that are to be redriven, and have neither left it nor failed again. */
  readonly redriving: number
}

/** Is told where a trigger stands that is removed, as {@link Channel.place}. */
export type Forgetting = (place: Position | undefined) => Promise<void>

interface RunningTrigger {
  readonly name: TriggerName
  config: TriggerConfig
  readonly dispatch: Dispatch
  readonly subscription: Subscription
  /** Since the first one was asked for. */
  redrive: Redrive | undefined
  /** Since the channel filled up for the first time. */
  relieving: Relieving | undefined
  /** Its removal was begun; where it is seen by a later change, the channel refused it. */
  isLeaving: boolean
}

/** What all triggers of a broker have in common. */
export interface TriggersContext extends Omit<DispatchContext, 'trigger' | 'reply' | 'route' | 'boxChanged'> {
  broker: BrokerName
  channel: Channel
  /** Stores a reply of that trigger; `undefined` = its hops are used up. */
  reply: (trigger: TriggerName, reply: Event, to: Event) => Promise<PublishResult> | undefined
  /** Stores one that comes out of the box, with new hops. */
  route: (trigger: TriggerName, reply: Event) => Promise<PublishResult>
}

export class Triggers {
  readonly #context: TriggersContext
  readonly #running = new Map<string, RunningTrigger>()
  /** Those whose subscription is being opened. */
  readonly #opening = new Map<string, Dispatch>()
  /** How many removals of each id were asked for and had no turn yet. */
  readonly #leaving = new Map<string, number>()
  /** The last change of each trigger that is not done yet. */
  readonly #changes = new Map<string, Promise<unknown>>()

  constructor(context: TriggersContext) {
    this.#context = context
  }

  /** As {@link Broker.setTrigger}. `isRefused` is asked when its turn has come, and throws. */
  set(config: TriggerConfig, isRefused: () => void): Promise<void> {
    return this.#inTurn(config.id, async () => {
      isRefused()
      let running = this.#running.get(config.id)
      if (running?.isLeaving) {
        await this.#remove(running)
        running = undefined
      }
      if (running === undefined) await this.#add(config)
      else await this.#change(running, config)
    })
  }

  async #add(config: TriggerConfig): Promise<void> {
    const { broker, channel, deliverer, box, observer, clock, random, reply, route } = this.#context
    const name: TriggerName = { id: config.id, namespace: config.namespace, name: config.name, broker }
    let running: RunningTrigger | undefined
    const dispatch = new Dispatch(
      {
        trigger: name,
        deliverer,
        box,
        observer,
        clock,
        random,
        reply: (event, to) => reply(name, event, to),
        route: (event) => route(name, event),
        boxChanged: () => running && holdOrGo(running),
      },
      config.route,
    )
    const { id, filter, start, order, window, paused } = config
    const spec = { id, name: config.name, filter, start, order, window, paused }
    if (this.#leaving.has(id)) dispatch.stop('removed') // it is opened only so that its removal finds it
    this.#opening.set(id, dispatch)
    const opened = channel.subscribe(spec, (delivery) => dispatch.deliver(delivery))
    const subscription = await opened.finally(() => this.#opening.delete(id))
    subscription.onLoss((loss) => observer.lost(name, loss))
    running = { name, config, dispatch, subscription, redrive: undefined, relieving: undefined, isLeaving: false }
    this.#running.set(id, running)
    holdOrGo(running)
  }

  /** Same subscription, backlog kept; the next attempt goes by the new route. */
  async #change(running: RunningTrigger, config: TriggerConfig): Promise<void> {
    const before = running.config
    const { filter, window, order } = config
    const changed = {
      ...(filter !== before.filter && { filter }),
      ...((window.events !== before.window.events || window.bytes !== before.window.bytes) && { window }),
      ...(order !== before.order && { order }),
    }
    const updated = Object.keys(changed).length === 0 ? undefined : running.subscription.update(changed)
    use(running, config) // in the same tick: nothing that the new filter let pass goes the old way (fault 42)
    try {
      await updated
    } catch (error) {
      use(running, before)
      throw error
    }
  }

  /** As {@link Broker.removeTrigger}. */
  remove(id: string, forgetting?: Forgetting): Promise<void> {
    const known = this.#running.get(id)
    if (known !== undefined) stop(known, 'removed') // at once, even while the channel is still busy with a change
    this.#opening.get(id)?.stop('removed')
    this.#leaving.set(id, (this.#leaving.get(id) ?? 0) + 1)
    return this.#inTurn(id, async () => {
      const left = this.#leaving.get(id)! - 1
      if (left > 0) this.#leaving.set(id, left)
      else this.#leaving.delete(id)
      const running = this.#running.get(id)
      if (running !== undefined) await this.#remove(running, forgetting)
    })
  }

  async #remove(running: RunningTrigger, forgetting?: Forgetting): Promise<void> {
    const { name, dispatch } = running
    const { channel, observer } = this.#context
    running.isLeaving = true
    stop(running, 'removed')
    await forgetting?.(channel.place?.(name.id))
    const { discarded } = await channel.remove(name.id)
    this.#running.delete(name.id) // not before: where the channel refused, the removal can be asked for again
    observer.discarded(name, discarded + dispatch.giveBack(), 'deleted')
  }

  /** As {@link Broker.seekTrigger}. */
  seek(id: string, start: Start, isRefused: () => void): Promise<{ skipped: number }> {
    return this.#inTurn(id, async () => {
      isRefused()
      const running = this.#running.get(id)
      if (running === undefined || running.isLeaving) throw noTrigger(id)
      const { subscription } = running
      // Paused, nothing but new events changes how many wait.
      subscription.pause()
      try {
        const before = waiting(subscription)
        await subscription.seek(start)
        running.dispatch.sought()
        const skipped = Math.max(0, before - waiting(subscription))
        if (skipped > 0) this.#context.observer.discarded(running.name, skipped, 'seek')
        return { skipped }
      } finally {
        holdOrGo(running)
      }
    })
  }

  /** Changes of one trigger wait for each other: a removal never overtakes the opening of what it removes. */
  #inTurn<T>(id: string, change: () => Promise<T>): Promise<T> {
    const before = this.#changes.get(id) ?? Promise.resolve()
    const turn = before.then(change, change)
    this.#changes.set(id, turn)
    const done = (): void => {
      if (this.#changes.get(id) === turn) this.#changes.delete(id)
    }
    turn.then(done, done)
    return turn
  }

  status(id: string): TriggerStatus | undefined {
    const running = this.#running.get(id)
    return running && statusOf(running)
  }

  *all(): Generator<{ name: TriggerName; config: TriggerConfig; status: TriggerStatus }> {
    for (const running of this.#running.values()) {
      yield { name: running.name, config: running.config, status: statusOf(running) }
    }
  }

  /**
   * What redrives the entries of the trigger `namespace/name`; `undefined`: there is none. By its name, for one that was
   * declared again is the same trigger to a person.
   */
  redrive(trigger: string): Redrive | undefined {
    for (const running of this.#running.values()) {
      const { namespace, name } = running.name
      if (!running.isLeaving && `${namespace}/${name}` === trigger) return (running.redrive ??= this.#redrive(running))
    }
    return undefined
  }

  #redrive({ name: { namespace, name }, config, dispatch }: RunningTrigger): Redrive {
    const { box, clock } = this.#context
    const redrive = new Redrive({
      box,
      clock,
      trigger: `${namespace}/${name}`,
      window: config.window,
      deliver: (redriven) => dispatch.redeliver(redriven),
    })
    if (config.paused) redrive.pause()
    return redrive
  }

  /** Those that may give up events to make room. */
  *relieving(): Generator<Relieving> {
    for (const running of this.#running.values()) {
      if (running.isLeaving || isHeld(running)) continue
      const { subscription, dispatch } = running
      running.relieving ??= {
        oldest: () => subscription.lag().oldest,
        giveUp(events) {
          dispatch.giveUp(events)
          if (events > 0) subscription.hurry?.()
        },
        keep: () => dispatch.keep(),
        isTrying: () => dispatch.isTrying,
      }
      yield running.relieving
    }
  }

  // --- The end (closing.ts) ---

  /** Whether waiting gets any event further. */
  get mayEnd(): boolean {
    for (const running of this.#running.values()) {
      if (running.dispatch.mayEnd(() => (isHeld(running) ? 0 : running.subscription.lag().events))) return true
    }
    return false
  }

  /** Tries nothing any more, and gives back to the channel what is not under way. */
  stop(): void {
    for (const running of this.#running.values()) {
      running.subscription.pause()
      stop(running, 'closing')
      running.dispatch.giveBack()
    }
  }

  /** Takes nothing more out of the box. */
  stopRedriving(): void {
    for (const { redrive } of this.#running.values()) redrive?.stop()
  }

  /** After {@link stop}: resolves once nothing is out that came out of the box; of the rest the channel knows. */
  async redriven(): Promise<void> {
    for (const { redrive } of this.#running.values()) await redrive?.ended()
  }

  /** The channel is closed. Returns what each of them has left there. */
  close(): { name: TriggerName; events: number }[] {
    return Array.from(this.#running.values(), ({ name, dispatch, subscription }) => {
      dispatch.close()
      return { name, events: subscription.lag().events }
    })
  }
}

/** What is not out. */
function waiting(subscription: Subscription): number {
  const { events, inFlight } = subscription.lag()
  return events - inFlight
}

function noTrigger(id: string): SluiceError {
  return new SluiceError('SLUICE_TRIGGER_NOT_FOUND', `This broker runs no trigger with the uid ${id}.`, { status: 404 })
}

/** By a person, or because the box takes no more. */
function isHeld({ config, dispatch }: RunningTrigger): boolean {
  return config.paused || dispatch.boxFull
}

function holdOrGo(running: RunningTrigger): void {
  const { config, dispatch, subscription, redrive } = running
  if (isHeld(running)) subscription.pause()
  if (dispatch.boxFull) dispatch.hold()
  else dispatch.go()
  if (config.paused) {
    dispatch.pause()
    redrive?.pause()
  } else {
    dispatch.resume()
    redrive?.resume()
  }
  if (!isHeld(running)) subscription.resume()
}

function use(running: RunningTrigger, config: TriggerConfig): void {
  running.config = config
  running.dispatch.update(config.route)
  running.redrive?.setWindow(config.window)
  holdOrGo(running)
}

/** Redriving first: what the dispatch gives up then ends there. */
function stop({ dispatch, redrive }: RunningTrigger, phase: 'closing' | 'removed'): void {
  redrive?.stop()
  dispatch.stop(phase)
}

function statusOf({ config, dispatch, subscription, redrive }: RunningTrigger): TriggerStatus {
  const { state, lastFailure, boxFull, boxFailure, queued } = dispatch
  const { ratePerSecond } = config.route
  const rate = ratePerSecond === undefined ? undefined : { perSecond: ratePerSecond, queued }
  const redriving = redrive?.size ?? 0
  return { lag: subscription.lag(), state, ...(rate && { rate }), lastFailure, boxFull, boxFailure, redriving }
}
