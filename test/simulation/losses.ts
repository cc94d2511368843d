// Where a log syncs once in a while (`sync: interval`), a power cut may take what it stored since the last one: that, and
// nothing that is older, and the next process says which.

import type { Problem } from '@sluice/segments'
import type { Ledger } from './ledger.ts'
import type { Sent } from './subscriber.ts'

export class Losses {
  readonly #ledger: Ledger
  readonly #syncMs: number | undefined
  /** Stored while the disk failed, or right before: no sync may ever have brought it to the disk. */
  readonly #atRisk = new Set<Sent>()
  /** Stored by a process that ended since, before it was certain to be synced: until a next one is open. */
  readonly #unsynced = new Set<Sent>()
  readonly #storedAt = new Map<Sent, number>()
  /** The power has taken what may be lost, and nobody has said so yet. */
  #untold: Sent[] = []
  #endedAt = 0

  constructor(ledger: Ledger, syncMs: number | undefined) {
    this.#ledger = ledger
    this.#syncMs = syncMs
    ledger.world.trouble.began = () => this.#troubleBegins()
  }

  /** Whether the power has taken what may be lost since somebody has looked. */
  get areExpected(): boolean {
    return this.#untold.length > 0
  }

  /** After so long it is on the disk, where that works. */
  get #windowMs(): number {
    return this.#syncMs! + this.#ledger.world.savedAfterMs
  }

  get #now(): number {
    return this.#ledger.world.clock.monotonic()
  }

  stored(sent: Sent): void {
    if (this.#syncMs === undefined) return
    this.#storedAt.set(sent, this.#now)
    if (this.#now < this.#ledger.world.trouble.until + this.#windowMs) this.#atRisk.add(sent)
  }

  #troubleBegins(): void {
    if (this.#syncMs === undefined) return
    for (const [sent, at] of this.#storedAt) if (at + this.#windowMs > this.#now) this.#atRisk.add(sent)
  }

  end(savedUntil: number, power: boolean): void {
    if (this.#syncMs === undefined) return
    this.#endedAt = this.#now
    for (const [sent, at] of this.#storedAt) {
      if (at > savedUntil && at + this.#windowMs > this.#now) this.#unsynced.add(sent)
      else if (!this.#atRisk.has(sent)) this.#storedAt.delete(sent)
    }
    if (!power) return
    this.#untold = [...new Set([...this.#unsynced, ...this.#atRisk])]
    for (const sent of this.#untold) sent.mayBeLost = true
  }

  /** A process has opened the log, and says that this can't be read. From here on what is there is durable. */
  begin(problems: readonly Problem[]): void {
    this.#unsynced.clear()
    for (const { what, lost } of problems) this.told(what, ...lost)
  }

  /** Somebody was told that these positions are lost. */
  told(what: string, first: number, last: number): void {
    if (this.#syncMs === undefined)
      return this.#ledger.wrong(`a loss of ${first} to ${last} is told (${what}), and there is none`)
    for (let position = first; position <= last; position++) {
      const sent = this.#ledger.at(position)
      if (sent === undefined || sent.status !== 'stored' || sent.mayBeLost) continue
      this.#ledger.wrong(
        `${sent.id} (${position}) is lost (${what}), and it had been stored long before the power went`,
      )
    }
    this.#untold = this.#untold.filter(({ position }) => position! < first || position! > last)
  }

  /**
   * What a process that has just opened the log can read of it. What is not there was told, unless it came so shortly
   * before the power went that nobody had noted yet that it was stored.
   */
  found(positions: ReadonlySet<number>): void {
    const first = Math.min(...positions)
    for (const sent of this.#untold) {
      const { position, id } = sent
      if (position! < first || positions.has(position!)) continue
      const ageMs = this.#endedAt - this.#storedAt.get(sent)!
      if (ageMs > this.#ledger.world.savedAfterMs && !this.#atRisk.has(sent)) {
        this.#ledger.wrong(
          `${id} (${position}) is lost, which was stored ${ageMs} ms before the power went, and nobody says so`,
        )
      }
    }
    this.#untold = []
  }
}
