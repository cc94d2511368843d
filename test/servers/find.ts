// Where the servers of the tests are found, and where those are kept that were got for them.

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Outside of the checkout, so that a fresh clone has them again. */
export const CACHE: string = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice', 'servers')

/** The program of that name on the PATH. */
export function onPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

/** The program of that name among those that `pnpm servers --get` has got. */
export function cached(name: string): string | undefined {
  const path = join(CACHE, name)
  return existsSync(path) ? path : undefined
}

/** In CI a server that is missing is a failure; elsewhere its tests are skipped, with this line. */
export function required(name: string, why: string): string {
  if (process.env['CI'] === 'true') throw new Error(`${name} is required in CI: ${why}`)
  return why
}
