// The README does what it says.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { serverLimits } from '@sluice/server'

const PACKAGE = join(import.meta.dirname, '..')
const README = readFileSync(join(PACKAGE, 'README.md'), 'utf8')
/** Inside the package, so that its imports resolve as those of somebody who depends on it. */
const folder = mkdtempSync(join(import.meta.dirname, 'readme-'))
afterAll(() => rmSync(folder, { recursive: true }))

function block(language: string): string {
  return new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(README)![1]!
}

test('the example prints what stands under it', () => {
  const broker = 'apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: default}\n'
  writeFileSync(join(folder, 'shop.yaml'), broker)
  writeFileSync(join(folder, 'example.ts'), block('ts').replace('@sluice/server', '../../src/index.ts'))
  const { stdout, stderr } = spawnSync(process.execPath, ['example.ts'], { cwd: folder, encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout.replaceAll('\n\n', '\n')).toBe(block('text'))
})

test('the limits and their defaults are those of the source', () => {
  const units: Record<string, number> = { MiB: 1024 ** 2, KiB: 1024, s: 1000, '': 1, '× `eventBytesMax`': 1024 ** 2 }
  const section = /## Limits\n([^]*?)\n## /.exec(README)![1]!
  const told = Array.from(section.matchAll(/^\| `(\w+)` \| ([\d,]+)(.*?) \|/gm), ([, name, number, unit]) => [
    name!,
    Number(number!.replaceAll(',', '')) * units[unit!.trim()]!,
  ])
  expect(Object.fromEntries(told)).toEqual(serverLimits())
})

test('the codes are those of the source', () => {
  const source = readdirSync(join(PACKAGE, 'src'))
    .map((file) => readFileSync(join(PACKAGE, 'src', file), 'utf8'))
    .join('\n')
  const used = new Set(Array.from(source.matchAll(/'(SLUICE_[A-Z_]+)'/g), ([, code]) => code!))
  const told = new Set(Array.from(README.matchAll(/`(SLUICE_[A-Z_]+)`/g), ([, code]) => code!))
  expect([...used].filter((code) => !told.has(code))).toEqual([])
  const elsewhere = ['SLUICE_CHANNEL_UNAVAILABLE', 'SLUICE_STARTING', 'SLUICE_DRAINING'] // the channel's; made of the state
  expect([...told].filter((code) => !used.has(code) && !elsewhere.includes(code))).toEqual([])
})
