// The last steps of events are kept, within bounds, and told to who listens.

import { expect, test } from 'vitest'
import { NO_OBSERVER, type TriggerName } from '@sluice/broker'
import { manualClock } from '@sluice/clock'
import { newEvent } from '@sluice/event'
import { stepJson, trace } from '../src/trace.ts'

const BROKER = { kind: 'Broker', namespace: 'shop', name: 'default' }
const TRIGGER: TriggerName = { id: 'uid', namespace: 'shop', name: 'billing', broker: BROKER }

function event(id: string, source = '/s'): ReturnType<typeof newEvent> {
  return newEvent({ id, source, type: 't' })
}

test('steps are found by broker, id and source, the oldest first; beyond the bound the oldest are gone', () => {
  const steps = trace(manualClock(), 4)
  const observer = steps.noting(NO_OBSERVER)
  observer.accepted(BROKER, event('1'))
  observer.matched(TRIGGER, event('1'))
  observer.parked(TRIGGER, event('1', '/other'), 5)
  observer.deadLettered(TRIGGER, event('1'), 'box', 'loop', 'no hops left')
  observer.settled(TRIGGER, event('1'))
  expect(steps.stepsOf(BROKER, '1').map(({ kind }) => kind)).toEqual(['accepted', 'parked', 'deadLettered'])
  expect(steps.stepsOf(BROKER, '1', '/other').map(({ kind }) => kind)).toEqual(['parked'])
  expect(steps.stepsOf({ ...BROKER, namespace: 'else' }, '1')).toEqual([])
  observer.accepted(BROKER, event('2'))
  observer.accepted(BROKER, event('2'))
  expect(steps.stepsOf(BROKER, '1').map(({ kind }) => kind)).toEqual(['parked', 'deadLettered'])
})

test('an event whose id is very long is told, and not kept', () => {
  const steps = trace(manualClock())
  const observer = steps.noting(NO_OBSERVER)
  const told: string[] = []
  const deafen = steps.listen(({ kind }, { id }) => told.push(`${kind} ${id.length}`))
  observer.accepted(BROKER, event('x'.repeat(600)))
  expect(told).toEqual(['accepted 600'])
  expect(steps.stepsOf(BROKER, 'x'.repeat(600))).toEqual([])
  deafen()
  observer.accepted(BROKER, event('2'))
  expect(told).toHaveLength(1)
})

test('data that does not keep to its schema is a step, kept and told, with what became of the event', () => {
  const steps = trace(manualClock())
  const observer = steps.noting(NO_OBSERVER)
  const told: string[] = []
  steps.listen(({ kind, status, detail }) => told.push(`${kind} ${status} ${detail}`))
  const fault = { eventType: 'shop/orders', pointer: '/total', problem: 'must be number' }
  observer.judged(BROKER, event('1'), { ...fault, isRefused: true })
  observer.judged(BROKER, event('1'), { ...fault, isRefused: false }, TRIGGER)
  const why = 'The data does not keep to the schema of EventType shop/orders: /total must be number'
  expect(told).toEqual([`judged 422 ${why}`, `judged 0 ${why}`])
  expect(steps.stepsOf(BROKER, '1').map(stepJson)).toMatchObject([
    { step: 'judged', isRefused: true, problem: why },
    { step: 'judged', replyOf: 'billing', isRefused: false, problem: why },
  ])
})
