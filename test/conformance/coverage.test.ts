// Every numbered requirement that this version has to meet is in the name of a test, or in exceptions.md with a reason.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { testNamesIn } from '../support/test-names.ts'

const ROOT = join(import.meta.dirname, '../..')
const PATHS = ['packages/*/test/**', 'packages/channel/src/conformance/**', 'channels/*/test/**', 'test/**']

/** Numbers of the Knative Eventing specification: all of them. */
const SPEC = range(1, 138)
/** Numbers of the CloudEvents rules on the model, JSON and HTTP. */
const CLOUDEVENTS = range(1, 46)

const required = [...SPEC.map((number) => `spec ${number}`), ...CLOUDEVENTS.map((number) => `CE-${number}`)]

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n)
}

function testNames(): string[] {
  const globs = PATHS.map((path) => `:(glob)${path}/*.ts`)
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', ...globs], { cwd: ROOT, encoding: 'utf8' }) // prettier-ignore
  const files = listed.split('\n').filter((path) => /(\.test\.ts|src\/conformance\/.*\.ts)$/.test(path))
  return files.flatMap((path) => testNamesIn(join(ROOT, path)))
}

/** `- spec 47: why` */
function exceptions(): Map<string, string> {
  const text = readFileSync(join(import.meta.dirname, 'exceptions.md'), 'utf8')
  return new Map([...text.matchAll(/^- (spec \d+|CE-\d+): (.+)$/gm)].map(([, number, why]) => [number!, why!]))
}

const named = new Set(testNames().flatMap((name) => name.match(/\b(spec \d+|CE-\d+)\b/g) ?? []))
const excepted = exceptions()

test.each(required)('%s is proved by a test, or is an exception with a reason', (number) => {
  expect(named.has(number) || excepted.has(number)).toBe(true)
})

test('no exception stands there for what is proved, or for what nobody asks for', () => {
  const idle = [...excepted.keys()].filter((number) => named.has(number) || !required.includes(number))
  expect(idle).toEqual([])
})
