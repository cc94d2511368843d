// The README does what it says.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const README = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
/** Inside the package, so that its imports resolve as those of somebody who depends on it. */
const folder = mkdtempSync(join(import.meta.dirname, 'readme-'))
afterAll(() => rmSync(folder, { recursive: true }))

function block(language: string): string {
  return new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(README)![1]!
}

test('the example prints what stands under it', () => {
  writeFileSync(join(folder, 'shop.yaml'), block('yaml'))
  writeFileSync(join(folder, 'example.ts'), block('ts').replace('@sluice/controller', '../../src/index.ts'))
  const { stdout, stderr } = spawnSync(process.execPath, ['example.ts'], { cwd: folder, encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout).toBe(block('text'))
})
