// Where in a file a mistake in a filter stands, however the YAML holds it.

import { expect, test } from 'vitest'
import { formatProblems } from '../src/index.ts'
import { BROKER, load, loadFolder, one, triggerOf } from './files.ts'

/** The caret of the only problem, as the text that begins there. */
async function caretIn(spec: string): Promise<string> {
  const text = `${triggerOf(`subscriber: {uri: http://h/}\n${spec}`)}---\n${BROKER}`
  const { problems } = await load(text)
  expect(problems).toHaveLength(1)
  const { line, column } = problems[0]!
  return text.split('\n')[line - 1]!.slice(column - 1)
}

test.each([
  ['plain', "filters:\n- cesql: type = 'x' && a", '&& a'],
  ['plain, over lines', "filters:\n- cesql: type = 'x' AND\n    source  ==  'y'", "==  'y'"],
  ['in single quotes', "filters:\n- cesql: 'type = ''x'' && a'", "&& a'"],
  ['in single quotes, over lines', "filters:\n- cesql: 'type = ''x''\n\n    AND b == 1'", "== 1'"],
  ['in double quotes', 'filters:\n- cesql: "type = \\"\\x41\\u0041\\" AND\\n b == 1"', '== 1"'],
  ['in double quotes, with a line that goes on', 'filters:\n- cesql: "type = \'x\' \\\n    AND b == 1"', '== 1"'],
  ['a literal block', "filters:\n- cesql: |\n    type = 'x'\n      AND b == 1\n", '== 1'],
  ['a folded block, with a header', "filters:\n- cesql: >-\n\n    type = 'x'\n    AND b == 1\n", '== 1'],
  ['inside of flow', "filters: [{not: {sql: type = 'x' AND b == 1}}]", '== 1}}]'],
  ['in an anchor', "filters:\n- cesql: &e type = 'x' AND b == 1", '== 1'],
  ['at its first letter', 'filters:\n- cesql: >\n    == 1', '== 1'],
  ['at its end', "filters:\n- cesql: |\n    type = 'x' AND  \n\n", '  '],
  ['of a function', "filters:\n- cesql: type = 'x' AND  UPPR(a) = 'X'", "UPPR(a) = 'X'"],
  ['behind a character of two units', "filters:\n- cesql: type = '😀' && a", '&& a'],
])('an expression that is %s has the caret at the word', async (_, spec, expected) => {
  expect(await caretIn(spec)).toBe(expected)
})

test('an alias has the caret at itself', async () => {
  const spec = 'filters:\n- any:\n  - cesql: &e a == 1\n  - cesql: *e'
  const { problems } = await load(triggerOf(`subscriber: {uri: http://h/}\n${spec}`))
  expect(problems.map(({ line, column }) => [line, column])).toEqual([
    [9, 19],
    [10, 14],
  ])
})

test('in a JSON file as well', async () => {
  const trigger = {
    apiVersion: 'eventing.knative.dev/v1',
    kind: 'Trigger',
    metadata: { name: 't' },
    spec: { subscriber: { uri: 'http://h/' }, filters: [{ cesql: 'type = "x" && a' }] },
  }
  const text = JSON.stringify(trigger)
  const { problems } = await loadFolder({ 'a.json': text })
  expect(problems.map(({ line, column }) => [line, text.slice(column - 1, column + 1)])).toEqual([[1, '&&']])
})

test('the caret stands under it', async () => {
  const spec = "subscriber: {uri: http://h/}\nfilters:\n- data: {/action: opened}\n- cesql: source = '/x' && type = 'y'"
  const { problems } = await load(triggerOf(spec))
  expect(formatProblems(problems)).toBe(
    [
      'SLUICE_FILTER_CESQL_SYNTAX  a.yaml:9:26, Trigger default/t',
      '  && is no operator (column 15 of the expression). Write AND, not &&.',
      "    9 |   - cesql: source = '/x' && type = 'y'",
      '      |                          ^',
    ].join('\n'),
  )
})

test('what is probably not meant is a warning with its line, and keeps nothing out', async () => {
  const spec = 'subscriber: {uri: http://h/}\nfilters:\n- sql: >\n    a = 1 OR b = 2\n    AND NOT c = 3'
  const { problems, resources } = await load(`${triggerOf(spec)}---\n${BROKER}`)
  expect(problems.map(({ severity, code, line, column }) => [severity, code, line, column])).toEqual([
    ['warning', 'SLUICE_FILTER_AMBIGUOUS', 9, 7],
    ['warning', 'SLUICE_FILTER_AMBIGUOUS', 10, 11],
  ])
  expect(resources).toHaveLength(2)
})

test('a filter that can never match, and one that always does, is a warning at its place', async () => {
  const spec = (filters: string): string => triggerOf(`subscriber: {uri: http://h/}\nfilters:\n${filters}`)
  const { problems } = await load(
    [
      spec("- exact: {type: com.example.order}\n- cesql: type LIKE 'com.example.invoice.%'"),
      spec('- any:\n  - exact: {type: a}\n  - not:\n      exact: {type: a}').replace('name: t', 'name: u'),
      BROKER,
    ].join('---\n'),
  )
  expect(formatProblems(problems)).toBe(
    [
      'SLUICE_FILTER_NEVER_MATCHES  a.yaml:9:12, Trigger default/t (warning)',
      '  this never matches, so that the Trigger gets no event: type would have to be "com.example.order" and begin with "com.example.invoice.". Change it, or remove it.',
      "    9 |   - cesql: type LIKE 'com.example.invoice.%'",
      '      |            ^',
      '',
      'SLUICE_FILTER_ALWAYS_MATCHES  a.yaml:20:7, Trigger default/u (warning)',
      '  this always matches, so that the Trigger gets every event: it stands beside the same without not. Remove it, if every event is meant.',
      '    20 |     - not:',
      '       |       ^',
    ].join('\n'),
  )
})

test('expressions and data are admitted, and stay as they were written', async () => {
  const { spec } = await one(
    triggerOf(
      'subscriber: {uri: http://h/}\nfilters:\n- cesql: TRUE\n- sql: a = 1\n- data: {/total: {gt: 100}, /note: {exact: null}}',
    ),
  )
  expect(spec).toMatchObject({
    filters: [{ cesql: true }, { sql: 'a = 1' }, { data: { '/total': { gt: 100 }, '/note': { exact: null } } }],
  })
})
