// A checkpoint that lasts as long as the process: where there is no data directory, and in tests.

import type { Checkpoint } from './source.ts'

/** Empty unless it is given something. */
export function memoryCheckpoint(kept?: Buffer): Checkpoint {
  let bytes = kept
  return {
    durable: false,
    load: async () => bytes,
    save: async (all) => {
      bytes = all
    },
    append: async (more) => {
      bytes = Buffer.concat([bytes ?? Buffer.alloc(0), more])
    },
  }
}
