// `--source MODULE`: sources of somebody's own. The module's default export is a driver (packages/source says what that
// is); its kinds are known from then on, as if Sluice came with them.

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { addForeignKinds } from '@sluice/resource'
import type { SourceDriver } from '@sluice/source'

/** Imports them. `fail` is told what is wrong with the first that can't be used. */
export async function loadSources(
  modules: readonly string[] | undefined,
  fail: (message: string) => never,
): Promise<SourceDriver[]> {
  const drivers: SourceDriver[] = []
  for (const path of modules ?? []) {
    const driver = await load(path, fail)
    try {
      addForeignKinds(driver.kinds)
    } catch (error) {
      fail(`--source ${path}: ${(error as Error).message}`)
    }
    drivers.push(driver)
  }
  return drivers
}

async function load(path: string, fail: (message: string) => never): Promise<SourceDriver> {
  let exported: unknown
  try {
    exported = ((await import(pathToFileURL(resolve(path)).href)) as { default?: unknown }).default
  } catch (error) {
    fail(`--source ${path} can't be loaded: ${(error as Error).message}`)
  }
  if (isDriver(exported)) return exported
  return fail(`--source ${path}: its default export has to be a source: { kinds: [{ apiVersion, kind }], open }.`)
}

function isDriver(value: unknown): value is SourceDriver {
  const { kinds, open } = (value ?? {}) as Partial<SourceDriver>
  const isKind = (kind: unknown): boolean => {
    const { apiVersion, kind: name } = (kind ?? {}) as Record<string, unknown>
    return typeof apiVersion === 'string' && typeof name === 'string'
  }
  return typeof open === 'function' && Array.isArray(kinds) && kinds.length > 0 && kinds.every(isKind)
}
