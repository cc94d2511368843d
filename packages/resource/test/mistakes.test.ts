// Typical mistakes and what people are told, as text: `mistakes.txt` holds each mistake and, under `----`, the answer.
// After a change of the words, run with UPDATE_MISTAKES=1 and review the difference.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { formatProblems } from '../src/index.ts'
import { loadFolder } from './files.ts'

const UPDATE = process.env['UPDATE_MISTAKES'] !== undefined
const FILE = join(import.meta.dirname, 'mistakes.txt')

/** `== what is wrong`, then a file or several (`>> name` begins one; ⇥ is a tab), then `----`, then what is printed. */
const mistakes = (await readFile(FILE, 'utf8'))
  .split(/^== /m)
  .slice(1)
  .map((text) => {
    const [title = '', ...lines] = text.split('\n')
    const middle = lines.indexOf('----')
    return {
      title,
      written: lines.slice(0, middle).join('\n'),
      told: lines
        .slice(middle + 1)
        .join('\n')
        .trim(),
    }
  })

const answers = new Map<string, string>()

test.each(mistakes)(
  '$title: the answer says what is wrong, where, and what to do',
  async ({ title, written, told }) => {
    const { problems } = await loadFolder(filesOf(written))
    const answer = formatProblems(problems)
    answers.set(title, answer)
    expect(answer).toBe(UPDATE ? answer : told)
  },
)

test('there are at least 25 of them', () => {
  expect(mistakes.length).toBeGreaterThanOrEqual(25)
})

afterAll(async () => {
  if (!UPDATE) return
  const text = mistakes.map(({ title, written }) => `== ${title}\n${written}\n----\n${answers.get(title)}\n`)
  await writeFile(FILE, text.join('\n'))
})

function filesOf(written: string): Record<string, string> {
  const [first = '', ...others] = written.split(/^>> (.+)\n/m)
  const files: Record<string, string> = first.trim() === '' ? {} : { 'a.yaml': first.replaceAll('⇥', '\t') }
  for (let i = 0; i < others.length; i += 2) files[others[i]!] = others[i + 1]!.replaceAll('⇥', '\t')
  return files
}
