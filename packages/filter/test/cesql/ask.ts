// Asks an expression in both ways, which have to agree.

import { compile, evaluate, parse, type CesqlResult, type CesqlValue } from '@sluice/filter/cesql'
import { Event, type AttributeValue } from '@sluice/event'
import { expect } from 'vitest'

/** An event with these attributes beside the required ones. */
export function eventOf(more: Readonly<Record<string, AttributeValue>> = {}): Event {
  const attributes = { specversion: '1.0', id: '1', source: '/shop', type: 'order', ...more }
  return new Event(new Map(Object.entries(attributes)), undefined)
}

/** What the expression gives, by the compiler and by the interpreter. */
export function resultOf(text: string, more: Readonly<Record<string, AttributeValue>> = {}): CesqlResult {
  const expression = parse(text)
  const event = eventOf(more)
  const result = compile(expression)(event)
  expect(result).toEqual(evaluate(expression, event))
  return result
}

/** The value, or `value + kind` where there was an error. */
export function ask(text: string, more: Readonly<Record<string, AttributeValue>> = {}): CesqlValue {
  const { value, errors } = resultOf(text, more)
  return errors.length === 0 ? value : `${value} + ${errors.map(({ kind }) => kind).join()}`
}
