import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'

const { text, run } = readmeOf(import.meta.dirname)
const blocks = (language: string): string[] =>
  Array.from(text.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g')), ([, block]) => block!)
const printed = blocks('text')

test.each(blocks('ts').map((code, i) => [i + 1, code] as const))(
  'example %i of the README prints what the README says',
  (number, code) => {
    expect(run(code)).toBe(printed[number - 1])
  },
)

test('the README lists the codes that exist, and no others', () => {
  const source = readFileSync(join(import.meta.dirname, '../src/errors.ts'), 'utf8')
  expect(codesIn(text)).toEqual(codesIn(source))
})

function codesIn(of: string): string[] {
  return [...new Set(of.match(/SLUICE_FILTER_\w+/g))].toSorted()
}
