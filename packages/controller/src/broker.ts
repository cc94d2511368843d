// One Broker or channel that is declared: from nothing to taking events, through whatever its channel can't do meanwhile.
//
// From: brokers.ts, at an apply. Next: drivers.ts opens its channel, and triggers.ts subscribes its triggers.

import { openBroker, type Broker, type BrokerName } from '@sluice/broker'
import { channelUnavailable, type Capabilities, type ChannelState } from '@sluice/channel'
import { SluiceError } from '@sluice/event'
import { sameChannel, type ChannelSettings } from './channels.ts'
import type { BrokerIdentity } from './data.ts'
import { DRIVERS, type BrokerStorage, type ChannelKind, type StorageProblem } from './drivers.ts'
import { DamageNoted, foundSomething } from './losses.ts'
import type { RunOptions } from './options.ts'
import { inWords, Retry, TRIED_AGAIN } from './retry.ts'
import type { Entrance } from './contract.ts'
import type { HubGate } from './gate.ts'
import type { TriggerChanges } from './plans.ts'
import { Tombstones } from './tombstones.ts'
import type { TriggerPlan } from './trigger.ts'
import { Triggers } from './triggers.ts'

const NO_CHANNEL = { kind: 'none' } as const
/** What a sender is told to wait for a broker that is being opened right now. */
const OPENING_RETRY_MS = 1000
/** And for one that waits for a person. */
const REFUSED_RETRY_MS = 30_000

/** `opening`: not there yet. `failed`: why not; it is tried again. `refused`: why not. Else what its channel says. */
export type BrokerState =
  | ChannelState
  | { readonly state: 'opening' }
  | { readonly state: 'failed' | 'refused'; readonly reason: string }

interface Running {
  readonly broker: Broker
  /** What it was opened with. */
  readonly channel: ChannelSettings
  readonly triggers: Triggers
  /** Where a channel that outlives the process keeps its files. */
  readonly tombstones: Tombstones | undefined
  state: ChannelState
}

/** Runs one Broker or channel. Whatever fails, it has no rejection but that of {@link close}: it says so, and tries again. */
export class DeclaredBroker implements Entrance {
  broker: Broker | undefined
  gate: HubGate | undefined
  readonly #identity: BrokerIdentity
  readonly #options: RunOptions
  readonly #changed: () => void
  readonly #retry: Retry
  readonly #damage = new DamageNoted()
  /** Of its triggers, as they are declared. */
  #plans = new Map<string, TriggerPlan>()
  /** As it is declared. */
  #channel: ChannelSettings
  #running: Running | undefined
  /** Why it could not be opened the last time. */
  #failure: { readonly error: unknown } | undefined
  /** The opening that is under way, and what it waits for. */
  #opening: Promise<void> = Promise.resolve()
  #isGone = false
  /** What it was like when {@link #changed} was called last. */
  #told = ''

  /** `changed`: its status, or that of its triggers, is another than before. */
  constructor(identity: BrokerIdentity, channel: ChannelSettings, options: RunOptions, changed: () => void) {
    this.#identity = identity
    this.#channel = channel
    this.#options = options
    this.#changed = changed
    this.#retry = new Retry(options.clock, () => void this.#tryAgain())
  }

  /**
   * Opens it, with these triggers. Resolves once it takes events, or the first try has failed; the next follow by
   * themselves. `after`: what has to be over before.
   */
  open(plans: readonly TriggerPlan[], after?: Promise<unknown>): Promise<void> {
    this.#plans = new Map(plans.map((plan) => [plan.trigger.metadata.uid, plan]))
    return this.#openAfter(after)
  }

