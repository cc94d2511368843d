// The suite on a source that lives in this test only, and on ones that break a promise.

import { expect, test } from 'vitest'
import { SourceRequest, type SourceDriver } from '@sluice/source'
import { clauses, sourceConformance, type ConformanceSource } from '@sluice/source/conformance'

/** Takes a number by POST; the same number twice is one event. */
const counter: SourceDriver = {
  kinds: [{ apiVersion: 'sources.example.com/v1', kind: 'CounterSource', schema: { type: 'object' } }],
  async open({ emit, newEvent, checkpoint, secret }) {
    const seen = new Set(((await checkpoint.load()) ?? '').toString().split('\n'))
    const underWay = new Set<Promise<void>>()
    let isStopped = false
    return {
      status: () => ({ fields: { seen: seen.size } }),
      async stop() {
        isStopped = true
        await Promise.all(underWay)
      },
      http: {
        bytesMax: 100,
        async handle({ body }) {
          const id = body.toString()
          if (isStopped) return { status: 503 }
          secret({ name: 'counter', key: 'key' })
          if (seen.has(id)) return { status: 200 }
          const stored = emit([newEvent({ id, type: 'count', source: '/counter' })])
          const ended = stored.catch(() => {})
          underWay.add(ended)
          await stored.finally(() => underWay.delete(ended))
          seen.add(id)
          await checkpoint.append(Buffer.from(`${id}\n`))
          return { status: 202 }
        },
      },
    }
  },
}

const given: ConformanceSource = {
  name: 'counter',
  driver: counter,
  spec: {},
  secrets: { 'counter/key': 'canary-4711' },
  happen: ({ url, n }) => new SourceRequest('POST', url, [], Buffer.from(String(n))),
}

sourceConformance(given)

/** What clause says of a source that is `counter` but for this. */
function broken(change: (driver: SourceDriver) => SourceDriver): ConformanceSource {
  return { ...given, driver: change(counter) }
}

test.each<[string, RegExp, ConformanceSource]>([
  [
    'answers before the event is stored',
    /has its answer once/,
    broken((driver) => ({
      ...driver,
      async open(context) {
        return driver.open({ ...context, emit: async (events) => void context.emit(events) })
      },
    })),
  ],
  [
    'makes an id of its own each time',
    /same id in every process/,
    broken((driver) => ({
      ...driver,
      open: (context) =>
        driver.open({
          ...context,
          emit: (events) => context.emit(events.map((each) => each.with({ id: String(Math.random()) }))),
        }),
    })),
  ],
  [
    'forgets what it has stored',
    /not emitted again by the next process/,
    broken((driver) => ({
      ...driver,
      open: (context) =>
        driver.open({ ...context, checkpoint: { ...context.checkpoint, load: async () => undefined } }),
    })),
  ],
  [
    'shows its secret',
    /no secret stands/,
    broken((driver) => ({
      ...driver,
      async open(context) {
        const source = await driver.open(context)
        const key = context.secret({ name: 'counter', key: 'key' }).toString()
        return { ...source, status: () => ({ fields: { key } }) }
      },
    })),
  ],
  [
    'goes on after its end',
    /nothing any more once it has stopped/,
    broken((driver) => ({
      ...driver,
      async open(context) {
        const source = await driver.open(context)
        return { ...source, stop: async () => {} }
      },
    })),
  ],
])('the suite catches a source that %s', async (_, clause, source) => {
  const { run } = clauses.find(({ name }) => clause.test(name))!
  await expect(run(source)).rejects.toThrow()
})
