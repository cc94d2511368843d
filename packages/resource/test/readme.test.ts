// The README does what it says.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const PACKAGE = join(import.meta.dirname, '..')
const README = readFileSync(join(PACKAGE, 'README.md'), 'utf8')
/** Inside the package, so that its imports resolve as those of somebody who depends on it. */
const folder = mkdtempSync(join(import.meta.dirname, 'readme-'))
afterAll(() => rmSync(folder, { recursive: true }))

function block(language: string): string {
  return new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(README)![1]!
}

function run(yaml: string): string {
  writeFileSync(join(folder, 'shop.yaml'), yaml)
  writeFileSync(join(folder, 'example.ts'), block('ts').replace('@sluice/resource', '../../src/index.ts'))
  const { stdout, stderr } = spawnSync(process.execPath, ['example.ts'], { cwd: folder, encoding: 'utf8' })
  expect(stderr).toBe('')
  return stdout.trim()
}

test('the example prints what stands under it', () => {
  expect(run(block('yaml'))).toBe(block('text').trim())
})

test('and applies the file once its mistake is gone', () => {
  expect(run(block('yaml').replace('subscribr', 'subscriber'))).toContain("[ 'Trigger big-orders' ]")
})

test('the codes in the README are those in the source', () => {
  const source = readdirSync(join(PACKAGE, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(PACKAGE, 'src', file), 'utf8'))
    .join('\n')
  const used = new Set(Array.from(source.matchAll(/'SLUICE_RESOURCE_([A-Z_]+)'/g), ([, code]) => code!))
  const section = /## Codes\n([^]*?)\n## /.exec(README)![1]!
  const told = new Set(
    Array.from(section.matchAll(/`([A-Z_]+)`/g), ([, code]) => code!).filter((code) => code !== 'SLUICE_RESOURCE_'),
  )
  expect([...told].toSorted()).toEqual([...used].toSorted())
})
