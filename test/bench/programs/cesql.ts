// CESQL, run as `node cesql.ts filter | interpreter | hand | GO-PROGRAM`: what each expression costs an event, as JSON. A
// process for each kind, so that what the engine learnt from another is not in it.

import { execFileSync } from 'node:child_process'
import type { Event } from '@sluice/event'
import { compileFilters } from '@sluice/filter'
import { evaluate, parse } from '@sluice/filter/cesql'
import { attributes, cases, events, type Case } from './cesql-cases.ts'
import { tell } from './measuring.ts'

/** In ns of an event, one for each of the cases. */
export type CesqlReading = readonly number[]

type Condition = (event: Event) => boolean

const ROUNDS = 25
const ROUND_MS = 10

const kinds: Readonly<Record<string, (each: Case) => Condition>> = {
  hand: ({ byHand }) => byHand,
  filter: ({ text }) => {
    const filter = compileFilters([{ cesql: text }])
    return (event) => filter.matches(event)
  },
  interpreter: ({ text }) => {
    const expression = parse(text)
    return (event) => evaluate(expression, event).value === true
  },
}

const kind = process.argv[2]!
const conditionOf = kinds[kind]
tell(conditionOf === undefined ? readGo(kind) : cases.map((each) => nanoseconds(each, conditionOf(each))))

/** The least, over rounds, of what one event costs: what else the machine did is not in it. */
function nanoseconds(each: Case, condition: Condition): number {
  if (count(condition) !== passes(each)) throw new Error(`${each.text} is not what was written by hand`)
  let least = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    let asked = 0
    let elapsed = 0
    while (elapsed < ROUND_MS) {
      count(condition)
      asked += events.length
      elapsed = performance.now() - start
    }
    least = Math.min(least, (elapsed * 1e6) / asked)
  }
  return least
}

function count(condition: Condition): number {
  let passed = 0
  for (let i = 0; i < events.length; i++) if (condition(events[i]!)) passed++
  return passed
}

function passes({ byHand }: Case): number {
  return count(byHand)
}

function readGo(program: string): CesqlReading {
  const input = { texts: cases.map(({ text }) => text), events: attributes, passes: cases.map(passes) }
  return JSON.parse(execFileSync(program, { input: JSON.stringify(input), encoding: 'utf8' }))
}
