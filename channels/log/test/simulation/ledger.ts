// The ledger of a simulated log: what was sent, what was told to be stored, what each subscription is owed, and what it
// got, over all lives of the channel. It knows nothing of how the log works, only what the contract promises.

import { orderingKey, type Delivery, type StoredEvent } from '@sluice/channel'

export const TYPES = ['a', 'b', 'c'] as const

/** One event that somebody sent. */
export interface Sent {
  readonly id: string
  /** Of {@link TYPES}. */
  readonly type: number
  readonly key: string
  readonly size: number
  readonly time: number
  /** `open`: nobody was told yet. `unknown`: the process ended before anybody was. */
  status: 'open' | 'stored' | 'refused' | 'unknown'
  /** The life in which it was sent. */
  readonly life: number
  position: number | undefined
}

/** What a subscription is owed of one event. */
export interface Owed {
  readonly sent: Sent
  /** It has to come until it is settled; otherwise it may. */
  must: boolean
  /** It may come. */
  may: boolean
  state: 'waiting' | 'out' | 'parked' | 'settled'
  /** Tries made, and when that became so. */
  readonly tries: { readonly made: number; readonly at: number }[]
  /** When it was settled, or parked. */
  at: number
  /** With `parked`: not before; `undefined` where that may be forgotten. */
  due: number | undefined
  /**
   * The subscription judges it when it reads it, by its filter then: only so, or where it was not judged to be for it when
   * it was stored.
   */
  judged: 'no' | 'only' | 'also'
  /** It ended while a seek was under way: nobody knows whether that counts. */
  isDoubtful: boolean
}

/** One subscription. */
export interface Subscriber {
  readonly id: string
  accepts: number
  order: 'none' | 'key'
  window: number
  /** When the window became smaller: what is being read by then still comes. */
  narrowedAt: number
  paused: boolean
  /** `absent`: not opened in this life yet. `opening`: for the first time. */
  state: 'absent' | 'opening' | 'open' | 'closed' | 'leaving'
  /** A subscribe that nobody has seen the end of, or a removal: after a restart it may be there or not. */
  isCertain: boolean
  readonly owed: Map<string, Owed>
  /** Out or parked when the order began to be kept, or at a seek: while any is unsettled, order is not looked at. */
  readonly exempt: Set<string>
  /** Of those, the settled ones: where that is forgotten they come again. */
  readonly exemptSettled: Set<string>
  /** When it was opened in this life. */
  openedAt: number
  /** Seeks under way. */
  seeking: number
  /** A seek that the disk may have forgotten. */
  isSeekCertain: boolean
  out: { readonly delivery: Delivery; readonly owed: Owed }[]
  /** Ranges of positions that it was told are lost. */
  readonly lost: (readonly [number, number])[]
}

export class Ledger {
  readonly sent: Map<string, Sent> = new Map()
  readonly subscribers: Map<string, Subscriber> = new Map()
  /** Which event was seen at which position. */
  readonly positions: Map<number, string> = new Map()
  /** What is wrong, the first of it. */
  problem = ''
  life = 0
  /** What was settled or parked so long ago is saved. */
  savedAfterMs = 400
  /** Progress was lost: whatever was settled may come again. */
  isRewound = false
  readonly #now: () => number
  /** Until when the disk failed, so that nothing is said of what was saved. */
  readonly #faultyUntil: () => number
  deliveries = 0
  /** Of these, of events that were not refused. */
  promised = 0

  readonly #said: (what: string) => void

  constructor(now: () => number, faultyUntil: () => number, said: (what: string) => void) {
    this.#now = now
    this.#faultyUntil = faultyUntil
    this.#said = said
  }

  wrong(what: string): void {
    if (this.problem === '') this.#said(`!! ${what}`)
    this.problem ||= what
  }

  // --- Publishing ---

  send(sent: Sent): void {
    this.sent.set(sent.id, sent)
    for (const subscriber of this.subscribers.values()) {
      const { state, accepts, isCertain } = subscriber
      const matches = (accepts & (1 << sent.type)) !== 0
      const judged = state === 'absent' || subscriber.seeking > 0 ? 'only' : state === 'opening' ? 'also' : 'no'
      if (!matches && judged === 'no') continue
      this.owe(subscriber, sent, {
        must: matches && state !== 'opening' && state !== 'leaving' && isCertain && subscriber.seeking === 0,
        may: matches,
        judged,
      })
    }
  }

