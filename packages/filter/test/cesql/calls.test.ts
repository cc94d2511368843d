// What a function gave last is remembered, and is never taken for what another call of it gives.

import { Event } from '@sluice/event'
import { compile, parse } from '@sluice/filter/cesql'
import { expect, test } from 'vitest'

test('calls of one function with other values, or another number of them, each give their own value, in any order', () => {
  const attributes = { specversion: '1.0', id: 'a', source: 's', type: 't' }
  const event = new Event(new Map(Object.entries(attributes)), undefined)
  const calls = {
    'CONCAT(id)': 'a',
    "CONCAT(id, 'x')": 'ax',
    'CONCAT(id, type)': 'at',
    'UPPER(id)': 'A',
    'UPPER(type)': 'T',
  }
  const compiled = Object.entries(calls).map(([text, value]) => [compile(parse(text)), value] as const)
  for (const [first, firstValue] of compiled) {
    for (const [second, secondValue] of compiled) {
      expect([first(event).value, second(event).value]).toEqual([firstValue, secondValue])
    }
  }
})
