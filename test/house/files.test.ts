// House rules that no linter knows.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const tracked = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)))
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

test('every package has a README and a test', () => {
  const packages = tracked
    .filter((path) => /^(packages|channels|sources)\/[^/]+\/package\.json$/.test(path))
    .map(dirname)
  expect(packages.filter((folder) => !tracked.includes(`${folder}/README.md`))).toEqual([])
  expect(packages.filter((folder) => !tracked.some((path) => path.startsWith(`${folder}/test/`)))).toEqual([])
})

test('a source file tells one story: at most 400 lines', () => {
  const sources = tracked.filter((path) => /\/src\/.*\.ts$/.test(path))
  expect(sources.filter((path) => text(path).split('\n').length > 400)).toEqual([])
})

test('every source file opens with what it is for', () => {
  const sources = tracked.filter((path) => /\/src\/.*\.ts$/.test(path) && !path.endsWith('/index.ts'))
  expect(sources.filter((path) => !text(path).startsWith('//'))).toEqual([])
})

test('no file holds an open end or a path of somebody’s machine', () => {
  const ends = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].map((word) => `\\b${word}\\b`).join('|'))
  const machine = new RegExp(['/ho' + 'me/', '/ro' + 'ot/', '/wo' + 'rk/'].join('|'))
  const files = tracked.filter((path) => /\.(ts|mjs|json|yaml|md)$/.test(path) && path !== 'pnpm-lock.yaml')
  expect(files.filter((path) => ends.test(text(path)) || machine.test(text(path)))).toEqual([])
})