  #openAfter(after: Promise<unknown> | undefined): Promise<void> {
    this.#opening = after === undefined ? this.#open() : after.then(() => this.#open())
    return this.#opening
  }

  /**
   * Changes what it is: its triggers at once, as {@link Triggers.change}, or when it opens. What its channel refuses for
   * now is tried again. Its channel stays as it was opened; absent: as it was declared before.
   */
  async change(channel: ChannelSettings | undefined, { set, removed }: TriggerChanges): Promise<void> {
    for (const plan of set) this.#plans.set(plan.trigger.metadata.uid, plan)
    for (const uid of removed) this.#plans.delete(uid)
    const mayOpen =
      this.#running === undefined && this.#channel.kind === 'none' && (channel ?? NO_CHANNEL).kind !== 'none'
    if (channel !== undefined) this.#channel = channel
    if (mayOpen) return this.#openAfter(this.#opening)
    const running = this.#running
    if (running !== undefined && set.length + removed.length > 0) {
      await this.#settle(running, running.triggers.change(set, removed))
    }
  }

  /** Removes all of its triggers. As {@link change}. */
  async removeTriggers(): Promise<void> {
    const removed = [...this.#plans.keys()]
    this.#plans.clear()
    if (this.#running !== undefined) await this.#settle(this.#running, this.#running.triggers.change([], removed))
  }

  /** Asks again for what its channel has refused. As {@link change}. */
  async askAgain(): Promise<void> {
    const running = this.#running
    if (running?.triggers.hasRefused === true) await this.#settle(running, running.triggers.askAgain())
  }

  async #open(): Promise<void> {
    const channel = this.#channel
    if (this.#isGone || this.#running !== undefined || channel.kind === 'none') return
    const { clock, memoryBytes, boxBytes, data, secrets, storage: told, drivers } = this.#options
    let storage: BrokerStorage
    let tombstones: Tombstones | undefined
    try {
      const open = drivers?.[channel.kind] ?? DRIVERS[channel.kind]
      storage = await open({
        broker: this.#identity,
        ...{ clock, memoryBytes, boxBytes, data, secrets },
        ...{ limits: channel.limits, nats: channel.nats, kafka: channel.kafka, pubsub: channel.pubsub },
        synced: told?.synced && ((ms) => told.synced!(ms)),
        retrying: told?.retrying && ((what) => told.retrying!(this.name, what)),
        damaged: (problem) => this.#damaged(problem),
      })
      tombstones = await this.#tombstonesOf(storage)
      if (this.#isGone) return await closeStorage(storage)
    } catch (error) {
      if (this.#isGone) return
      this.#failure = { error }
      this.#retry.later(error)
      return this.#tell()
    }
    this.#failure = undefined
    this.#tellFound(storage)
    this.#running = this.#run(storage, channel, tombstones)
    await this.#settle(this.#running, this.#running.triggers.set([...this.#plans.values()]))
  }

  async #tombstonesOf({ channel }: BrokerStorage): Promise<Tombstones | undefined> {
    const { clock, data } = this.#options
    if (!channel.capabilities.durable || !data?.holds(this.#identity)) return undefined
    return await Tombstones.open(data.brokerFolder(this.#identity), clock)
  }

  #tellFound({ channel, recovery }: BrokerStorage): void {
    const { data, storage } = this.#options
    if (recovery !== undefined && foundSomething(recovery)) storage?.recovered?.(this.name, recovery)
    recovery?.problems.forEach((problem) => this.#damage.add(problem))
    if (channel.capabilities.durable || !data?.holds(this.#identity)) return
    storage?.unread?.(this.name, data.brokerFolder(this.#identity))
  }

  #damaged(problem: StorageProblem): void {
    this.#damage.add(problem)
    this.#options.storage?.damaged?.(this.name, problem)
    this.#tell()
  }

  #run({ channel, box }: BrokerStorage, settings: ChannelSettings, tombstones: Tombstones | undefined): Running {
    const broker = openBroker({
      ...this.#options,
      ...this.name,
      channel,
      box,
      judge: this.#options.judge?.(this.name),
      whenFull: () => (this.#channel.kind === 'none' ? 'reject' : this.#channel.whenFull),
    })
    const triggers = new Triggers(broker, this.#options.observer, tombstones)
    const running: Running = { broker, channel: settings, triggers, tombstones, state: { state: 'ready' } }
    channel.onState((state) => {
      const isNews = state.state === 'degraded' || running.state.state === 'degraded'
      if (isNews && !this.#isGone)
        this.#options.storage?.degraded?.(this.name, 'reason' in state ? state.reason : undefined)
      running.state = state
      this.#tell()
    })
    return running
  }

  /** Waits for the answers to what its triggers were asked to be, and sees to what is still missing. */
  async #settle({ broker, triggers }: Running, asked: Promise<unknown>): Promise<void> {
    await asked
    if (this.#isGone) return
    const missing = triggers.waitsFor
    if (missing === undefined) this.#retry.end()
    else this.#retry.later(missing)
    if (triggers.isComplete || !forgetsWhoIsAway(broker.channel.capabilities)) this.broker = broker
    this.#tell()
  }

  /** What fails again as before is nothing new. */
  #tell(): void {
    const missing = this.#running?.triggers.waitsFor
    const now = JSON.stringify([this.state, missing === undefined ? '' : inWords(missing), this.damage])
    if (now === this.#told) return
    this.#told = now
    this.#changed()
  }

  #tryAgain(): Promise<void> {
    const running = this.#running
    if (running !== undefined) return this.#settle(running, running.triggers.retry())
    return (this.#opening = this.#open())
  }

  /** What of its storage is lost, in words. */
  get damage(): string | undefined {
    return this.#damage.words
  }

  get name(): BrokerName {
    const { kind, namespace, name } = this.#identity
    return { kind, namespace, name }
  }

  /** Whether it has data that outlives it, and that only one may have open. */
  get holdsData(): boolean {
    return this.#running?.broker.channel.capabilities.durable ?? ['log', 'nats'].includes(this.#channel.kind)
  }

  /** Of the channel that it has open. */
  get openKind(): ChannelKind | undefined {
    const kind = this.#running?.channel.kind
    return kind === 'none' ? undefined : kind
  }

  /** Of the channel that it has open, else of the one that it is declared with. */
  get channelKind(): ChannelKind | 'none' {
    return (this.#running?.channel ?? this.#channel).kind
  }

  /** That it is declared with another channel than it has open, in words. */
  get otherChannel(): string | undefined {
    const channel = this.#channel
    if (this.#running === undefined || sameChannel(channel, this.#running.channel)) return undefined
    if (channel.kind === 'none') return `${channel.why} It runs on with the channel that it has.`
    return 'Its channel is declared with other bounds than it was opened with. They hold from the next start on.'
  }

  /** Its triggers, once its channel is open. */
  get triggers(): Triggers | undefined {
    return this.#running?.triggers
  }

  /** Forgets where removed triggers stood; returns of how many. */
  async prune(): Promise<number> {
    return (await this.#running?.tombstones?.prune()) ?? 0
  }

  /** Of the broker that takes events. */
  get channelState(): ChannelState | undefined {
    return this.broker && this.#running?.state
  }

  /** What its status says of its channel. */
  get state(): BrokerState {
    const { channelState } = this
    if (channelState !== undefined) return channelState
    if (this.#running === undefined && this.#channel.kind === 'none') {
      return { state: 'refused', reason: this.#channel.why }
    }
    if (this.#failure !== undefined) {
      return { state: 'failed', reason: `The channel can't be opened: ${inWords(this.#failure.error)}${TRIED_AGAIN}` }
    }
    const missing = this.#running?.triggers.waitsFor
    if (missing === undefined) return { state: 'opening' }
    return { state: 'failed', reason: `Triggers can't be subscribed: ${inWords(missing)}${TRIED_AGAIN}` }
  }

  /** Why it takes no events now, for their sender; `undefined` once it does. */
  unavailable(): SluiceError | undefined {
    if (this.broker !== undefined) return undefined
    const { kind, namespace, name } = this.#identity
    const refusal = (why: string, retryAfterMs: number, cause?: unknown): SluiceError =>
      channelUnavailable(
        `${kind} ${namespace}/${name} takes no events now: ${why} Nothing was stored.`,
        retryAfterMs,
        cause,
      )
    const { state } = this
    if (state.state === 'refused') return refusal(`it has no channel. ${state.reason}`, REFUSED_RETRY_MS)
    const error = this.#failure?.error ?? this.#running?.triggers.waitsFor
    return refusal(whyUnavailable(error), Math.max(OPENING_RETRY_MS, this.#retry.leftMs()), error)
  }

  /** As {@link Broker.close}; tries nothing any more. What is being opened right now is closed when it comes. */
  async close(options: { deadlineMs: number }): Promise<void> {
    this.#isGone = true
    this.#retry.end()
    await this.#running?.broker.close(options)
  }

  /**
   * As {@link close}, for good: what its triggers had still to deliver is discarded and counted. Data that outlives it goes
   * into the trash as it is, progress and all. Resolves once its data is free for others.
   */
  async delete(options: { deadlineMs: number }): Promise<void> {
    const { data, storage, observer } = this.#options
    try {
      await this.close(options)
    } finally {
      await this.#opening
      const triggers = this.holdsData ? (this.#running?.broker.triggers() ?? []) : []
      for (const { name, status } of triggers) observer.discarded(name, status.lag.events, 'deleted')
      const discarded = await data?.discard(this.#identity)
      if (discarded !== undefined) storage?.discarded?.(discarded)
    }
  }
}

function whyUnavailable(error: unknown): string {
  if (error === undefined) return 'its channel is being opened.'
  const isTold = error instanceof SluiceError && !/^SLUICE_(DISK|DATA_)/.test(error.code)
  return `its channel can't be used yet${isTold ? `. ${inWords(error)}` : '; the status of the Broker says why.'}` // threat 23
}

async function closeStorage({ channel, box }: BrokerStorage): Promise<void> {
  await channel.close({ deadlineMs: 0 })
  await box.close()
}

/**
 * Whether an event that comes before a known subscription is open again passes it by for good: where filters are judged
 * as events are stored, nobody judges that one's. A broker on such a channel takes events once all are there.
 */
function forgetsWhoIsAway({ durable, filterJudged }: Capabilities): boolean {
  return durable && filterJudged === 'publish'
}
