// The oracle of the fault tests (FAULTS.md B3): what was sent and what was answered, what came to which sink, and whether
// the one agrees with the other. Whatever happened to the process and its disk in between, it is asked the same.

import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** An event that was sent, as often as it took. */
export interface Sent {
  readonly id: string
  readonly source: string
  readonly type: string
  /** Its `partitionkey`; the events of a key are sent one after the other, `seq` counts them. */
  readonly key: string
  readonly seq: number
  /** Bytes of its data. */
  readonly bytes: number
  /** What each sending was answered; 0: nothing, so nobody knows whether it is stored. */
  readonly answers: number[]
}

/** Where the events of a trigger end. */
export interface Route {
  /** The trigger's name. */
  readonly name: string
  matches(sent: Sent): boolean
  /** The sinks of which one has to take it; `box`: the dead-letter box. */
  readonly end: string
  /** `sluice.dev/order: key`. */
  readonly isOrdered: boolean
}

/** A request that a sink got. */
export interface Delivery {
  readonly sink: string
  readonly id: string
  readonly atMs: number
  /** What the sink answered. */
  readonly status: number
  /** How many kills there had been before the process that sent it. */
  readonly life: number
}

/** What a sender was answered. */
export interface Answer {
  readonly sentMs: number
  readonly atMs: number
  /** 0: nothing. */
  readonly status: number
}

/** What {@link Ledger.check} found. */
export interface Verdict {
  readonly acked: number
  readonly delivered: number
  /** Deliveries beyond one for each time that an event was stored. */
  readonly duplicates: number
  /** The most that fault 1 allows. */
  readonly duplicatesMax: number
  /** How long before a kill an event was delivered that came again after it, at most; where the process was not traced. */
  readonly reachMs: number
  /** Each in words; empty: everything that was promised has been kept. */
  readonly violations: readonly string[]
}

/** So long progress may be on its way to the disk (DESIGN "The log"). */
const PROGRESS_MS = 50
/** Violations of one sort that are told. */
const TOLD_MAX = 5

export class Ledger {
  readonly #routes: readonly Route[]
  readonly #sent = new Map<string, Sent>()
  readonly #deliveries: Delivery[] = []
  /** What each sink has taken, with a 2xx. */
  readonly #taken = new Map<string, Set<string>>()
  /** Events that were answered 202 and have not come to an end yet, by `end` and id. */
  readonly #owed = new Set<string>()
  readonly #kills: { readonly killMs: number; readonly wasTraced: boolean }[] = []
  readonly #answers: Answer[] = []
  #acked = 0
  #life = 0
  readonly #violations: string[] = []
  #changed = Promise.withResolvers<void>()

  constructor(routes: readonly Route[]) {
    this.#routes = routes
  }

  /** An event is about to be sent for the first time. */
  begins(sent: Sent): void {
    this.#sent.set(sent.id, sent)
  }

