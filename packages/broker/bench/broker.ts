// What the broker itself costs per event: accept, store, match, attempt, settle, with a network that answers at once.
// `pnpm exec node packages/broker/bench/broker.ts`

import { memoryChannel } from '@sluice/channel-memory'
import { systemClock } from '@sluice/clock'
import { DEFAULT_POLICY, target, type Outcome } from '@sluice/delivery'
import { Event } from '@sluice/event'
import { compileTrigger } from '@sluice/filter'
import { memoryBox, NO_OBSERVER, openBroker } from '@sluice/broker'

const EVENTS = 200_000
const AT_ONCE = 64

const delivered: Outcome = {
  verdict: 'delivered',
  status: 200,
  reply: undefined,
  error: '',
  response: undefined,
  retryAfterMs: 0,
  pressure: false,
  durationMs: 0,
}

for (const triggers of [1, 10]) {
  const broker = openBroker({
    namespace: 'default',
    name: 'bench',
    channel: memoryChannel(),
    box: memoryBox({ clock: systemClock }),
    deliverer: { send: (_request, done) => queueMicrotask(() => done(delivered)) },
    observer: NO_OBSERVER,
    clock: systemClock,
  })
  for (let i = 0; i < triggers; i++) {
    await broker.setTrigger({
      id: `uid-${i}`,
      namespace: 'default',
      name: `trigger-${i}`,
      filter: compileTrigger({}),
      route: {
        subscriber: target('http://127.0.0.1:9/'),
        deadLetterSink: undefined,
        policy: DEFAULT_POLICY,
        concurrency: 256,
      },
      order: 'none',
      window: { events: 256, bytes: 16 * 1024 * 1024 },
      paused: false,
      start: 'latest',
    })
  }
  const data = Buffer.alloc(1024)
  for (const round of ['warm-up', 'measured']) {
    const before = performance.now()
    for (let sent = 0; sent < EVENTS / triggers; sent += AT_ONCE) {
      const accepted = Array.from({ length: AT_ONCE }, (_, i) => broker.accept([eventOf(sent + i, data)]))
      await Promise.all(accepted)
    }
    const micros = ((performance.now() - before) * 1000) / EVENTS
    if (round === 'measured') process.stdout.write(`${triggers} triggers: ${micros.toFixed(2)} µs a delivery\n`)
  }
}

function eventOf(id: number, data: Buffer): Event {
  const attributes = new Map([
    ['specversion', '1.0'],
    ['id', String(id)],
    ['source', '/bench'],
    ['type', 'order'],
  ])
  return new Event(attributes, data)
}
