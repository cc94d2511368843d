// What is logged of the events' way: enough for a person to act on, little however much happens, and no data.

import { expect, test } from 'vitest'
import { NO_OBSERVER, type Observer, type TriggerName } from '@sluice/broker'
import { manualClock, type ManualClock } from '@sluice/clock'
import { newEvent, type Event } from '@sluice/event'
import { withLog } from '@sluice/server'

const TRIGGER: TriggerName = {
  id: 'uid',
  namespace: 'shop',
  name: 'orders',
  broker: { kind: 'Broker', namespace: 'shop', name: 'default' },
}
const SECRET = 'pi-314159'

function event(attributes: { id?: string; type?: string } = {}): Event {
  return newEvent({
    type: 'order',
    source: '/shop',
    id: '1',
    subject: SECRET,
    extensions: { customer: SECRET },
    data: Buffer.from(SECRET),
    ...attributes,
  })
}

interface Line {
  readonly level: string
  readonly fields: object
  readonly message: string
}

function logged(to: Partial<Observer> = {}): { observer: Observer; lines: Line[]; clock: ManualClock } {
  const lines: Line[] = []
  const clock = manualClock()
  const at =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push({ level, fields, message })
  const log = { info: at('info'), warn: at('warn'), error: at('error') }
  return { observer: withLog({ ...NO_OBSERVER, ...to }, log, clock), lines, clock }
}

test('dead letters of a trigger are one line in five seconds, which says how many it stands for', () => {
  const { observer, lines, clock } = logged()
  for (let n = 0; n < 1000; n++) observer.deadLettered(TRIGGER, event(), 'box', 'undeliverable', 'it answered 400')
  const other = { ...TRIGGER, name: 'other' }
  observer.deadLettered(other, event(), 'sink', 'it answered 500', 'it answered 500')
  clock.advance(4999)
  observer.deadLettered(TRIGGER, event(), 'box', 'undeliverable', 'it answered 400')
  clock.advance(1)
  observer.deadLettered(TRIGGER, event({ id: 'last' }), 'box', 'loop', 'no hops left')
  expect(lines).toEqual([
    {
      level: 'warn',
      message: 'kept in the dead-letter box',
      fields: {
        trigger: 'shop/orders',
        broker: 'default',
        id: '1',
        source: '/shop',
        type: 'order',
        reason: 'undeliverable',
        error: 'it answered 400',
        events: 1,
      },
    },
    {
      level: 'warn',
      message: 'dead-lettered to its sink',
      fields: {
        trigger: 'shop/other',
        broker: 'default',
        id: '1',
        source: '/shop',
        type: 'order',
        reason: 'it answered 500',
        events: 1,
      },
    },
    {
      level: 'warn',
      message: 'kept in the dead-letter box',
      fields: expect.objectContaining({ id: 'last', reason: 'loop', events: 1001 }) as object,
    },
  ])
})

test('a subscriber that goes down is one line, and one when it is back; being throttled is none', () => {
  const { observer, lines } = logged()
  for (const state of [
    'Throttled',
    'Healthy',
    'Throttled',
    'Down',
    'Throttled',
    'Healthy',
    'Throttled',
    'Healthy',
  ] as const) {
    observer.targetChanged(TRIGGER, state)
  }
  expect(lines.map(({ level, message }) => [level, message])).toEqual([
    ['warn', 'subscriber is down; its events wait, and cost no tries'],
    ['info', 'subscriber takes events again'],
  ])
})

