// Random graphs of triggers beside a model of them, as in Knative's own "random delivery graphs": who gets how much.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batch, broker, eventJson, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { sluiceHere, type Here } from '../support/here.ts'
import { readMetric } from '../support/ops.ts'
import { ceHeaders, header, subscriber, type Answer, type Received } from '../support/subscriber.ts'

/** Types are numbers; a reply has a higher one than what it replies to, so that every chain ends. */
const TYPES = 5

interface Node {
  /** What it filters for. */
  readonly type: number
  readonly does: 'take' | 'reply' | 'fail' | 'failOnce'
  /** How much higher the type of a reply is. */
  readonly step: number
}

const graphs = fc.record({
  nodes: fc.array(
    fc.record({
      type: fc.nat(TYPES - 1),
      does: fc.constantFrom<Node['does'][]>('take', 'reply', 'reply', 'fail', 'failOnce'),
      step: fc.integer({ min: 1, max: 2 }),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  events: fc.array(fc.nat(TYPES - 1), { minLength: 1, maxLength: 6 }),
})

/** Requests at each subscriber, and dead letters of each trigger. */
interface Traffic {
  readonly requests: number[]
  readonly dead: number[]
}

function model(nodes: readonly Node[], events: readonly number[]): Traffic {
  const perType = Array<number>(TYPES + 2).fill(0)
  for (const type of events) perType[type]!++
  const requests = nodes.map(() => 0)
  const dead = nodes.map(() => 0)
  for (let type = 0; type < TYPES; type++) {
    nodes.forEach((node, n) => {
      if (node.type !== type) return
      const matched = perType[type]!
      requests[n] = node.does === 'failOnce' ? 2 * matched : matched
      if (node.does === 'reply') perType[type + node.step]! += matched
      if (node.does === 'fail') dead[n] = matched
    })
  }
  return { requests, dead }
}

async function real(nodes: readonly Node[], events: readonly number[]): Promise<Traffic> {
  const seen = new Set<string>()
  const taker = await subscriber((request) => behave(nodes, request, seen))
  const sink = await subscriber()
  const delivery = `delivery: {retry: 1, backoffDelay: PT1S, timeout: PT24H, deadLetterSink: {uri: "${sink.url}"}}`
  const triggers = nodes.map(({ type }, n) =>
    trigger(`n${n}`, `${taker.url}${n}`, [`filters: [{exact: {type: "${type}"}}]`, delivery]),
  )
  const here = await sluiceHere(broker() + triggers.join(''))
  const message = batch(...events.map((type, n) => eventJson({ id: `e${n}`, type: String(type) })))
  expect((await exchange(here.broker, message)).status).toBe(202)
  await drain(here)
  const count = (all: readonly Received[], belongs: (each: Received, n: number) => boolean): number[] =>
    nodes.map((_, n) => all.filter((each) => belongs(each, n)).length)
  return {
    requests: count(taker.all, ({ path }, n) => path === `/${n}`),
    dead: count(sink.all, (each, n) => header(each, 'ce-sluicetrigger') === `default/n${n}`),
  }
}

function behave(nodes: readonly Node[], request: Received, seen: Set<string>): Answer {
  const { id, type } = ceHeaders(request)
  const { does, step } = nodes[Number(request.path.slice(1))]!
  const key = `${request.path} ${id}`
  const first = !seen.has(key)
  seen.add(key)
  if (does === 'take') return 202
  if (does === 'fail') return 400
  if (does === 'failOnce') return first ? 500 : 200
  const reply = { id: `${id}.${request.path.slice(1)}`, source: '/r', type: String(Number(type) + step) }
  return { status: 200, headers: ['content-type', 'application/cloudevents+json'], body: eventJson(reply) }
}

/** Lets time pass until nothing is left. */
async function drain(here: Here): Promise<void> {
  while ((await readMetric(here.api, 'sluice_subscription_lag_events')) > 0) here.clock.advance(1000)
}

test('every trigger of any graph gets what a model of it says, retries, replies and dead letters counted', async () => {
  await fc.assert(
    fc.asyncProperty(graphs, async ({ nodes, events }) => {
      expect(await real(nodes, events)).toEqual(model(nodes, events))
    }),
    { numRuns: 25 },
  )
})
