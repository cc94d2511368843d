// Publishing in lanes: what goes together, what waits, and what ends a wait.

import { manualClock } from '@sluice/clock'
import { newEvent, SluiceError, type Event } from '@sluice/event'
import { expect, test } from 'vitest'
import { channelUnavailable, Lanes, PUBLISH_MS, type LanesParts, type Waiting } from '../src/index.ts'

const INGRESS = { lane: 'ingress' } as const

/** Lanes by the event's subject, and a server that answers when it is told to. */
function open(parts: Partial<LanesParts<string>> = {}) {
  const clock = manualClock()
  const sent: { ids: string[]; answer: () => void }[] = []
  const lanes = new Lanes<string>({
    server: 'The server',
    lanes: 2,
    batchMax: { events: 100, bytes: 1e6 },
    together: false,
    clock,
    trouble: () => undefined,
    troubled: (why) => channelUnavailable(why, 1000),
    place: (event) => ({ lane: event.text('subject') === 'b' ? 1 : 0, message: event.id, bytes: 100 }),
    send: (batches) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const all: Waiting<string>[] = batches.flat()
      const answer = (): void => {
        for (const waiting of all) lanes.answer(waiting, { stored: true, position: waiting.message })
        resolve()
      }
      sent.push({ ids: all.map(({ message }) => message), answer })
      return promise
    },
    ...parts,
  })
  return { lanes, clock, sent }
}

function event(id: string, subject = 'a'): Event {
  return newEvent({ id, source: '/s', type: 't', subject })
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

test('a lane has one batch under way; what gathers meanwhile is the next one, and another lane does not wait', async () => {
  const { lanes, sent } = open()
  const first = lanes.publish([event('1')], INGRESS)
  await turn()
  void lanes.publish([event('2')], INGRESS)
  void lanes.publish([event('3'), event('4', 'b')], INGRESS)
  await turn()
  expect(sent.map(({ ids }) => ids)).toEqual([['1'], ['4']])
  sent[0]!.answer()
  expect(await first).toEqual([{ stored: true, position: '1' }])
  await turn()
  expect(sent.map(({ ids }) => ids)).toEqual([['1'], ['4'], ['2', '3']])
})

test('where lanes go together, what gathered in several is sent at once', async () => {
  const { lanes, sent } = open({ together: true })
  void lanes.publish([event('1'), event('2', 'b')], INGRESS)
  await turn()
  expect(sent.map(({ ids }) => ids)).toEqual([['1', '2']])
})

test('a batch has its bounds, one that is larger goes alone, and groups are never mixed', async () => {
  const place: LanesParts<string>['place'] = ({ id }) => ({
    lane: 0,
    message: id,
    bytes: id === 'large' ? 500 : 100,
    group: id.startsWith('x') ? 'x' : '',
  })
  const { lanes, sent } = open({ place, batchMax: { events: 2, bytes: 250 } })
  const ids = ['1', '2', '3', 'large', 'x1', '4']
  void lanes.publish(
    ids.map((id) => event(id)),
    INGRESS,
  )
  for (let batches = 1; batches <= 5; batches++) {
    await turn()
    expect(sent).toHaveLength(batches)
    sent.at(-1)!.answer()
  }
  expect(sent.map((each) => each.ids)).toEqual([['1', '2'], ['3'], ['large'], ['x1'], ['4']])
})

test('a server that does not answer in time is 503, and what nobody waits for any more is not sent', async () => {
  const { lanes, clock, sent } = open()
  const late = lanes.publish([event('1')], INGRESS)
  await turn()
  const behind = lanes.publish([event('2')], INGRESS)
  clock.advance(PUBLISH_MS)
  for (const results of [await late, await behind]) {
    expect(results).toMatchObject([{ stored: false, error: { status: 503, message: 'it has not answered for 5 s' } }])
  }
  sent[0]!.answer()
  await turn()
  expect(sent).toHaveLength(1)
})

test('so much may be under way and no more: 503, and room again once the server has answered', async () => {
  const { lanes, sent } = open({ batchMax: { events: 100_000, bytes: 1e9 } })
  const many = Array.from({ length: 16_385 }, (_, i) => event(String(i)))
  const results = lanes.publish(many, INGRESS)
  await turn()
  expect(sent[0]!.ids).toHaveLength(16_384)
  expect(await lanes.publish([event('more')], INGRESS)).toMatchObject([
    {
      stored: false,
      error: { code: 'SLUICE_CHANNEL_UNAVAILABLE', message: expect.stringContaining('The server is slow') },
    },
  ])
  sent[0]!.answer()
  expect((await results).at(-1)).toMatchObject({ stored: false })
  await turn()
  void lanes.publish([event('again')], INGRESS)
  await turn()
  expect(sent.at(-1)!.ids).toEqual(['again'])
})

test('what can not be placed, and what comes after a close, is refused by itself', async () => {
  const refusal = new SluiceError('SLUICE_EVENT_TOO_LARGE', 'too large', { status: 413 })
  const place: LanesParts<string>['place'] = ({ id }) => (id === 'large' ? refusal : { lane: 0, message: id, bytes: 1 })
  const { lanes, sent } = open({ place })
  const results = lanes.publish([event('1'), event('large'), event('2')], INGRESS)
  await turn()
  sent[0]!.answer()
  expect((await results).map(({ stored }) => stored)).toEqual([true, false, true])
  lanes.close()
  expect(await lanes.publish([event('3')], INGRESS)).toMatchObject([{ stored: false, error: { status: 503 } }])
})

test('a publisher that gives up has its answer at once', async () => {
  const { lanes } = open()
  const controller = new AbortController()
  const results = lanes.publish([event('1')], { ...INGRESS, signal: controller.signal })
  controller.abort()
  expect(await results).toMatchObject([{ stored: false, error: { status: 503 } }])
})
