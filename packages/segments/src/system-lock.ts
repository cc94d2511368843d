// A lock that ends with the process that holds it, however it ends. An exclusively locked SQLite file is one, in
// containers too, where a file with a process id is none: another container has a process of that number as well.

import { diskError } from './disk-error.ts'

/** @throws with `EBUSY` while another holds it; with SQLite's or the disk's own words where the file can't be locked. */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  const { DatabaseSync } = await import('node:sqlite') // only who locks loads it
  let database: InstanceType<typeof DatabaseSync> | undefined
  try {
    database = new DatabaseSync(path, { timeout: 0 })
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database?.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) throw diskError('EBUSY', 'lock', path)
    throw error
  }
  const held = database
  return async () => held.close()
}

const SQLITE_BUSY = 5
