// Folders for tests, on the machine's disk.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A new folder, which goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-controller-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** All files below a folder, by their paths, with their bytes and the time of their last change. */
export function contentOf(folder: string): Record<string, [text: string, changedMs: number]> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(folder, path)).isFile(),
  )
  return Object.fromEntries(
    files
      .toSorted()
      .map((path) => [path, [readFileSync(join(folder, path), 'latin1'), statSync(join(folder, path)).mtimeMs]]),
  )
}
