// The partitions that one subscription has here: which ones the group gave it, where each goes on, what is fetched, and the
// commits. A commit never goes beyond the first event that is not settled, and only for partitions of the present
// generation.
//
// From: subscription.ts. Next: member.ts, whose events come in here.

import type { Start } from '@sluice/channel'
import type { KafkaMessage } from 'kafkajs'
import type { KafkaChannel } from './channel.ts'
import { typeOf } from './client.ts'
import { Fetching, NOWHERE, type FetchingOwner } from './fetching.ts'
import { Member } from './member.ts'
import { METADATA_MAX, Progress, readMetadata } from './progress.ts'
import type { Part, Taken } from './taken.ts'
import type { Committed } from './topic.ts'

const [AGAIN_MS_MIN, AGAIN_MS_MAX] = [100, 5000]
/** How long a subscription may take to begin. */
const BEGIN_MS = 30_000
const BEGIN_FAILURES_MAX = 3

/** The subscription, as its partitions see it. */
export interface PartitionsOwner extends FetchingOwner {
  readonly id: string
  readonly group: string
  /** What waits and is lost is to be given up. */
  readonly dropped: (isLost: (taken: Taken) => boolean) => void
  readonly withheld: (isWithheld: boolean) => void
}

export class Partitions {
  readonly #channel: KafkaChannel
  readonly #owner: PartitionsOwner
  readonly #member: Member
  readonly fetching: Fetching
  readonly #parts = new Map<number, Part>()
  #start: Start = 'latest'
  readonly #began = Promise.withResolvers<void>()
  #hasBegun = false
  #failures = 0
  /** It is known where each partition of the present generation goes on. */
  #isSettledIn = false
  /** Counts how often the group was shared out. */
  #generation = 0
  #isClosed = false
  #committing: Promise<void> | undefined
  #metadataMax = METADATA_MAX
  /** Of partitions that others have: what they have committed, as last asked. */
  #others: readonly Committed[] = []

