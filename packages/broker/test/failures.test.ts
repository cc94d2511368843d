// What is remembered of events that wait for their dead-letter sink is bounded.

import { expect, test } from 'vitest'
import type { Delivery } from '@sluice/channel'
import type { Failure } from '../src/dead-letter.ts'
import { Failures } from '../src/failures.ts'
import { event } from './scene.ts'

test('at the bound the oldest failure is forgotten, and its event begins with its subscriber again', () => {
  const failures = new Failures(2)
  for (const position of ['1', '2', '3']) failures.keep(position, failed())
  expect(failures.size).toBe(2)
  expect(failures.take(delivery('1'))).toBeUndefined()
  expect(failures.take(delivery('2'))).toEqual(failed())
  expect(failures.take(delivery('2'))).toBeUndefined()
})

test('beyond the bytes a failure keeps its code, and neither answer nor words', () => {
  const failures = new Failures(10, 100)
  failures.keep('1', failed({ error: 'x', response: Buffer.alloc(90) }))
  failures.keep('2', failed({ error: 'x', response: Buffer.alloc(90) }))
  expect(failures.take(delivery('1'))?.response).toHaveLength(90)
  const second = failures.take(delivery('2'))
  expect(second).toMatchObject({ code: 503, response: undefined })
  expect(second?.error).toContain('too many events wait')
  failures.keep('3', failed({ error: 'x', response: Buffer.alloc(90) }))
  expect(failures.take(delivery('3'))?.response).toHaveLength(90)
})

test('one that is kept without its words counts no bytes, however often its event is tried at the sink', () => {
  const failures = new Failures(10, 400)
  failures.keep('1', failed({ response: Buffer.alloc(390) }))
  failures.keep('2', failed({ response: Buffer.alloc(90) }))
  failures.take(delivery('1'))
  for (let tries = 0; tries < 5; tries++) failures.keep('2', failures.take(delivery('2'))!)
  failures.keep('3', failed({ response: Buffer.alloc(300) }))
  expect(failures.take(delivery('3'))?.response).toHaveLength(300)
})

test('an event with fewer tries than it had when it failed was set back, and begins anew', () => {
  const failures = new Failures()
  failures.keep('1', failed({ attempts: 3 }))
  expect(failures.take(delivery('1', 1))).toBeUndefined()
  expect(failures.size).toBe(0)
})

function failed(changes: Partial<Failure> = {}): Failure {
  const destination = 'http://billing/'
  return { destination, code: 503, error: 'full', response: undefined, attempts: 1, sinkAttempts: 0, ...changes }
}

function delivery(position: string, attempt = 3): Delivery {
  return { event: event({}), position, attempt, settle() {}, release() {} }
}
