// Reads entries of a dead-letter box from the disk, while others are written, move and go.

import { SluiceError } from '@sluice/event'
import { diskFailed, type Problem, type Segment, type SegmentStore } from '@sluice/segments'
import { isSame, type BoxIndex, type Place } from './box-index.ts'
import type { Write } from './box-space.ts'

export interface BoxReaderOptions {
  store: SegmentStore<Write>
  index: BoxIndex
  /** Is told of every entry that can't be read any more. */
  problem: (problem: Problem) => void
}

export class BoxReader {
  readonly #options: BoxReaderOptions
  #isStopped = false

  constructor(options: BoxReaderOptions) {
    this.#options = options
  }

  /** From here on everything is rejected. */
  stop(): void {
    this.#isStopped = true
  }

  /**
   * The payload of the entry, in bytes of its own; `undefined` where there is none of that id. Rejects with
   * `SLUICE_RECORD_DAMAGED` where it can't be read any more, with `SLUICE_DISK` where it can't be read now.
   */
  async load(id: number): Promise<Buffer | undefined> {
    const { store, index } = this.#options
    for (;;) {
      if (this.#isStopped) throw boxClosed()
      const place = index.get(id)
      if (place === undefined) return undefined
      const segment = store.segments.find(({ number }) => number === place.segment)!
      try {
        return await store.load(segment, place.offset)
      } catch (error) {
        if (isSame(index.get(id), place)) throw this.#unreadable(id, segment, place, error)
        // It was removed, or lies elsewhere by now, and its segment is gone.
      }
    }
  }

  /** The same; one that can't be read any more is reported, and is `undefined`. */
  async loadIfGood(id: number): Promise<Buffer | undefined> {
    try {
      return await this.load(id)
    } catch (error) {
      if ((error as SluiceError).code !== DAMAGED) throw error
      return undefined
    }
  }

  #unreadable(id: number, { path }: Segment, { offset }: Place, cause: unknown): SluiceError {
    if (isOfDisk(cause)) return diskFailed(path, cause)
    this.#options.problem({ path, what: `dead letter ${id}, at byte ${offset}, is damaged`, lost: [id, id] })
    return new SluiceError(
      DAMAGED,
      `Dead letter ${id} can't be read any more: its bytes in ${path} are damaged. Look at the disk, and purge it.`,
      { cause },
    )
  }
}

const DAMAGED = 'SLUICE_RECORD_DAMAGED'

/** Rather than of the bytes that it gave us. */
function isOfDisk(error: unknown): boolean {
  const { code } = error as { code?: string }
  return code !== undefined && !code.startsWith('SLUICE_')
}

export function boxClosed(): SluiceError {
  return new SluiceError('SLUICE_DEAD_LETTER_BOX_CLOSED', 'The dead-letter box is closed. Nothing was changed.', {
    status: 503,
    retryable: true,
    retryAfterMs: 1000,
  })
}