  constructor(channel: KafkaChannel, owner: PartitionsOwner) {
    this.#channel = channel
    this.#owner = owner
    this.#began.promise.catch(() => {})
    const { patient, topic, clock, fetchWaitMs } = channel
    this.#member = new Member({
      ...{ kafka: patient, topic, clock, fetchWaitMs, group: owner.group },
      joined: (partitions) => void this.#joined(partitions),
      leaving: () => this.#leaving(),
      received: (partition, messages, end) => this.#received(partition, messages, end),
      failed: (error) => this.#failed(error),
    })
    this.fetching = new Fetching(channel, owner, this.#member)
  }

  /** Nothing may go out any more: others may have it. */
  get isOverdue(): boolean {
    return this.#member.isOverdue
  }

  async begin(start: Start): Promise<void> {
    this.#start = start
    this.#member.start()
    const { clock } = this.#channel
    const timer = clock.setTimer(BEGIN_MS, () =>
      this.#began.reject(this.#channel.watch.unavailable('it has not let this process into the group in time')),
    )
    await this.#began.promise.finally(() => timer.cancel())
    this.#hasBegun = true
  }

  #failed(error: unknown): void {
    this.#leaving()
    this.#channel.watch.look()
    if (++this.#failures >= BEGIN_FAILURES_MAX) this.#began.reject(this.#channel.watch.inWords(error))
  }

  /** Until it is known who has what, nothing goes out. What is settled is committed while that may still be done. */
  #leaving(): void {
    this.#generation++
    this.#isSettledIn = false
    this.#owner.withheld(true)
    void this.commit().catch(() => {})
    for (const part of this.#parts.values()) part.isReady = false
  }

  /** The group is shared out: these partitions are this process's. Tries until it knows where each goes on. */
  async #joined(partitions: readonly number[]): Promise<void> {
    const generation = ++this.#generation
    this.#isSettledIn = false
    this.#owner.withheld(true)
    for (const part of this.#parts.values()) {
      part.isReady = false
      if (!partitions.includes(part.partition)) this.#leave(part)
    }
    const isOver = (): boolean => this.#isClosed || generation !== this.#generation
    for (let waitMs = AGAIN_MS_MIN; !isOver(); waitMs = Math.min(waitMs * 2, AGAIN_MS_MAX)) {
      try {
        if (await this.#settleIn(partitions, isOver)) return
      } catch {
        if (!isOver()) this.#channel.watch.look()
      }
      await new Promise<void>((resolve) => this.#channel.clock.setTimer(waitMs, resolve))
    }
  }

  /** Returns whether that is done; it is not as long as another process has still to say where it begins. */
  async #settleIn(partitions: readonly number[], isOver: () => boolean): Promise<boolean> {
    const committed = await this.#channel.committed(this.#owner.group)
    const ends = await this.#channel.watch.measure()
    const isNew = (partition: number): boolean =>
      (committed[partition]?.offset ?? NOTHING) === NOTHING && !this.#hasBegun
    const starts = partitions.some(isNew) ? await this.#channel.startOffsets(this.#start) : []
    if (isOver()) return true
    const parts = partitions.map((partition) => this.#partOf(partition))
    for (const part of parts) {
      const low = ends[part.partition]?.low ?? 0
      if (isNew(part.partition)) this.#goTo(part, starts[part.partition] ?? low)
      else this.#goOnFrom(part, committed[part.partition], low)
      this.fetching.passLost(part, low)
    }
    await this.#commit(parts.filter(({ partition }) => isNew(partition)))
    if (isOver()) return true
    for (const part of parts) {
      part.isReady = true
      part.position = NOWHERE
      part.isHeld = true
      this.fetching.steer(part)
    }
    this.#isSettledIn = true
    this.#owner.withheld(false)
    this.#others = committed
    const isUnknown = committed.some(({ offset }, partition) => offset === NOTHING && !partitions.includes(partition))
    if (isUnknown && !this.#hasBegun) return this.#othersBegin(isOver)
    this.#began.resolve()
    return true
  }

  /** What it has itself goes on, unless another process has committed since. */
  #goOnFrom(part: Part, committed: Committed | undefined, low: number): void {
    const { offset, metadata } = committed ?? { offset: NOTHING, metadata: '' }
    const text = `${offset} ${metadata}`
    if (part.committed === text) return
    // The server has forgotten what it had committed, as it does with a topic that is deleted: it is told again.
    if (offset === NOTHING && part.committed !== undefined) part.committed = ''
    else {
      this.#goTo(part, offset < 0 ? low : offset, readMetadata(metadata, offset)?.settled)
      part.committed = text
    }
    this.fetching.isChanged = true
  }

  async #othersBegin(isOver: () => boolean): Promise<boolean> {
    while (!isOver()) {
      const committed = await this.#channel.committed(this.#owner.group)
      if (committed.every(({ offset }) => offset !== NOTHING)) break
      await new Promise<void>((resolve) => this.#channel.clock.setTimer(AGAIN_MS_MIN, resolve))
    }
    if (!isOver()) this.#began.resolve()
    return true
  }

  #partOf(partition: number): Part {
    let part = this.#parts.get(partition)
    if (part === undefined) {
      part = {
        ...{ partition, progress: new Progress<Taken>(), wanted: new Map(), committed: undefined },
        ...{ isReady: false, position: NOWHERE, isHeld: true },
      }
      this.#parts.set(partition, part)
    }
    return part
  }

  /** Another process has it: what waits is given up here, and what is out settles into nothing. */
  #leave(part: Part): void {
    if (part.committed === undefined && part.progress.taken === 0) return
    this.#drop(part)
    part.committed = undefined
  }

  #drop(part: Part): void {
    this.#owner.dropped((taken) => taken.part === part)
    this.fetching.giveUpWanted(part)
  }

  #goTo(part: Part, offset: number, settled: readonly number[] = []): void {
    this.#drop(part)
    part.progress.goTo(offset, settled)
    this.fetching.isChanged = true
  }

  #received(partition: number, messages: readonly KafkaMessage[], end: number): number | undefined {
    const part = this.#parts.get(partition)
    if (part === undefined || !part.isReady) return undefined
    this.#channel.watch.sawEnd(partition, end)
    return this.fetching.received(part, messages)
  }

  /** There is room again, or none any more. */
  goOn(): void {
    this.fetching.goOn(this.#parts.values())
  }

  async seek(start: Start, drop: () => void): Promise<void> {
    const parts = [...this.#parts.values()].filter(({ isReady }) => isReady)
    const count = this.#channel.watch.ends.length
    if (parts.length < count) {
      throw this.#channel.watch.unavailable(
        `this process has ${parts.length} of its ${count} partitions now, and all are needed to seek. ` +
          'Seek while no other process has the trigger open',
      )
    }
    const offsets = await this.#channel.startOffsets(start)
    drop()
    for (const part of parts) {
      this.fetching.giveUpWanted(part)
      part.progress.goTo(offsets[part.partition] ?? part.progress.next)
      if (part.isReady) this.fetching.steer(part)
    }
    await this.#commit(parts.filter(({ isReady }) => isReady))
  }

  tick(): void {
    const { trouble } = this.#channel.watch
    if (!this.#hasBegun && trouble !== undefined) this.#began.reject(trouble)
    this.#owner.withheld(this.isOverdue || !this.#isSettledIn)
    if (this.fetching.isChanged) void this.commit().catch(() => {})
  }

  /** Commits what has changed of the partitions that are this process's. One at a time. */
  commit(): Promise<void> {
    this.#committing ??= this.#commit([...this.#parts.values()].filter(({ isReady }) => isReady)).finally(
      () => (this.#committing = undefined),
    )
    return this.#committing
  }

  async #commit(parts: Iterable<Part>): Promise<void> {
    this.fetching.isChanged = false
    const commits = []
    for (const part of parts) {
      const { mark } = part.progress
      const metadata = part.progress.metadata(this.#owner.id, this.#metadataMax)
      const text = `${mark} ${metadata}`
      if (text !== part.committed) commits.push({ part, text, partition: part.partition, offset: mark, metadata })
    }
    if (commits.length === 0) return
    try {
      await this.#member.commit(commits)
      for (const { part, text } of commits) part.committed = text
    } catch (error) {
      this.fetching.isChanged = true
      if (typeOf(error) === 'OFFSET_METADATA_TOO_LARGE') this.#metadataMax = Math.floor(this.#metadataMax / 2)
      throw error
    }
  }

  /** The first offset of a partition may have passed what is not settled; and others may have gone on. */
  measured(): void {
    for (const part of this.#parts.values()) {
      if (!part.isReady) continue
      const low = this.#channel.watch.lowOf(part.partition)
      for (const taken of [...part.wanted.values()]) if (taken.offset < low) this.fetching.unfetchable(part, taken)
      if (part.progress.next >= low) continue
      this.fetching.passLost(part, low)
      this.fetching.steer(part)
    }
    const isAll = this.#channel.watch.ends.every((_, partition) => this.#parts.get(partition)?.isReady === true)
    if (isAll || !this.#hasBegun) return
    void this.#channel.committed(this.#owner.group).then(
      (committed) => (this.#others = committed),
      () => {},
    )
  }

  madeAnew(ends: readonly number[]): void {
    for (const part of this.#parts.values()) {
      const events = Math.max(0, (ends[part.partition] ?? 0) - part.progress.next)
      if (events > 0) this.#owner.lost({ events, cause: 'topic deleted' })
      this.#goTo(part, 0)
      if (part.isReady) this.fetching.steer(part)
    }
  }

  lag(): { events: number; oldest: number | undefined } {
    let events = 0
    let oldest: number | undefined
    for (const [partition, { high, low }] of this.#channel.watch.ends.entries()) {
      const part = this.#parts.get(partition)
      if (part?.isReady === true) {
        events += part.progress.taken + part.progress.missing(high)
        const time = part.progress.oldest?.time
        if (time !== undefined) oldest = Math.min(oldest ?? Infinity, time)
      } else events += Math.max(0, high - Math.max(low, this.#others[partition]?.offset ?? low))
    }
    return { events, oldest }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#member.close()
  }
}

/** The offset of a partition that its group has committed nothing of. */
const NOTHING = -1
