// The conformance cases of CloudEvents SQL (cloudevents/spec, cesql/cesql_tck), where a copy lies beside this repository:
// ../shared/data/cesql. Where it is absent, the tests say so and are skipped.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Event, type AttributeValue } from '@sluice/event'
import {
  compile,
  CesqlSyntaxError,
  evaluate,
  format,
  parse,
  type CesqlEvent,
  type CesqlResult,
} from '@sluice/filter/cesql'
import { describe, expect, test } from 'vitest'
import { parse as parseYaml } from 'yaml'

const FOLDER = join(import.meta.dirname, '../../../../../shared/data/cesql')

interface Case {
  readonly name: string
  /** YAML makes a boolean of `TRUE` and a number of `0` (CE-87). */
  readonly expression: string | number | boolean
  readonly result?: string | number | boolean
  readonly error?: string
  readonly event?: Record<string, AttributeValue>
  readonly eventOverrides?: Record<string, AttributeValue>
}

const files = existsSync(FOLDER) ? readdirSync(FOLDER).toSorted() : []
const cases = files.flatMap((file) =>
  // The core schema, so that a time stays the text that it is (CE-87).
  (parseYaml(readFileSync(join(FOLDER, file), 'utf8'), { schema: 'core' }) as { tests: Case[] }).tests.map(
    (each) => [`${file}: ${each.name}`, each] as const,
  ),
)

/**
 * CE-86: the casts of §3.7 make 10 true, so that NOT 10 is false without an error. The specification wins over its case.
 */
const EXCEPTIONS: Readonly<Record<string, { result: boolean; error: string }>> = {
  'not_operator.yaml: Invalid int cast': { result: false, error: '' },
}

function eventOf({ event, eventOverrides }: Case): CesqlEvent {
  const given = event ?? { specversion: '1.0', id: '1', source: '/source', type: 'type', ...eventOverrides }
  return new Event(new Map(Object.entries(given)), undefined)
}

/** What both ways of evaluating give, or the parse error. */
function outcomesOf(each: Case): readonly CesqlResult[] | 'parse' {
  try {
    const expression = parse(String(each.expression))
    const event = eventOf(each)
    return [evaluate(expression, event), compile(expression)(event), compile(parse(format(expression)))(event)]
  } catch (error) {
    if (error instanceof CesqlSyntaxError) return 'parse'
    throw error
  }
}

describe.skipIf(files.length === 0)('conformance cases (skipped: there is no ../shared/data/cesql)', () => {
  test('CE-87: all of them are there', () => {
    expect(files).toHaveLength(18)
    expect(cases).toHaveLength(275)
  })

  test.each(cases)('%s', (name, written) => {
    const each: Case = { ...written, ...EXCEPTIONS[name] }
    const outcomes = outcomesOf(each)
    if (each.error === 'parse') return expect(outcomes).toBe('parse')
    expect(outcomes).not.toBe('parse')
    for (const { value, errors } of outcomes as CesqlResult[]) {
      if (each.result !== undefined) expect(value).toBe(each.result)
      expect(errors.map(({ kind }) => kind)).toEqual([each.error].filter(Boolean))
    }
  })
})
