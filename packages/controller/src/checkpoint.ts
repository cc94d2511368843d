// The checkpoint of one source, in a file of its own: `sources/<uid>/checkpoint` of the data directory.

import { open, readFile, rename, rm } from 'node:fs/promises'
import type { Checkpoint } from '@sluice/source'
import { systemDisk } from '@sluice/segments'

/** In this folder, which is made by the first write. */
export function diskCheckpoint(folder: string): Checkpoint {
  const path = `${folder}/checkpoint`
  let last: Promise<unknown> = Promise.resolve()
  let isMade = false
  /** How much of the file is whole, where an append that failed may have left a part of what it had. */
  let wholeBytes: number | undefined
  const more: Buffer[] = []
  let adding: Promise<void> = Promise.resolve()

  /** One after another: what is saved never meets what is added. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
  }

  async function make(): Promise<void> {
    if (!isMade) await systemDisk.makeFolder(folder)
    isMade = true
  }

  return {
    durable: true,
    load: () =>
      inTurn(async () => {
        try {
          return await readFile(path)
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
          throw error
        }
      }),
    save: (bytes) =>
      inTurn(async () => {
        await make()
        const file = await open(`${path}.new`, 'w')
        try {
          await file.writeFile(bytes)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(`${path}.new`, path)
        wholeBytes = undefined
        await systemDisk.syncFolder(folder)
      }),
    append(bytes) {
      more.push(bytes)
      if (more.length === 1) adding = inTurn(add)
      return adding
    },
  }

  /** All that came while something else was written, at once. */
  async function add(): Promise<void> {
    const bytes = Buffer.concat(more.splice(0))
    await make()
    const file = await open(path, 'a')
    try {
      if (wholeBytes !== undefined) await file.truncate(wholeBytes)
      wholeBytes = (await file.stat()).size
      await file.writeFile(bytes)
      wholeBytes = undefined
    } finally {
      await file.close()
    }
  }
}

/** Forgets what a source kept that is not declared any more. */
export async function removeCheckpoint(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}
