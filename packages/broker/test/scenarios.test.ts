// Every file under scenarios/ says what has to happen; see scenario.ts.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runScenario } from './scenario.ts'

const folder = new URL('scenarios/', import.meta.url)

/** The first line of a scenario names the behaviour: its test's name. */
for (const name of readdirSync(folder)) {
  const file = new URL(name, folder)
  const text = readFileSync(file, 'utf8')
  const [title = name] = text.split('\n', 1)
  test(`${title.replace(/^# /, '')} (${name})`, async () => {
    const happened = await runScenario(text)
    if (process.env['UPDATE'] === '1') writeFileSync(file, happened)
    expect(happened).toBe(readFileSync(file, 'utf8'))
  })
}
