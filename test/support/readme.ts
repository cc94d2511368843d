// The examples of a package's README, run as by somebody who depends on that package.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Files } from './sluice.ts'

/** A README, and its examples. */
export interface Readme {
  readonly text: string
  /** The first block of code in this language; throws an Error where there is none. */
  block(language: string): string
  /**
   * What this TypeScript prints, in a folder of its own with these files beside it. Throws an Error where it says
   * anything on standard error.
   */
  run(code: string, files?: Files): string
}

/** The README of the package in whose folder `test` this is. */
export function readmeOf(testFolder: string): Readme {
  const text = readFileSync(join(testFolder, '../README.md'), 'utf8')
  return {
    text,
    block(language) {
      const found = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(text)
      if (found === null) throw new Error(`The README has no block of ${language}.`)
      return found[1]!
    },
    run(code, files = {}) {
      // Inside the package, so that its imports resolve as the package's own.
      const folder = mkdtempSync(join(testFolder, 'readme-'))
      try {
        for (const [name, content] of Object.entries({ ...files, 'example.ts': code })) {
          writeFileSync(join(folder, name), content)
        }
        const { stdout, stderr } = spawnSync(process.execPath, ['example.ts'], { cwd: folder, encoding: 'utf8' })
        if (stderr !== '') throw new Error(stderr)
        return stdout
      } finally {
        rmSync(folder, { recursive: true })
      }
    },
  }
}
