// What is told of expressions that can be read.

import { functionsWith, missingFunctions, parse, warningsOf, type CesqlFinding } from '@sluice/filter/cesql'
import { expect, test } from 'vitest'

function told(findings: readonly CesqlFinding[]): string[] {
  return findings.map(({ kind, start, message, hint }) => `${kind} ${start}: ${message}. ${hint}`)
}

test.each([
  ["UPPERCASE(type) = 'X'", 'missingFunction 0: CESQL has no function UPPERCASE. Did you mean UPPER?'],
  ['LEN(type) > 3', 'Did you mean LENGTH?'],
  ['a = SUBSTR(type, 1)', 'missingFunction 4: CESQL has no function SUBSTR. Did you mean SUBSTRING?'],
  ['LOWRE(type) = a', 'Did you mean LOWER?'],
  ['TO_LOWER(type) = a', 'Did you mean LOWER?'],
  ["STARTS_WITH(type, 'x')", "Write x LIKE '...%'."],
  ["CONTAINS(type, 'x')", "Write x LIKE '%...%'."],
  ['NOW()', 'There are LENGTH, CONCAT, CONCAT_WS, '],
  ['LEFT(type)', 'LEFT takes 2 arguments, not 1. Write LEFT(String, Integer).'],
  [
    'SUBSTRING(type)',
    'SUBSTRING takes 2 arguments or 3 arguments, not 1. Write SUBSTRING(String, Integer) or SUBSTRING(',
  ],
  ['CONCAT_WS()', 'CONCAT_WS takes at least 1 argument, not 0. Write CONCAT_WS(String, ...).'],
])('CE-84: %s calls what there is not', (text, expected) => {
  const findings = told(missingFunctions(parse(text)))
  expect(findings).toEqual([expect.stringContaining(expected)])
  expect(warningsOf(parse(text))).toEqual([])
})

test('CE-84: every missing function is told, inside of others too, and those that were added are none', () => {
  expect(missingFunctions(parse("NOPE(NEVER(type)) = 'x' OR NOT EXISTS a"))).toHaveLength(2)
  const functions = functionsWith([{ name: 'NOPE', parameters: [], returns: 'Boolean', call: () => true }])
  expect(missingFunctions(parse('NOPE()', { functions }), functions)).toEqual([])
  expect(told(missingFunctions(parse('NOPES()', { functions }), functions))[0]).toContain('Did you mean NOPE?')
})

test.each([
  [
    'a = 1 OR b = 2 AND c = 3',
    'mixedOperators 0: OR and AND bind alike: this reads (a = 1 OR b = 2) AND c = 3, and Knative reads a = 1 OR (b = 2 AND c = 3). Write the parentheses that you mean.',
  ],
  ['a AND b AND c OR d', 'this reads (a AND b AND c) OR d, and Knative reads a AND b AND (c OR d)'],
  ['a XOR b OR c', 'XOR and OR bind alike'],
])('CE-72: %s is read in two ways', (text, expected) => {
  expect(told(warningsOf(parse(text)))).toEqual([expect.stringContaining(expected)])
})

test.each(['a AND b AND c', '(a OR b) AND c', 'a OR (b AND c)', '(a AND b) OR (c AND d)', 'a XOR b XOR c'])(
  'CE-72: %s is read in one way',
  (text) => {
    expect(warningsOf(parse(text))).toEqual([])
  },
)

test.each([
  [
    "NOT a = 'b'",
    "looseNot 0: NOT binds tighter than what follows: this reads (NOT a) = 'b'. Write NOT (a = 'b'), if that is meant.",
  ],
  ["NOT type LIKE 'x%'", "Write NOT (type LIKE 'x%')"],
  ['NOT a IN (1, 2)', 'Write NOT (a IN (1, 2))'],
  ['NOT a + 1', 'Write NOT (a + 1)'],
])('CE-71: %s binds otherwise than it looks', (text, expected) => {
  expect(told(warningsOf(parse(text)))).toEqual([expect.stringContaining(expected)])
})

test.each(["(NOT a) = 'b'", "NOT (a = 'b')", 'NOT a AND b', 'NOT EXISTS a'])('CE-71: %s is as it looks', (text) => {
  expect(warningsOf(parse(text))).toEqual([])
})

test.each([
  [
    '"type" = \'x\'',
    'constant 0: this is FALSE for every event. "type" in quotes is a text; the attribute is type without.',
  ],
  ["a AND 'x y' LIKE 'x%'", 'constant 6: this is TRUE for every event. Remove it.'],
  ['5 IN (1, 5) OR a', 'constant 0: this is TRUE'],
  [
    "a < 'x'",
    'alwaysFails 4: "x" is no Integer: this fails for every event. Only Integers have an order; texts and times have none',
  ],
  ['time > 5', 'alwaysFails 0: time is no Integer: this fails for every event. Only Integers have an order'],
  [
    "a + 'x' = 5",
    'alwaysFails 4: "x" is no Integer: this fails for every event. Only Integers can be calculated with.',
  ],
  [
    "a AND 'x'",
    'alwaysFails 6: "x" is no Boolean: this fails for every event. Compare it with something, such as x = \'x\'.',
  ],
  ["NOT 'x'", 'alwaysFails 4: "x" is no Boolean'],
  ['a = 5 / 0', 'alwaysFails 4: it divides by zero: this fails for every event. Remove it.'],
  ["a = INT('x')", 'alwaysFails 4: "x" is no Integer: this fails for every event.'],
  ["a = LEFT('x', -1)", 'alwaysFails 4: LEFT of -1 characters: this fails'],
  [
    "data = 'x'",
    'alwaysFails 0: data is no attribute: this fails for every event. CESQL reads attributes alone; for data',
  ],
  [
    'urgent',
    'noBoolean 0: urgent alone is TRUE only where it is a Boolean, and what comes in a header is a String. Write urgent = TRUE.',
  ],
])('%s is probably not what is meant', (text, expected) => {
  expect(told(warningsOf(parse(text)))).toEqual([expect.stringContaining(expected)])
})

test.each(["a = '5' AND b != 5 AND c IN ('x', 5)", "a = CONCAT('x', 'y')", 'a = 2 * 3', "'x' = a", 'TRUE', 'a AND b'])(
  '%s is fine',
  (text) => {
    expect(warningsOf(parse(text))).toEqual([])
  },
)