  owe(subscriber: Subscriber, sent: Sent, { must, may, judged }: Pick<Owed, 'must' | 'may' | 'judged'>): void {
    const known = subscriber.owed.get(sent.id)
    const state = 'waiting'
    // Sought again it is as new, unless the seek is forgotten.
    const most = Math.max(0, ...(known?.tries ?? []).map(({ made }) => made))
    const tries = [
      { made: most, at: -Infinity },
      { made: 0, at: this.#now() },
    ]
    subscriber.exemptSettled.delete(sent.id)
    subscriber.owed.set(sent.id, {
      sent,
      must,
      may,
      state,
      tries,
      at: this.#now(),
      due: undefined,
      judged,
      isDoubtful: false,
    })
  }

  stored(sent: Sent, position: number): void {
    sent.status = 'stored'
    this.#at(sent, position)
  }

  refused(sent: Sent): void {
    sent.status = 'refused'
    for (const { owed } of this.subscribers.values()) {
      const each = owed.get(sent.id)
      if (each !== undefined) each.must = false
    }
  }

  #at(sent: Sent, position: number): void {
    if (sent.position !== undefined && sent.position !== position) {
      this.wrong(`${sent.id} was at ${sent.position}, and is at ${position} now`)
    }
    sent.position = position
    const before = this.positions.get(position)
    if (before !== undefined && before !== sent.id && this.sent.get(before)!.status === 'stored') {
      this.wrong(`position ${position} was that of ${before}, and is that of ${sent.id} now`)
    }
    this.positions.set(position, sent.id)
  }

  // --- Deliveries ---

  deliver(subscriber: Subscriber, life: number, delivery: Delivery): void {
    if (life !== this.life) return
    this.deliveries++
    const { id } = delivery.event
    const where = `${subscriber.id} was handed ${id} (${delivery.position}, attempt ${delivery.attempt})`
    const sent = this.sent.get(id)
    if (sent === undefined) return this.wrong(`${where}, which nobody sent`)
    const { data } = delivery.event
    if ((data?.length ?? 0) !== sent.size || (data !== undefined && !data.equals(Buffer.alloc(sent.size, id)))) {
      this.wrong(`${where} with other data than was sent`)
    }
    if (orderingKey(delivery.event) !== sent.key) this.wrong(`${where} with another key`)
    this.#at(sent, Number(delivery.position))
    if (sent.status !== 'refused') this.promised++
    if (sent.status === 'refused' && sent.life === life) this.wrong(`${where}, which was refused`)
    const owed = subscriber.owed.get(id)
    if (owed === undefined || !owed.may)
      return this.wrong(`${where}, which is not for it: ${JSON.stringify(owed ?? sent)}`)
    if (subscriber.state !== 'open' && subscriber.state !== 'opening')
      this.wrong(`${where} while it is ${subscriber.state}`)
    if (subscriber.paused) this.wrong(`${where} while it is paused`)
    if (owed.state === 'out') this.wrong(`${where} while it is out`)
    if (owed.state === 'settled' && subscriber.seeking === 0)
      this.wrong(`${where} after it was settled ${this.#now() - owed.at} ms ago`)
    if (
      owed.state === 'parked' &&
      subscriber.seeking === 0 &&
      owed.due !== undefined &&
      this.#now() < owed.due - 0.001
    ) {
      this.wrong(`${where} ${owed.due - this.#now()} ms before it is due`)
    }
    if (subscriber.seeking === 0) this.#checkAttempt(owed, delivery.attempt, where)
    const window = this.#now() < subscriber.narrowedAt + this.savedAfterMs ? Infinity : subscriber.window
    if (subscriber.out.length >= window) this.wrong(`${where} beyond its window of ${subscriber.window}`)
    if (subscriber.order === 'key') this.#checkOrder(subscriber, owed, where)
    if (owed.tries.at(-1)!.made !== delivery.attempt - 1)
      owed.tries.push({ made: delivery.attempt - 1, at: this.#now() })
    if (subscriber.seeking > 0) subscriber.exempt.add(id) // it may be out when the seek takes effect
    owed.state = 'out'
    owed.isDoubtful = false
    subscriber.out.push({ delivery, owed })
  }

  #checkAttempt({ tries, isDoubtful }: Owed, attempt: number, where: string): void {
    if (isDoubtful) return
    const most = Math.max(...tries.map(({ made }) => made)) + 1
    const least = this.#durable(tries) + 1
    if (attempt > most || attempt < least) this.wrong(`${where}, where its attempt is ${least} to ${most}`)
  }

  /** The least number of tries that has to be known by now. */
  #durable(tries: Owed['tries']): number {
    let least = Infinity
    for (const { made, at } of tries.toReversed()) {
      least = Math.min(least, made)
      if (!this.#isUnsaved(at)) break
    }
    return least
  }

  /** When each life ended. */
  readonly #ends: number[] = []

  /** Whether what happened then may be forgotten: it had not been saved when its life ended. */
  #isUnsaved(time: number): boolean {
    const end = this.#ends.find((each) => each >= time)
    if (end === undefined) return false
    return end - time < this.savedAfterMs || time < this.#faultyUntil() + this.savedAfterMs
  }