test('the line of a subscriber that goes down says why', () => {
  const { observer, lines } = logged()
  const failed = (error: string, pressure: boolean): Parameters<Observer['attempted']>[2] =>
    ({ verdict: 'retry', status: 503, error, pressure, durationMs: 1 }) as Parameters<Observer['attempted']>[2]
  observer.attempted(TRIGGER, event(), failed('it answered 503', true), 'subscriber', 1)
  observer.attempted(TRIGGER, event(), failed('it answered 500', false), 'subscriber', 1)
  observer.attempted(TRIGGER, event(), failed('the sink answered 503', true), 'sink', 1)
  observer.targetChanged(TRIGGER, 'Down')
  expect(lines).toEqual([
    {
      level: 'warn',
      message: 'subscriber is down; its events wait, and cost no tries',
      fields: { trigger: 'shop/orders', broker: 'default', why: 'it answered 503' },
    },
  ])
})

test('losses are errors; a backlog that goes with its trigger is a warning, an empty one nothing', () => {
  const { observer, lines } = logged()
  observer.lost(TRIGGER, { events: 3, cause: 'shutdown' })
  observer.discarded(TRIGGER, 0, 'deleted')
  observer.discarded(TRIGGER, 5, 'deleted')
  expect(lines).toEqual([
    {
      level: 'error',
      message: 'events lost',
      fields: { trigger: 'shop/orders', broker: 'default', events: 3, cause: 'shutdown' },
    },
    {
      level: 'warn',
      message: expect.stringContaining('discarded') as string,
      fields: expect.objectContaining({ events: 5 }) as object,
    },
  ])
})

test('data that does not keep to its schema is a line, and one for all that follow within five seconds', () => {
  const { observer, lines, clock } = logged()
  const fault = { eventType: 'shop/orders', pointer: '/total', problem: 'must be number' }
  for (const isRefused of [true, true, true]) observer.judged(TRIGGER.broker, event(), { ...fault, isRefused })
  clock.advance(5000)
  observer.judged(TRIGGER.broker, event(), { ...fault, isRefused: false }, TRIGGER)
  const why = 'The data does not keep to the schema of EventType shop/orders: /total must be number'
  expect(lines.map(({ message, fields }) => [message, (fields as { events: number }).events])).toEqual([
    ['refused, for its data', 1],
    ['stored, though its data is not as it should be', 3],
  ])
  expect(lines[1]!.fields).toMatchObject({ why, replyOf: 'orders' })
})

test('CE-15: no line has data, subject or extensions of an event, and none more than the beginning of its id', () => {
  const { observer, lines } = logged()
  observer.deadLettered(
    TRIGGER,
    event({ id: 'x'.repeat(60_000), type: 'y'.repeat(256) }),
    'box',
    'undeliverable',
    'it answered 400',
  )
  expect(JSON.stringify(lines)).not.toContain(SECRET)
  expect(JSON.stringify(lines).length).toBeLessThan(1000)
  expect(lines[0]?.fields).toMatchObject({ id: `${'x'.repeat(256)}...`, type: 'y'.repeat(256) })
})

test('what is logged is told to the next observer first, and so is all the rest', () => {
  const told: string[] = []
  const to = Object.fromEntries(
    Object.keys(NO_OBSERVER).map((name) => [name, () => void told.push(name)]),
  ) as unknown as Observer
  const { observer } = logged(to)
  const outcome = { status: 202, durationMs: 1 } as Parameters<Observer['attempted']>[2]
  observer.accepted(TRIGGER.broker, event())
  observer.refused(TRIGGER.broker, 400, 1)
  observer.judged(TRIGGER.broker, event(), { eventType: 'shop/o', pointer: '', problem: 'p', isRefused: true })
  observer.matched(TRIGGER, event())
  observer.attempted(TRIGGER, event(), outcome, 'subscriber', 1)
  observer.parked(TRIGGER, event(), 1)
  observer.settled(TRIGGER, event())
  observer.deadLettered(TRIGGER, event(), 'box', 'loop', 'no hops left')
  observer.targetChanged(TRIGGER, 'Down')
  observer.lost(TRIGGER, { events: 1, cause: 'shutdown' })
  observer.discarded(TRIGGER, 1, 'deleted')
  expect(told).toEqual(Object.keys(NO_OBSERVER))
})
