// A disk that takes nothing: since when the owner is told, and every second it is tried whether it does again.

import type { Clock, Timer } from '@sluice/clock'
import type { SluiceError } from '@sluice/event'

const RETRY_MS = 1000

export interface OutageOptions {
  readonly clock: Clock
  /** Resolves once the disk takes something; rejects with why it does not. */
  readonly probe: () => Promise<void>
  readonly failed: (error: unknown) => SluiceError
  /** The disk fails, each time that it is tried, or works again (`undefined`). */
  readonly changed: (failure: SluiceError | undefined) => void
}

export class Outage {
  /** Why nothing can be stored now. */
  failure: SluiceError | undefined
  readonly #options: OutageOptions
  #retry: Timer | undefined
  #isClosed = false

  constructor(options: OutageOptions) {
    this.#options = options
  }

  begin(failure: SluiceError): void {
    this.failure = failure
    this.#options.changed(failure)
    if (this.#isClosed) return
    this.#retry ??= this.#options.clock.setTimer(RETRY_MS, () => {
      this.#retry = undefined
      void this.#tryAgain()
    })
  }

  /** Something was stored. */
  end(): void {
    if (this.failure === undefined) return
    this.failure = undefined
    this.#options.changed(undefined)
    this.#retry?.cancel()
    this.#retry = undefined
  }

  close(): void {
    this.#isClosed = true
    this.#retry?.cancel()
    this.#retry = undefined
  }

  async #tryAgain(): Promise<void> {
    const { probe, failed } = this.#options
    let failure: SluiceError | undefined
    try {
      await probe()
    } catch (error) {
      failure = failed(error)
    }
    if (this.#isClosed || this.failure === undefined) return
    if (failure === undefined) this.end()
    else this.begin(failure)
  }
}
