// Templates: what a request fills, and what is no template.

import { describe, expect, test } from 'vitest'
import { parseTemplate } from '@sluice/source'

const ROOTS = ['body', 'header', 'url']
const FOUND: Readonly<Record<string, string | Buffer>> = {
  'body.action': 'opened',
  'body.topic': 'orders/create',
  'body.page': 'https://example.com/a/b#note_1',
  'header.x-event': 'issues',
  body: Buffer.from([0xff, 0x00]),
}

function fill(text: string): string | undefined {
  return parseTemplate(text, ROOTS).fill((name) => FOUND[name.join('.')])
}

test.each([
  ['plain', 'plain'],
  ['com.github.{header.X-Event}[.{body.action}]', 'com.github.issues.opened'],
  ['com.github.{header.x-event}[.{body.missing}]', 'com.github.issues'],
  ['{body.missing|body.action}', 'opened'],
  ["{body.missing|'none'}", 'none'],
  ['{dots(body.topic)}', 'orders.create'],
  ['{parent(body.page)}', 'https://example.com/a'],
  ['{bare(body.page)}', 'https://example.com/a/b'],
  ['a{{b}}[[c]]', 'a{b}[c]'],
  ['', ''],
])('%s is filled as %s', (text, filled) => {
  expect(fill(text)).toBe(filled)
})

test('a name that is missing outside of brackets leaves nothing', () => {
  expect(fill('x {body.missing}')).toBeUndefined()
})

test('bytes stay bytes where they are asked for piece by piece', () => {
  const pieces = parseTemplate('v0:{body}', ROOTS).pieces((name) => FOUND[name.join('.')])
  expect(pieces).toEqual(['v0:', Buffer.from([0xff, 0x00])])
})

describe('what is no template is refused with its place', () => {
  test.each([
    ['{body', '"{" at character 1 is never closed'],
    ['a[b', '"[" at character 2 is never closed'],
    ['a}b', '"}" at character 2 closes nothing'],
    ['[a[b]]', 'stands inside of brackets'],
    ['{cookie.a}', '{cookie.a} is none of {body}, {header}, {url}'],
    ['{eval(body.a)}', 'there is no eval()'],
    ['{constructor(body.a)}', 'there is no constructor()'],
    ['{body.a b}', '{body.a b} is none of'],
    ['x'.repeat(1025), '1025 characters'],
  ])('%s', (text, problem) => {
    expect(() => parseTemplate(text, ROOTS)).toThrow(problem)
  })
})
