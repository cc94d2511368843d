// What is logged of where Brokers keep their events: one line for what an open has found, a warning for what is lost.

import { expect, test } from 'vitest'
import { storageLog } from '@sluice/server'

const SHOP = { kind: 'Broker', namespace: 'default', name: 'shop' }
const NOTHING = {
  events: 0,
  toDeliver: { events: 0, bound: 'exact' as const },
  deadLetters: 0,
  tornBytes: 0,
  isRewound: false,
  problems: [],
}

function logged(): { storage: ReturnType<typeof storageLog>; lines: [level: string, fields: object, text: string][] } {
  const lines: [string, object, string][] = []
  const at =
    (level: string) =>
    (fields: object, text: string): void =>
      void lines.push([level, fields, text])
  return { storage: storageLog({ info: at('info'), warn: at('warn'), error: at('error') }), lines }
}

test('a log that was left in good order is one line', () => {
  const { storage, lines } = logged()
  storage.recovered(SHOP, { ...NOTHING, events: 12, toDeliver: { events: 5, bound: 'exact' }, deadLetters: 3 })
  expect(lines).toEqual([
    ['info', { broker: 'default/shop', stored: 12, toDeliver: 5, deadLetters: 3 }, 'opened the log that was there'],
  ])
})

test('what never became durable is told in that line, by its bytes', () => {
  const { storage, lines } = logged()
  storage.recovered(SHOP, { ...NOTHING, tornBytes: 313 })
  expect(lines).toEqual([
    ['info', { broker: 'default/shop', stored: 0, toDeliver: 0, tornBytes: 313 }, 'opened the log that was there'],
  ])
})

test('how much is left to deliver may be known only as a bound, and then the line says so', () => {
  const { storage, lines } = logged()
  storage.recovered(SHOP, { ...NOTHING, events: 12, toDeliver: { events: 9, bound: 'atMost' } })
  expect(lines[0]![1]).toEqual({ broker: 'default/shop', stored: 12, toDeliverAtMost: 9 })
})

test('each damage is a warning with its place, and whether events are lost by it (fault 14, fault 15, fault 16)', () => {
  const { storage, lines } = logged()
  const problems = [
    { path: 'a/1.seg', what: 'damaged from byte 8 to 16', events: 3, lost: [2, 4] as const },
    { path: 'a/2.seg', what: 'named 2, but it is segment 3; read as that', events: 0, lost: [1, 0] as const },
  ]
  storage.recovered(SHOP, { ...NOTHING, isRewound: true, problems })
  expect(lines).toEqual([
    ['info', { broker: 'default/shop', stored: 0, toDeliver: 0, problems: 2 }, 'opened the log that was there'],
    [
      'warn',
      { broker: 'default/shop', path: 'a/1.seg', what: 'damaged from byte 8 to 16', events: 3 },
      "stored events can't be read any more; what follows them is delivered",
    ],
    [
      'warn',
      { broker: 'default/shop', path: 'a/2.seg', what: 'named 2, but it is segment 3; read as that' },
      'the log was damaged; no event is lost by it',
    ],
    ['warn', { broker: 'default/shop' }, 'progress was missing or damaged; some events are delivered again'],
  ])
})

test('data in the trash is told with where it is and until when; a log that nobody reads, with what to do', () => {
  const { storage, lines } = logged()
  storage.discarded({ of: 'Broker', broker: 'default/shop', folder: 'd/trash/1', untilMs: Date.UTC(2026, 0, 2) })
  storage.unread(SHOP, 'd/brokers/1')
  expect(lines).toEqual([
    [
      'warn',
      { broker: 'default/shop', folder: 'd/trash/1', until: '2026-01-02T00:00:00.000Z' },
      'Broker deleted; its data waits in the trash',
    ],
    [
      'warn',
      { broker: 'default/shop', folder: 'd/brokers/1' },
      'the Broker has no log now; what is in the one it had is not delivered until it has',
    ],
  ])
})

test('a disk that fails, a channel that does not work and works again, and damage that shows itself later', () => {
  const { storage, lines } = logged()
  const broker = 'default/shop'
  storage.retrying(SHOP, 'd/1.seg: the disk failed (EIO).')
  storage.degraded(SHOP, 'd: the disk is full.')
  storage.degraded(SHOP, undefined)
  storage.damaged(SHOP, { path: 'd/1.seg', what: 'damaged from byte 8 to 16', events: 1, lost: [2, 2] })
  expect(lines).toEqual([
    [
      'warn',
      { broker, what: 'd/1.seg: the disk failed (EIO).' },
      'the disk failed; what it was to store goes into a new file',
    ],
    ['warn', { broker, why: 'd: the disk is full.' }, 'the channel does not work as it should'],
    ['info', { broker }, 'the channel works again'],
    [
      'warn',
      { broker, path: 'd/1.seg', what: 'damaged from byte 8 to 16', events: 1 },
      "stored events can't be read any more; what follows them is delivered",
    ],
  ])
})