  /** It was sent at this time, and is answered with this status now, or (0) not at all. */
  answered(sent: Sent, status: number, sentMs: number): void {
    this.#answers.push({ sentMs, atMs: performance.now(), status })
    const isFirst = !isAcked(sent)
    sent.answers.push(status)
    if (status !== 202 || !isFirst) return this.#tell()
    this.#acked++
    for (const { matches, end } of this.#routes) {
      if (end !== BOX && matches(sent) && !this.#taken.get(end)?.has(sent.id)) this.#owed.add(`${end} ${sent.id}`)
    }
    this.#tell()
  }

  /** A sink got an event with this data, and is about to answer it. */
  received(sink: string, id: string, status: number, data: Buffer): void {
    this.#deliveries.push({ sink, id, atMs: performance.now(), status, life: this.#life })
    const sent = this.#sent.get(id)
    if (sent === undefined) this.#violations.push(`${sink} got ${id}, which nobody sent`)
    else if (!data.equals(dataOf(sent))) this.#violations.push(`${sink} got ${id} with other data than was sent`)
    if (isSuccess(status)) {
      let taken = this.#taken.get(sink)
      if (taken === undefined) this.#taken.set(sink, (taken = new Set()))
      taken.add(id)
      this.#owed.delete(`${sink} ${id}`)
    }
    this.#tell()
  }

  /**
   * The process was killed in this moment; {@link isOver} follows. `wasTraced`: strace had slowed it down, so how long ago
   * says nothing.
   */
  killed({ wasTraced = false }: { wasTraced?: boolean } = {}): void {
    this.#kills.push({ killMs: performance.now(), wasTraced })
  }

  /** The sinks have read all that the killed process had on its way: what comes from here on is the next one's. */
  isOver(): void {
    this.#life++
  }

  /** Answers so far, in the order in which they came. */
  get answers(): readonly Answer[] {
    return this.#answers
  }

  /** Events that were answered 202. */
  get acked(): number {
    return this.#acked
  }

  /** Deliveries so far, to whatever sink. */
  get deliveries(): readonly Delivery[] {
    return this.#deliveries
  }

  /** Events that a sink has taken. */
  takenBy(sink: string): number {
    return this.#taken.get(sink)?.size ?? 0
  }

  async ackedAtLeast(n: number): Promise<void> {
    await this.until(() => this.acked >= n)
  }

  /** Resolves once it is so, asked after each answer and each delivery. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await this.#changed.promise
  }

  /**
   * Resolves once every event that was answered 202 has come to its end; or, where no more comes for so long, with what
   * is missing still missing: {@link check} tells it.
   */
  async allEnded(quietMs = 20_000): Promise<void> {
    let isQuiet = false
    const quiet = setTimeout(() => {
      isQuiet = true
      this.#tell()
    }, quietMs)
    while (this.#owed.size > 0 && !isQuiet) {
      await this.#changed.promise
      quiet.refresh()
    }
    clearTimeout(quiet)
  }

  #tell(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  /** Compares, once nothing is under way any more. `box`: the ids of the events in the dead-letter box. */
  check(box: readonly string[] = []): Verdict {
    const violations = [...this.#violations.slice(0, TOLD_MAX), ...this.#lost(box), ...this.#strangers(box)]
    for (const { end, isOrdered } of this.#routes) if (isOrdered) violations.push(...this.#disordered(end))
    const again = this.#again()
    violations.push(...some('more duplicates than a kill allows', again.unexplained))
    return {
      acked: this.acked,
      delivered: this.#deliveries.filter(({ status }) => isSuccess(status)).length,
      duplicates: again.duplicates,
      duplicatesMax: again.duplicatesMax,
      reachMs: again.reachMs,
      violations,
    }
  }

  /** What was answered 202 and is nowhere. */
  #lost(box: readonly string[]): string[] {
    const boxed = new Set(box)
    return this.#routes.flatMap(({ name, matches, end }) => {
      const taken = end === BOX ? boxed : (this.#taken.get(end) ?? new Set())
      const lost: string[] = []
      for (const sent of this.#sent.values())
        if (isAcked(sent) && matches(sent) && !taken.has(sent.id)) lost.push(sent.id)
      return some(`trigger ${name}: answered 202, and not in ${end}`, lost)
    })
  }

  /** What came to an end that is none of its. */
  #strangers(box: readonly string[]): string[] {
    const ends = new Map<string, Route[]>()
    for (const route of this.#routes) ends.set(route.end, [...(ends.get(route.end) ?? []), route])
    const strangers = [...ends].flatMap(([end, routes]) => {
      const ids = end === BOX ? box : (this.#taken.get(end) ?? [])
      const isExpected = (sent: Sent | undefined): boolean =>
        sent !== undefined && routes.some(({ matches }) => matches(sent))
      return Array.from(ids, (id) => [end, id] as const).filter(([, id]) => !isExpected(this.#sent.get(id)))
    })
    return some(
      'taken, and for another',
      strangers.map((each) => each.join(' ')),
    )
  }

  /** For each key, first deliveries whose predecessor came for the first time after them. */
  #disordered(sink: string): string[] {
    const last = new Map<string, number>()
    const seen = new Set<string>()
    const disordered: string[] = []
    for (const delivery of this.#deliveries) {
      if (delivery.sink !== sink || seen.has(delivery.id)) continue
      seen.add(delivery.id)
      const sent = this.#sent.get(delivery.id)
      if (sent === undefined) continue
      if (sent.seq < (last.get(sent.key) ?? 0)) disordered.push(delivery.id)
      else last.set(sent.key, sent.seq)
    }
    return some(`${sink}: came after a later one of its key`, disordered)
  }

  /**
   * Deliveries beyond one for each time that an event was stored. They are allowed for what was out when the process was
   * killed, or settled since progress was saved last: 50 ms before, and two writes with their syncs, that of the save
   * before and that of the one which the kill came before. An answer takes as long as one of them at least.
   */
  #again(): { duplicates: number; duplicatesMax: number; reachMs: number; unexplained: string[] } {
    const taken = this.#deliveries.filter(({ status }) => isSuccess(status))
    const spans = this.#kills.map(({ killMs, wasTraced }): Span => ({
      killMs,
      fromMs: wasTraced ? -Infinity : killMs - PROGRESS_MS - 2 * this.#slowest(killMs),
    }))
    const before = new Map<string, Delivery[]>()
    const unexplained: string[] = []
    let duplicates = 0
    let duplicatesMax = 0
    let reachMs = 0
    for (const delivery of taken) {
      const { sink, id, atMs, life } = delivery
      if (atMs >= (spans[life]?.fromMs ?? Infinity)) duplicatesMax++
      const earlier = before.get(`${sink} ${id}`) ?? []
      before.set(`${sink} ${id}`, [...earlier, delivery])
      const copies = copiesOf(this.#sent.get(id))
      if (earlier.length < copies) continue
      duplicates++
      // Which of several copies came before can't be told.
      const reaches = (copies === 1 ? earlier.slice(-1) : earlier).map((one) => {
        const { killMs, fromMs } = spans[one.life] ?? NEVER
        if (one.life === life || one.atMs < fromMs) return Infinity
        return fromMs === -Infinity ? 0 : Math.max(0, killMs - one.atMs)
      })
      const reach = Math.min(...reaches)
      if (reach === Infinity) unexplained.push(`${sink} ${id} at ${atMs}`)
      else reachMs = Math.max(reachMs, reach)
    }
    return { duplicates, duplicatesMax, reachMs, unexplained }
  }

  /** How long an answer took in the second before a kill, or had taken by then, at most. */
  #slowest(killMs: number): number {
    let slowestMs = 0
    for (const { sentMs, atMs } of this.#answers) {
      if (atMs > killMs - LATELY_MS && sentMs < killMs) slowestMs = Math.max(slowestMs, Math.min(atMs, killMs) - sentMs)
    }
    return slowestMs
  }

