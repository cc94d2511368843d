// What compiled CESQL costs beside the JavaScript function that somebody would write by hand for the same condition, and
// beside the interpreter. Run: node bench/cesql.ts

import { Event } from '@sluice/event'
import { compile, evaluate, parse } from '@sluice/filter/cesql'
import { compileCondition } from '../src/cesql/compile.ts'

interface Case {
  readonly text: string
  readonly byHand: (event: Event) => boolean
}

const CASES: readonly Case[] = [
  {
    text: "type = 'com.example.order.7'",
    byHand: (event) => event.attribute('type') === 'com.example.order.7',
  },
  {
    text: "type LIKE 'com.example.%' AND source = '/shop/7' AND EXISTS subject",
    byHand: (event) =>
      event.text('type')!.startsWith('com.example.') &&
      event.attribute('source') === '/shop/7' &&
      event.attribute('subject') !== undefined,
  },
  {
    text: "source IN ('/shop/1', '/shop/3', '/shop/5', '/shop/7') OR subject LIKE '%-rush'",
    byHand: (event) => {
      const source = event.text('source')!
      if (source === '/shop/1' || source === '/shop/3' || source === '/shop/5' || source === '/shop/7') return true
      return event.text('subject')?.endsWith('-rush') ?? false
    },
  },
  {
    text: 'INT(number) % 2 = 1 AND attempts < 5',
    byHand: (event) => Number(event.attribute('number')) % 2 === 1 && Number(event.attribute('attempts')) < 5,
  },
  {
    text: "UPPER(subject) = 'ORDER-7' AND LENGTH(source) < 20",
    byHand: (event) => event.text('subject')?.toUpperCase() === 'ORDER-7' && event.text('source')!.length < 20,
  },
  {
    text: "subject LIKE '%der%-_'",
    byHand: (event) => /der.*-.$/s.test(event.text('subject') ?? ''),
  },
]

const ROUNDS = 25
const ROUND_MS = 10
const EVENTS = Array.from({ length: 64 }, (_, i) => eventOf(i))

for (const { text, byHand } of CASES) {
  const expression = parse(text)
  const [condition, compiled] = [compileCondition(expression), compile(expression)]
  for (const event of EVENTS) if (condition(event) !== byHand(event)) throw new Error(`${text} differs by hand`)
  const hand = nanoseconds((event) => byHand(event))
  const costs = [
    nanoseconds((event) => condition(event) === true),
    nanoseconds((event) => compiled(event).value === true),
    nanoseconds((event) => evaluate(expression, event).value === true),
  ]
  const [asCondition, asResult, interpreted] = costs.map(
    (ns) => `${ns.toFixed(0)} ns (${(ns / hand).toFixed(1)} times)`,
  )
  process.stdout.write(`${text}\n  by hand ${hand.toFixed(0)} ns, as a filter ${asCondition}, `)
  process.stdout.write(`value and errors ${asResult}, interpreted ${interpreted}\n`)
}

function eventOf(i: number): Event {
  const attributes = {
    ...{ specversion: '1.0', id: `${i}`, source: `/shop/${i % 9}`, type: `com.example.order.${i % 8}` },
    ...{ subject: `order-${i % 10}`, number: `${i}`, attempts: i % 6 },
  }
  return new Event(new Map<string, string | number>(Object.entries(attributes)), undefined)
}

/** The least, over rounds, of what one event costs: what else the machine did is not in it. */
function nanoseconds(ask: (event: Event) => boolean): number {
  let least = Infinity
  let passed = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    let count = 0
    let elapsed = 0
    while (elapsed < ROUND_MS) {
      for (let i = 0; i < EVENTS.length; i++) if (ask(EVENTS[i]!)) passed++
      count += EVENTS.length
      elapsed = performance.now() - start
    }
    least = Math.min(least, (elapsed * 1e6) / count)
  }
  if (passed < 0) throw new Error('never')
  return least
}
