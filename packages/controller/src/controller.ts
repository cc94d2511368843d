// Turns resources into running brokers, channels and what takes events off them, and writes into their status what runs.
//
// From: an apply of files (cli/src/up.ts), or a write of the API. Next: plans.ts says what a commit changes, and brokers.ts
// makes what runs equal to it. All of it begins in the tick of the commit: an event sees the old configuration or the new
// one, never half of it.

import type { Broker, BrokerName } from '@sluice/broker'
import { within, type ChannelState } from '@sluice/channel'
import { SluiceError } from '@sluice/event'
import {
  API_SOURCE,
  keyOf,
  resourceKey,
  resourceStore,
  resourceWriter,
  type ApplyOptions,
  type Change,
  type Declared,
  type Identity,
  type Problem,
  type Resource,
  type ResourceFolder,
  type ResourceStore,
  type ResourceWriter,
} from '@sluice/resource'
import {
  Addresses,
  hubPath,
  hubPathOf,
  HUBS,
  isAnyTrigger,
  isChannelPath,
  isHub,
  pathOf,
  pathsOfAddress,
  SUBSCRIPTIONS,
  TRIGGERS,
} from './addresses.ts'
import { ApiResources } from './api-resources.ts'
import type { DeclaredBroker } from './broker.ts'
import { Consents } from './consents.ts'
import { draining, starting } from './contract.ts'
import type { ApplyFiles, Controller, FilesChanges } from './contract.ts'
import { takersOf } from './event-types/consumers.ts'
import { EventTypes } from './event-types/event-types.ts'
import { Brokers, changeOf, changesOf, type BrokerChange } from './brokers.ts'
import { channelChanges, channelSettings, hubsConcerned, isOfChannels, needsData } from './channels.ts'
import type { ChannelKind } from './drivers.ts'
import { channelsBeside, channelsBy, relocate, type FilesSay } from './files-say.ts'
import { openHubs } from './gate.ts'
import { Losses } from './losses.ts'
import { OperationNotes } from './operation-notes.ts'
import { Operations } from './operations.ts'
import type { ControllerOptions } from './options.ts'
import { isReadyAsBefore, Plans } from './plans.ts'
import { Secrets } from './secrets.ts'
import { Sources } from './sources.ts'
import { summary } from './status.ts'
import { StatusWriting } from './status-writing.ts'
import { Statuses } from './statuses.ts'

/** A controller with nothing to run yet. */
export function openController(options: ControllerOptions): Controller {
  return new RunningController(options)
}

/** So long an apply waits for channels, before the next may have its turn. */
const APPLY_MS_MAX = 10_000
const FILES_SOURCE = 'files'
class RunningController implements Controller {
  readonly store: ResourceStore
  readonly writer: ResourceWriter
  readonly operations: Operations
  readonly #options: ControllerOptions
  readonly #addresses: Addresses
  readonly #brokers: Brokers
  readonly #losses: Losses
  readonly #notes: OperationNotes
  readonly #apiResources: ApiResources
  readonly #plans: Plans
  readonly #statuses: Statuses
  readonly #writer: StatusWriting
  readonly eventTypes: EventTypes
  readonly sources: Sources
  readonly consents: Consents
  #lastApply: Promise<unknown> = Promise.resolve()
  #isApplying = false
  /** What the commits of the apply that is under way have begun. */
  #begun: Promise<unknown>[] = []
  #isSwept = false
  #isClosed = false

