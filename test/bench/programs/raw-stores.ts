// Three stores that take one record after the other durably, behind one door: Sluice's segments, and what it could have
// stood on instead. Each commits together what comes while it is busy.

import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '@sluice/clock'
import { openStore, systemDisk } from '@sluice/segments'
import { open } from 'lmdb'

export interface RawStore {
  /** Calls `stored` once the record is on the disk. */
  append(record: Buffer, stored: () => void): void
}

export type Engine = 'segments' | 'lmdb' | 'sqlite'

export const ENGINES: Readonly<Record<Engine, (folder: string) => Promise<RawStore>>> = {
  segments: openSegments,
  lmdb: openLmdb,
  sqlite: openSqlite,
}

const MIB = 1024 * 1024

/** With the sizes that the log channel gives it. */
async function openSegments(folder: string): Promise<RawStore> {
  const { store } = await openStore<() => void>({
    disk: systemDisk,
    clock: systemClock,
    folder,
    name: 'events',
    segmentBytes: { first: MIB, max: 64 * MIB },
    slabBytes: MIB,
    recentBytes: 4 * MIB,
    cacheBytes: 8 * MIB,
    committed: ({ entries }) => entries.forEach((stored) => stored()),
    failed: (_, error) => {
      throw error
    },
  })
  return { append: (record, stored) => void store.append(record, stored) }
}

/** As it comes: it collects what is put in a turn, and commits and syncs on a thread of its own. */
function openLmdb(folder: string): Promise<RawStore> {
  const database = open<Buffer, number>({ path: folder, encoding: 'binary', compression: false })
  let next = 0
  return Promise.resolve({ append: (record, stored) => void database.put(next++, record).then(stored) })
}

/** What comes in a turn makes up one transaction. WAL with synchronous=FULL syncs the log at each commit. */
function openSqlite(folder: string): Promise<RawStore> {
  const database = new DatabaseSync(`${folder}/records.db`)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  database.exec('CREATE TABLE records (seq INTEGER PRIMARY KEY, record BLOB NOT NULL)')
  const insert = database.prepare('INSERT INTO records (record) VALUES (?)')
  let waiting: { readonly record: Buffer; readonly stored: () => void }[] = []
  const commit = (): void => {
    const batch = waiting
    waiting = []
    database.exec('BEGIN')
    for (const { record } of batch) insert.run(record)
    database.exec('COMMIT')
    for (const { stored } of batch) stored()
  }
  return Promise.resolve({
    append(record, stored) {
      if (waiting.push({ record, stored }) === 1) setImmediate(commit)
    },
  })
}
