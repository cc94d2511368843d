// The disk as a parameter, as the clock is: everything that is durable goes through this door, so that a test fills
// the disk, breaks it or cuts its power, and a simulation owns it.
//
// What it promises is what POSIX does and no more: a write is durable once `sync` has resolved, and a name once the
// folder's `syncFolder` has. Until then a power cut may keep any part of it.

/** A disk, or a part of one. Paths are absolute, or relative to the process. Every method rejects with Node's `code`s. */
export interface Disk {
  /**
   * Opens a file for reading and writing. `create`: it must not be there yet (`EEXIST`). `write`, `read`: it must be
   * (`ENOENT`); `read` never writes.
   */
  open(path: string, mode: 'create' | 'write' | 'read'): Promise<DiskFile>
  /** Names in a folder, sorted. Rejects with `ENOENT` where there is none. */
  list(folder: string): Promise<string[]>
  /** Makes the folder and those above it that are missing, durably. Not an error where it is there. */
  makeFolder(folder: string): Promise<void>
  /** Durable after {@link syncFolder} of both folders. What stood at `to` is replaced. */
  rename(from: string, to: string): Promise<void>
  /** Durable after {@link syncFolder}. */
  remove(path: string): Promise<void>
  syncFolder(folder: string): Promise<void>
  /**
   * Locks a file of that name, which is made, until the function returned is called or the process ends. Rejects with
   * `EBUSY` while anybody else holds it, in this process or another.
   */
  lock(path: string): Promise<() => Promise<void>>
}

/** An open file. */
export interface DiskFile {
  /** Its size in bytes. */
  size(): Promise<number>
  /**
   * Writes all of `bytes`, which may not change meanwhile. Rejects when not all could be written (`ENOSPC`, `EIO`,
   * `EFBIG`, or the code `SHORT_WRITE`); what is on the disk from `at` on is then unknown.
   */
  write(bytes: Buffer, at: number): Promise<void>
  /** Fills `target` from `at` on. Resolves with the number of bytes read: fewer than there is room only at the end of the file. */
  read(target: Buffer, at: number): Promise<number>
  /** Makes durable what was written. After a rejection nothing that was written since the last sync may be relied on. */
  sync(): Promise<void>
  /** Cuts it off, or lengthens it by zeros. */
  truncate(size: number): Promise<void>
  /** Never rejects. */
  close(): Promise<void>
}