  /** All of it in a file, a line for each event and each delivery; returns its path. For whoever has to find a fault. */
  write(name: string): string {
    const path = join(tmpdir(), name)
    const lines = [...this.#kills, ...this.#sent.values(), ...this.#deliveries].map((each) => JSON.stringify(each))
    writeFileSync(path, `${lines.join('\n')}\n`)
    return path
  }
}

/** What was taken from `fromMs` on may come again after the kill. */
interface Span {
  readonly killMs: number
  readonly fromMs: number
}
const NEVER: Span = { killMs: Infinity, fromMs: Infinity }

/** The {@link Route.end} of what is kept in the dead-letter box. */
export const BOX = 'box'

const LATELY_MS = 1000

/** How often it may be stored: each 202, and each sending that nobody answered. */
function copiesOf(sent: Sent | undefined): number {
  return sent?.answers.filter((status) => status === 202 || status === 0).length ?? 0
}

function isAcked({ answers }: Sent): boolean {
  return answers.includes(202)
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300
}

/** The data of an event: its id, and letters. */
export function dataOf({ id, bytes }: Pick<Sent, 'id' | 'bytes'>): Buffer {
  return Buffer.from(id.padEnd(bytes, 'abcdefghijklmnopqrstuvwxyz'))
}

/** Nothing, or one line that counts them and has the first few. */
function some(what: string, found: readonly string[]): string[] {
  if (found.length === 0) return []
  return [`${what}: ${found.length} (${found.slice(0, TOLD_MAX).join(', ')}${found.length > TOLD_MAX ? ', ...' : ''})`]
}

/** How long senders have waited for these answers, in ms: the wait that `share` of them did not exceed. */
export function waitMs(answers: readonly Answer[], share: number): number {
  const waits = answers.map(({ sentMs, atMs }) => atMs - sentMs).toSorted((one, other) => one - other)
  return waits[Math.ceil(share * waits.length) - 1]!
}
