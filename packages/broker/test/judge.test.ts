// What becomes of events and replies whose data somebody finds wrong before they are stored (FL-26).

import { expect, test } from 'vitest'
import { SluiceError, type Event } from '@sluice/event'
import { DEFAULT_POLICY } from '@sluice/delivery'
import type { Judgement } from '@sluice/broker'
import { event, openScene, outcome, target, trigger, type Scene, type SceneOptions } from './scene.ts'

const FAULT = { eventType: 'default/orders', pointer: '/total', problem: 'must be number' }

/** A broker that finds every event of type `bad` wrong, and what was told. */
function judging(isRefused: boolean, options: SceneOptions = {}): Scene & { told: string[] } {
  const told: string[] = []
  const judge = ({ type }: Event): Judgement | undefined => (type === 'bad' ? { ...FAULT, isRefused } : undefined)
  const scene = openScene({
    ...options,
    judge,
    observer: {
      accepted: (_broker, { id }) => told.push(`accepted ${id}`),
      refused: (_broker, status, events) => told.push(`refused ${status} ${events}`),
      judged: (_broker, { id }, { pointer }, of) =>
        told.push(`judged ${id} ${pointer}${of === undefined ? '' : ` of ${of.name}`}`),
      parked: (of) => told.push(`parked ${of.name}`),
      deadLettered: (of, _event, into, reason) => told.push(`${of.name} ${into}: ${reason}`),
      settled: (of) => told.push(`settled ${of.name}`),
    },
  })
  return { ...scene, told }
}

async function refusal(accepted: Promise<void>): Promise<SluiceError> {
  const error: unknown = await accepted.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof SluiceError) return error
  throw new Error('it was accepted')
}

test('an event whose data is refused is answered 422 with the failing path, and nothing is stored', async () => {
  const { broker, told, channel } = judging(true)
  const { code, status, message, subject } = await refusal(broker.accept([event({ type: 'bad' })]))
  expect({ code, status, subject }).toEqual({ code: 'SLUICE_EVENT_SCHEMA', status: 422, subject: 'data/total' })
  expect(message).toBe('The data does not keep to the schema of EventType default/orders: /total must be number. Nothing was stored.') // prettier-ignore
  expect(told).toEqual(['judged 1 /total', 'refused 422 1'])
  expect(channel.usage().events).toBe(0)
})

test('of a batch all are refused, and the one that is wrong is named', async () => {
  const { broker, told } = judging(true)
  await broker.setTrigger(trigger('billing'))
  const { message, subject } = await refusal(broker.accept([event({}), event({ id: '2', type: 'bad' })]))
  expect(subject).toBe('[1].data/total')
  expect(message).toContain('It is event 1 of the batch.')
  expect(told).toEqual(['judged 2 /total', 'refused 422 2'])
})

test('one that is only warned of is told, stored and routed', async () => {
  const { broker, told, network, quiet } = judging(false)
  await broker.setTrigger(trigger('billing'))
  network.answering = () => outcome(202)
  await broker.accept([event({ type: 'bad' })])
  await quiet()
  expect(told.toSorted()).toEqual(['accepted 1', 'judged 1 /total', 'settled billing'])
})

test('a reply whose data is refused is a dead letter of its trigger, code 422, without another try', async () => {
  const { broker, told, network, quiet, box } = judging(true)
  await broker.setTrigger(trigger('billing'))
  network.answering = () => outcome(200, { reply: event({ id: 'r', type: 'bad' }) })
  await broker.accept([event({ type: 'order' })])
  await quiet()
  const why =
    'The reply of the subscriber could not be stored: The data does not keep to the schema of EventType default/orders: /total must be number. Nothing was stored.'
  expect(told).toContain('judged r /total of billing')
  expect(network.sent).toBe(1)
  const [entry] = await box.list({ limit: 10 })
  expect([entry?.code, entry?.event.id, entry?.error]).toEqual([422, '1', why])
})

test('with a dead-letter sink, that gets the event, and the reason', async () => {
  const { broker, network, quiet } = judging(true)
  const { route, ...config } = trigger('billing')
  await broker.setTrigger({ ...config, route: { ...route, deadLetterSink: target('sink'), policy: DEFAULT_POLICY } })
  const sunk: Event[] = []
  network.answering = ({ target: { origin }, event: sent }) => {
    if (origin !== 'http://sink') return outcome(200, { reply: event({ id: 'r', type: 'bad' }) })
    sunk.push(sent)
    return outcome(202)
  }
  await broker.accept([event({})])
  await quiet()
  expect(sunk.map((each) => [each.id, each.attribute('knativeerrorcode')])).toEqual([['1', 422]])
})
