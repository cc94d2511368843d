// The root README says what is true: its YAML is valid, its curl line is the quickstart's, its links lead somewhere.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadFiles } from '@sluice/resource'

const ROOT = join(import.meta.dirname, '../..')
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

test('the YAML of the README is valid, without a warning', async () => {
  const blocks = Array.from(readme.matchAll(/```yaml\n(.*?)```/gs), ([, yaml]) => yaml!)
  expect(blocks.length).toBeGreaterThan(0)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-readme-'))
  try {
    for (const [index, yaml] of blocks.entries()) writeFileSync(join(folder, `${index}.yaml`), yaml)
    expect((await loadFiles([folder])).problems).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the curl line of the README is the one that the quickstart prints', () => {
  const start = readFileSync(join(ROOT, 'packages/cli/quickstart/start.ts'), 'utf8')
  const printed = /curl -i .*?'\{.*?\}'/s.exec(start)?.[0].replaceAll('\\\\\n', '\\\n')
  const shown = /curl -i .*?'\{.*?\}'/s.exec(readme)?.[0]
  const spaced = (text: string | undefined): string | undefined => text?.replace(/\s+/g, ' ')
  expect(spaced(shown)).toBe(spaced(printed)?.replace('${ingress}', 'http://127.0.0.1:8080'))
})

test('every link of the README leads to a file of the repository', () => {
  const links = Array.from(readme.matchAll(/\]\(([^)#]+)\)/g), ([, link]) => link!).filter(
    (link) => !/^https?:/.test(link),
  )
  expect(links.length).toBeGreaterThan(10)
  expect(links.filter((link) => !existsSync(join(ROOT, link)))).toEqual([])
})