  #checkOrder(subscriber: Subscriber, { sent }: Owed, where: string): void {
    for (const id of subscriber.exempt) {
      const owed = subscriber.owed.get(id)
      if (owed !== undefined && owed.state !== 'settled' && owed.may) continue
      subscriber.exempt.delete(id)
      subscriber.exemptSettled.add(id)
    }
    if (subscriber.exempt.size > 0) return
    for (const other of subscriber.owed.values()) {
      if (other.sent.key !== sent.key || other.state === 'settled' || !other.must || other.sent === sent) continue
      if (other.sent.status !== 'stored' || other.sent.position! > sent.position!) continue
      this.wrong(`${where} before ${other.sent.id} (${other.sent.position}), which has the same key`)
    }
  }

  settle(subscriber: Subscriber, index: number): void {
    const [{ owed, delivery }] = subscriber.out.splice(index, 1) as [Subscriber['out'][number]]
    owed.state = 'settled'
    owed.at = this.#now()
    delivery.settle()
  }

  release(subscriber: Subscriber, index: number, delayMs: number, attempt: 'used' | 'unused'): void {
    const [{ owed, delivery }] = subscriber.out.splice(index, 1) as [Subscriber['out'][number]]
    owed.state = 'parked'
    owed.at = this.#now()
    owed.due = this.#now() + delayMs
    owed.tries.push({ made: attempt === 'used' ? delivery.attempt : delivery.attempt - 1, at: this.#now() })
    delivery.release(delayMs, attempt)
  }

  /** What a read has found. */
  browsed(found: readonly StoredEvent[], accepts: number, limit: number): void {
    if (found.length > limit) this.wrong(`a read has found ${found.length}, and was asked for ${limit}`)
    let last = 0
    for (const { position, time, event } of found) {
      const sent = this.sent.get(event.id)
      if (sent === undefined) return this.wrong(`a read has found ${event.id}, which nobody sent`)
      if ((accepts & (1 << sent.type)) === 0) this.wrong(`a read has found ${event.id}, which does not match`)
      if (Number(position) <= last) this.wrong(`a read has found ${event.id} out of order`)
      if (time !== sent.time) this.wrong(`a read has found ${event.id} of ${time}, and it was sent at ${sent.time}`)
      last = Number(position)
      this.#at(sent, last)
    }
  }

  // --- Filters and seeks ---

  /** Another filter: what it judges when it reads is judged by the new one, unless it has been read. */
  setFilter(subscriber: Subscriber, accepts: number): void {
    subscriber.accepts = accepts
    for (const owed of subscriber.owed.values()) {
      if (owed.judged === 'no' || owed.state !== 'waiting') continue
      const matches = (accepts & (1 << owed.sent.type)) !== 0
      owed.may ||= matches
      if (owed.judged === 'only') owed.must &&= matches
    }
  }

  /** It may stand anywhere from now on: whatever was for it, or is by its filter of now, may come. */
  moveAnywhere(subscriber: Subscriber): void {
    for (const sent of this.sent.values()) {
      const owed = subscriber.owed.get(sent.id)
      if (owed?.state === 'out') continue
      const may = owed?.may === true || (subscriber.accepts & (1 << sent.type)) !== 0
      this.owe(subscriber, sent, { must: false, may, judged: 'only' })
    }
    for (const { owed } of subscriber.out) subscriber.exempt.add(owed.sent.id)
  }

  /** It has been moved, at some time since then. */
  hasMoved(subscriber: Subscriber, since: number): void {
    for (const owed of subscriber.owed.values()) {
      if ((owed.state !== 'settled' && owed.state !== 'parked') || owed.at < since) continue
      Object.assign(owed, { state: 'waiting', must: false, may: true, due: undefined, isDoubtful: true })
    }
  }

  /** It stands at its start now. Of what was sent before it was asked to, `isAfter` lies behind that, and is stored. */
  moved(subscriber: Subscriber, before: ReadonlySet<string>, isAfter: (sent: Sent) => boolean): void {
    for (const owed of subscriber.owed.values()) {
      const { sent, state, isDoubtful } = owed
      if (isDoubtful) continue
      if (state !== 'waiting' || sent.status !== 'stored' || !before.has(sent.id)) continue
      const matches = (subscriber.accepts & (1 << sent.type)) !== 0
      owed.may = matches
      owed.must = matches && isAfter(sent)
    }
  }

  // --- Lives ---

  /** The process ended. `isClean`: it closed its channel, and everything was saved. */
  end(isClean: boolean): void {
    const now = this.#now()
    this.#ends.push(now)
    for (const sent of this.sent.values()) if (sent.status === 'open') sent.status = 'unknown'
    for (const subscriber of this.subscribers.values()) {
      if (!isClean && this.#isUnsaved(subscriber.openedAt)) this.#mayHaveMissed(subscriber)
      for (const owed of subscriber.owed.values()) this.#forget(subscriber, owed, isClean)
      subscriber.out = []
      subscriber.seeking = 0
      subscriber.isSeekCertain = true
    }
    this.life++
  }

  /** Where nobody knows any more that it was open, it judges what was stored in this life once more. */
  #mayHaveMissed(subscriber: Subscriber): void {
    for (const sent of this.sent.values()) {
      if (sent.life !== this.life) continue
      const owed = subscriber.owed.get(sent.id)
      const may = (subscriber.accepts & (1 << sent.type)) !== 0
      if (owed === undefined) this.owe(subscriber, sent, { must: false, may, judged: 'also' })
      else if (owed.judged === 'no') owed.judged = 'also'
    }
  }

  #forget(subscriber: Subscriber, owed: Owed, isClean: boolean): void {
    if (owed.sent.status !== 'stored') owed.must = false
    const isUnsaved = !isClean && this.#isUnsaved(owed.at)
    if (owed.state === 'settled') {
      if (!isUnsaved && !this.isRewound) return
      Object.assign(owed, { state: 'waiting', must: false })
      if (subscriber.exemptSettled.delete(owed.sent.id)) subscriber.exempt.add(owed.sent.id)
      return
    }
    if (owed.state === 'out') owed.state = 'waiting'
    if (owed.state === 'parked' && (isUnsaved || this.isRewound))
      Object.assign(owed, { state: 'waiting', due: undefined })
    if (owed.judged === 'only') {
      // Where nobody knows any more that it was read, it is judged again.
      const matches = (subscriber.accepts & (1 << owed.sent.type)) !== 0
      owed.must &&= matches
    }
    // Whether it moved or not: only what has to come by both has to.
    if (!subscriber.isSeekCertain) Object.assign(owed, { must: false, state: 'waiting', due: undefined })
  }

  // --- In quiet moments ---

  /** How many events it has still to settle: at least, and at most. */
  lag(subscriber: Subscriber): { least: number; most: number } {
    let least = 0
    let most = 0
    for (const { state, must, may, sent } of subscriber.owed.values()) {
      if (state === 'settled' || !may) continue
      if (state === 'out' || state === 'parked' || (must && sent.status === 'stored')) least++
      if (state !== 'waiting' || sent.status !== 'refused' || sent.life < this.life) most++
    }
    return { least, most }
  }

  /** What the lag of a subscription is made of, in words. */
  lagOf(subscriber: Subscriber): string {
    return [...subscriber.owed.values()]
      .filter(({ state, may, must }) => state === 'out' || state === 'parked' || (state === 'waiting' && may && must))
      .map(({ sent, state, must }) => `${sent.id} (${sent.position}) ${sent.status} ${state}${must ? '' : '?'}`)
      .join(', ')
  }

  /** What has to come, and has not been settled. */
  *missing(subscriber: Subscriber): Generator<Owed> {
    for (const owed of subscriber.owed.values()) {
      if (owed.state === 'settled' || !owed.may || !owed.must || owed.sent.status !== 'stored') continue
      const { position } = owed.sent
      if (subscriber.lost.some(([first, last]) => position! >= first && position! <= last)) continue
      yield owed
    }
  }
}
