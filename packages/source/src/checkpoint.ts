// A checkpoint that lasts as long as the process: where there is no data directory, and in tests.

import type { Checkpoint } from './source.ts'

/** Empty unless it is given something. */
export function memoryCheckpoint(kept?: Buffer): Checkpoint {
  let pieces = kept === undefined ? undefined : [kept]
  return {
    durable: false,
    load: async () => pieces && Buffer.concat(pieces),
    save: async (all) => {
      pieces = [all]
    },
    append: async (more) => {
      pieces ??= []
      pieces.push(more)
    },
  }
}