  constructor(options: ControllerOptions) {
    const { clock } = options
    this.#options = options
    // No number of an earlier process: who watches, or holds an old one, is told so.
    this.store = resourceStore({ clock, version: Math.floor(clock.now()) * 1000 })
    this.writer = resourceWriter({
      store: this.store,
      folder: async () => this.#folderToWrite(),
      refuse: (resource) => this.#refuse(resource),
    })
    this.#apiResources = new ApiResources(options, this.store)
    this.#addresses = new Addresses(this.store)
    this.#notes = new OperationNotes(options.data)
    const secrets = new Secrets(this.store, clock)
    this.consents = new Consents({
      ...options,
      base: () => this.#addresses.base,
      changed: (uid) => void this.#operated(this.#plans.keyOf(uid) ?? ''),
    })
    const isPaused = (uid: string): boolean => this.#notes.of(uid)?.paused !== undefined
    this.#plans = new Plans({ addresses: this.#addresses, secrets, isPaused }, this.consents)
    this.#losses = new Losses(clock)
    this.#statuses = new Statuses(clock, {
      broker: (path) => this.#writer.broker(path),
      trigger: (key) => this.#writer.trigger(key),
      keyOf: (uid) => this.#plans.keyOf(uid),
    })
    this.eventTypes = new EventTypes({
      ...{ store: this.store, writer: this.writer, clock, data: options.data, limited: options.eventTypesLimited },
      takers: (path) => takersOf(this.#plans.ofBroker(path), this.#brokers.get(path)?.broker),
      hubChanged: (path) => this.#statuses.markBroker(path),
    })
    const observer = this.eventTypes.noting(this.#losses.noting(this.#statuses.marking(options.observer)))
    const run = { ...options, observer, judge: this.eventTypes.judge }
    this.#brokers = new Brokers(run, { secrets, clock }, (path) => this.#brokerChanged(path))
    this.#writer = new StatusWriting({
      store: this.store,
      addresses: this.#addresses,
      plans: this.#plans,
      brokers: this.#brokers,
      losses: this.#losses,
      notes: this.#notes,
      eventTypes: this.eventTypes,
      channelChanged: (path) => this.#statuses.markBroker(path),
    })
    this.operations = new Operations({
      store: this.store,
      clock,
      notes: this.#notes,
      data: options.data,
      forgetRemoved: () => this.#brokers.prune(),
      runningBroker: (path) => this.#brokers.taking(path),
      changed: (key) => this.#operated(key),
    })
    this.sources = new Sources({
      ...options,
      secrets,
      store: this.store,
      addresses: this.#addresses,
      broker: (path) => this.#brokers.get(path)?.broker,
      unavailable: (path) => this.#brokers.get(path)?.unavailable(),
    })
    this.store.subscribe((change) => this.#committed(change))
  }

  entrance(of: 'Broker' | 'Channel', namespace: string, name: string): DeclaredBroker | undefined {
    return of === 'Broker' ? this.#brokers.get(hubPath(of, namespace, name)) : this.#brokers.channel(namespace, name)
  }

  broker(namespace: string, name: string): Broker | undefined {
    return this.#brokers.get(hubPath('Broker', namespace, name))?.broker
  }

  channel(namespace: string, name: string): Broker | undefined {
    return this.#brokers.channel(namespace, name)?.broker
  }

  unavailable(namespace: string, name: string, of: 'Broker' | 'Channel' = 'Broker'): SluiceError | undefined {
    return this.entrance(of, namespace, name)?.unavailable()
  }

  brokers(): Iterable<Broker> {
    return this.#brokers.running()
  }

  waiting(): Iterable<BrokerName> {
    return this.#brokers.waiting()
  }

  channelState(broker: Broker): ChannelState {
    return this.#brokers.channelState(broker)
  }

  trust(caCerts: string | undefined): void {
    this.#addresses.caCerts = caCerts
    void this.#begin(changesOf(this.#plans.takeAll()))
    this.refresh()
  }

  // --- An apply ---

  apply(declared: readonly Declared[], options: ApplyFiles): Promise<readonly Problem[]> {
    return this.#inTurn(() => this.#apply({ declared }, options))
  }

  change({ moved, ...changes }: FilesChanges, options: ApplyFiles): Promise<readonly Problem[]> {
    return this.#inTurn(async () => {
      const problems = await this.#apply({ changes }, options)
      if (problems.length === 0) await relocate(moved, this.store)
      return problems
    })
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#lastApply.then(run)
    this.#lastApply = turn.catch(() => {})
    return turn
  }

  async #apply(files: FilesSay, { base, ...options }: ApplyFiles): Promise<readonly Problem[]> {
    if (this.#isClosed) throw draining()
    const restored = await this.#apiResources.restore()
    if (restored.problems.length > 0) return restored.problems
    const channels = [...restored.resources, ...channelsBy(files, this.store)]
    if (this.#notes.mayLoad(() => needsData(channels, this.#channelByDefault))) await this.#notes.load()
    const problems = await this.writer.exclusively(() => this.#commit(files, restored.resources, base, options))
    if (problems.length > 0) return problems
    try {
      const begun = [...this.#begun, this.#brokers.askAgain(), this.sources.opened()]
      await within(this.#options.clock, APPLY_MS_MAX, Promise.all(begun))
    } finally {
      this.#isApplying = false
    }
    await this.#discardUndeclared()
    this.eventTypes.sweep()
    await this.sources.settle()
    this.#notes.sweep((uid) => this.#plans.keyOf(uid) !== undefined)
    await Promise.all([this.#statuses.flush(), this.eventTypes.flush()])
    return []
  }

  /** Stores what the files say, and at the first time what the API had stored; or neither. */
  #commit(
    say: FilesSay,
    restored: readonly Declared[],
    base: string,
    options: Pick<ApplyOptions, 'locate'>,
  ): readonly Problem[] {
    const files = { source: FILES_SOURCE, ...options }
    const channels = [...('declared' in say ? this.#apiResources.all() : []), ...channelsBy(say, this.store)]
    const changes = channelChanges(channels, this.#openKind, { byDefault: this.#channelByDefault, ...options })
    const isFirst = restored.length > 0 && 'declared' in say
    const clashes = isFirst ? this.#apiResources.clashes(restored, say.declared, files) : []
    const open = this.#options.tokensRequired ? openHubs([...restored, ...channels], options) : []
    if (changes.length + clashes.length + open.length > 0) return [...changes, ...clashes, ...open]
    this.#isApplying = true
    this.#begun = []
    if (this.#addresses.base !== base) {
      this.#addresses.base = base
      void this.#begin(changesOf(this.#plans.takeAll()))
      this.sources.based()
    }
    if (restored.length > 0) this.store.apply(restored, { source: API_SOURCE })
    const { problems = [] } = // next: #committed
      'declared' in say ? this.store.apply(say.declared, files) : this.store.change(say.changes, files)
    if (problems.length > 0) this.#isApplying = false
    return problems
  }

  readonly #openKind = (path: string): ChannelKind | undefined => this.#brokers.get(path)?.openKind

  get #channelByDefault(): ChannelKind {
    return this.#options.channel ?? 'memory'
  }

  /** Begins, in the tick of a commit, everything that it changes. */
  #committed(change: Change): void {
    this.eventTypes.committed(change) // before any event comes by it
    const changes = changesOf(this.#plans.take(change))
    const find = (identity: Identity): Resource | undefined => this.#addresses.find(identity)
    for (const hub of hubsConcerned(change, () => this.#addresses.hubs(), find)) {
      const isThere = this.#addresses.get(keyOf(hub)) !== undefined
      const channel = channelSettings(hub, find, this.#channelByDefault)
      const identity = { ...hub.metadata, kind: hub.kind }
      changeOf(changes, pathOf(hub)).declared = isThere ? { identity, channel, hub } : 'removed'
      for (const path of pathsOfAddress(hub)) this.#statuses.markBroker(path)
    }
    for (const { metadata } of change.removed) {
      this.#losses.forget(metadata.uid)
      this.#notes.forget(metadata.uid)
    }
    for (const { before, after } of change.updated) {
      if (isReadyAsBefore(before, after)) continue
      for (const key of this.#plans.pointingAt(keyOf(after))) this.#statuses.markTrigger(key)
    }
    if (changes.size > 0) void this.#begin(changes)
    this.sources.committed(change) // after the brokers that they send to
  }

  /** Of what an apply begins, it writes the statuses itself. */
  #begin(changes: ReadonlyMap<string, BrokerChange>): Promise<unknown> {
    const begun = this.#brokers.change(changes, (path) => this.#plans.ofBroker(path))
    const mark = (): void => {
      for (const [path, { declared, triggers }] of changes) {
        if (declared !== undefined || isChannelPath(path)) this.#statuses.markBroker(path)
        for (const { trigger } of triggers.set) this.#statuses.markTrigger(keyOf(trigger))
      }
    }
    mark()
    if (this.#isApplying) this.#begun.push(begun)
    void begun.then(() => {
      mark()
      if (!this.#isApplying) void this.#statuses.flush()
    })
    return begun
  }

  /** Once: data of what was taken out of the files while no process ran. Later ones go as they are removed. */
  async #discardUndeclared(): Promise<void> {
    const { data, storage } = this.#options
    if (data === undefined || !data.isOpen || this.#isSwept) return
    this.#isSwept = true
    const uids = new Set(this.#addresses.hubs().map(({ metadata }) => metadata.uid))
    for (const discarded of await data.discardOthers(uids)) storage?.discarded?.(discarded)
  }

  // --- Operations ---

  /** Somebody has paused the trigger, resumed it, or set it to another place. */
  async #operated(key: string): Promise<void> {
    await this.#begin(changesOf(this.#plans.takeOne(key)))
    this.#writer.trigger(key)
  }

  // --- What came through the API ---

  /** What a write would do to a Broker that runs, and may not. */
  #refuse(resource: Resource): readonly Problem[] {
    if (!isOfChannels(resource)) return []
    const open = this.#options.tokensRequired ? openHubs([{ resource }]) : []
    if (open.length > 0) return open
    const all = [...channelsBeside(new Set([keyOf(resource)]), this.store), { resource }]
    return channelChanges(all, this.#openKind, { byDefault: this.#channelByDefault })
  }

  #folderToWrite(): Promise<ResourceFolder | undefined> {
    if (this.#isClosed) throw draining()
    if (this.#addresses.base === '') throw starting() // what was written before is not known yet
    return this.#apiResources.folderToWrite()
  }

  // --- Statuses ---

  get(identity: Identity): Resource | undefined {
    const key = resourceKey(identity)
    const resource = this.store.get(key)
    if (resource === undefined) return undefined
    if (isHub(resource)) this.#writer.broker(pathOf(resource))
    if (isAnyTrigger(resource)) {
      this.#writer.broker(hubPathOf(resource))
      this.#writer.trigger(key)
    }
    this.sources.writeStatus(key)
    this.eventTypes.writeNow()
    return this.shown(this.store.get(key)!)
  }

  list(of: { group: string; kind: string }): Resource[] {
    this.refresh()
    return this.store.list(of).map((resource) => this.shown(resource))
  }

  refresh(): void {
    for (const hub of this.#addresses.hubs()) this.#writer.broker(pathOf(hub))
    this.#statuses.writeNow()
    this.sources.writeStatuses()
    this.eventTypes.writeNow()
  }

  shown(resource: Resource): Resource {
    return this.eventTypes.shown(this.#writer.withBacklog(resource))
  }

  summary(): string[] {
    const list = (kinds: readonly { group: string; kind: string }[]): Resource[] => kinds.flatMap((of) => this.list(of))
    return [...summary(list(HUBS), list([TRIGGERS, SUBSCRIPTIONS])), ...this.sources.summary()]
  }

  /** Between applies: it has opened, its channel is gone or back, or more is known of why it can't open. */
  #brokerChanged(path: string): void {
    this.#statuses.markBroker(path)
    for (const { trigger } of this.#plans.ofBroker(path)) this.#statuses.markTrigger(keyOf(trigger))
    if (!this.#isApplying) void this.#statuses.flush()
  }

  // --- The end ---

  async close(options: { deadlineMs: number }): Promise<void> {
    this.#isClosed = true
    this.consents.close()
    this.#statuses.close()
    await this.#brokers.close({ deadlineMs: await this.sources.close(options) }) // their last events are stored
    await this.eventTypes.close()
  }
}
