// What is damaged is not thrown away: a person, or a better tool, may get more out of it. A segment in which something
// can't be read stays where it is as long as it is needed; then it is moved into the folder `damaged`, and not removed.

import type { Disk } from './disk.ts'

export const DAMAGED = 'damaged'
/** The newest of them are kept. */
const FILES_MAX = 10

/** Moves a file of the store's folder into `damaged`, durably. Returns its new path. */
export async function quarantine(disk: Disk, folder: string, path: string, now: number): Promise<string> {
  const target = `${folder}/${DAMAGED}`
  await disk.makeFolder(target)
  const kept = await disk.list(target)
  for (const oldest of kept.slice(0, Math.max(0, kept.length + 1 - FILES_MAX))) await disk.remove(`${target}/${oldest}`)
  // The numbers of segments begin anew where all of them were lost; times don't.
  const moved = `${target}/${Math.floor(now)}-${path.slice(path.lastIndexOf('/') + 1)}`
  await disk.rename(path, moved)
  await disk.syncFolder(target)
  await disk.syncFolder(folder)
  return moved
}
