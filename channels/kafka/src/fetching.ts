// What one subscription fetches of its partitions: records go to the queue of its hand-over, what is parked and not in memory
// is read once more, and where enough waits nothing is fetched.
//
// From: member.ts brings records, through partitions.ts. Next: subscription.ts takes them.

import type { Loss } from '@sluice/channel'
import type { Event } from '@sluice/event'
import type { KafkaMessage } from 'kafkajs'
import type { KafkaChannel } from './channel.ts'
import type { Member } from './member.ts'
import { positionOf, type Part, type Taken } from './taken.ts'

/** The subscription, as what fetches for it sees it. */
export interface FetchingOwner {
  /** A record that was not read before. */
  readonly take: (part: Part, message: KafkaMessage, offset: number) => Taken
  /** Enough waits. */
  readonly isFull: () => boolean
  /** There is something new. */
  readonly came: () => void
  /** What {@link Fetching.fetchAgain} asked for. */
  readonly fetched: (taken: Taken, event: Event) => void
  readonly unfetchable: (taken: Taken) => void
  readonly lost: (loss: Loss) => void
  readonly decode: (message: KafkaMessage) => Event | undefined
}

/** The position of a partition that is not fetched. */
export const NOWHERE = -1

export class Fetching {
  /** Some partitions are not fetched, as enough waits. */
  isHeld = false
  /** Something is settled that is not committed. */
  isChanged = false
  readonly #channel: KafkaChannel
  readonly #owner: FetchingOwner
  readonly #member: Member

  constructor(channel: KafkaChannel, owner: FetchingOwner, member: Member) {
    this.#channel = channel
    this.#owner = owner
    this.#member = member
  }

  /** The server's retention has passed what was not settled. */
  passLost(part: Part, low: number): void {
    const { progress, partition } = part
    if (progress.next >= low) return
    const events = progress.missing(low)
    if (events > 0) {
      const range = [positionOf(partition, progress.next), positionOf(partition, low - 1)] as const
      this.#owner.lost({ events, range, cause: 'retention' })
    }
    progress.pass(low)
    this.isChanged = true
  }

  /** Records of a partition that is this process's, ascending. Returns the offset of the last one that was taken. */
  received(part: Part, messages: readonly KafkaMessage[]): number | undefined {
    const { progress } = part
    let last: number | undefined
    for (const message of messages) {
      const offset = Number(message.offset)
      this.#passWanted(part, offset)
      if (offset < progress.next) this.#receivedAgain(part, message, offset)
      else if (part.isHeld && this.#owner.isFull()) break
      else {
        if (offset > progress.next) this.#gap(part, offset)
        if (progress.receive(offset)) progress.add(offset, this.#owner.take(part, message, offset))
      }
      last = offset
    }
    if (last !== undefined) part.position = last + 1
    this.#owner.came()
    if (part.isReady) this.steer(part)
    return last
  }

  #receivedAgain(part: Part, message: KafkaMessage, offset: number): void {
    const taken = part.wanted.get(offset)
    if (taken === undefined) return
    part.wanted.delete(offset)
    const event = this.#owner.decode(message)
    if (event === undefined) this.unfetchable(part, taken)
    else this.#owner.fetched(taken, event)
  }

  /** What was wanted and lies before `offset` did not come: the server has it no more. */
  #passWanted(part: Part, offset: number): void {
    for (const taken of [...part.wanted.values()]) {
      if (taken.offset >= part.position && taken.offset < offset) this.unfetchable(part, taken)
    }
  }

  /** Its event is not at the server any more. */
  unfetchable(part: Part, taken: Taken): void {
    part.wanted.delete(taken.offset)
    part.progress.settle(taken.offset)
    this.isChanged = true
    const position = positionOf(part.partition, taken.offset)
    this.#owner.lost({ events: 1, range: [position, position], cause: 'retention' })
    this.#owner.unfetchable(taken)
  }

  /** Between two records: what retention took, and offsets that never were an event, such as ends of transactions. */
  #gap(part: Part, offset: number): void {
    const low = this.#channel.watch.lowOf(part.partition)
    if (low > part.progress.next) return this.passLost(part, Math.min(low, offset))
    const from = part.progress.next
    void this.#channel.watch.measure().then(
      (ends) => {
        const events = Math.min(ends[part.partition]?.low ?? 0, offset) - from
        if (events <= 0) return
        const range = [positionOf(part.partition, from), positionOf(part.partition, from + events - 1)] as const
        this.#owner.lost({ events, range, cause: 'retention' })
      },
      () => {},
    )
  }

  /** An event that is due again, and not in memory. */
  fetchAgain(taken: Taken): void {
    if (taken.isLost) return void setImmediate(() => this.#owner.unfetchable(taken))
    taken.part.wanted.set(taken.offset, taken)
    if (taken.part.isReady) this.steer(taken.part)
  }

  /** There is room again, or none any more. */
  goOn(parts: Iterable<Part>): void {
    this.isHeld = false
    for (const part of parts) if (part.isReady) this.steer(part)
  }

  /** Sees to it that the next fetch of that partition brings what is needed, or that there is none. */
  steer(part: Part): void {
    const { wanted, progress } = part
    const target = wanted.size > 0 ? Math.min(...wanted.keys()) : progress.next
    if (part.position !== target) {
      part.position = target
      this.#member.seek(part.partition, target)
    }
    const isFull = this.#owner.isFull()
    if (isFull && wanted.size === 0) this.#member.hold([part.partition])
    else if (part.isHeld) this.#member.goOn([part.partition])
    part.isHeld = isFull
    if (isFull) this.isHeld = true
  }

  /** What was to be read once more is not waited for. */
  giveUpWanted(part: Part): void {
    const wanted = [...part.wanted.values()]
    part.wanted.clear()
    for (const taken of wanted) {
      taken.isLost = true
      part.progress.drop(taken.offset)
      this.#owner.unfetchable(taken)
    }
  }
}
