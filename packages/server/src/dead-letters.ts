// Dead letters over HTTP: what is in the boxes of the brokers, and what a person may do with it.
//
//     GET    /dead-letters                  ?namespace= &broker= &trigger= &limit= &continue=
//     GET    /dead-letters/{id}
//     POST   /dead-letters/{id}/redrive
//     POST   /dead-letters/redrive          ?namespace= &trigger=
//     DELETE /dead-letters/{id}
//     DELETE /dead-letters                  ?namespace= &broker= &trigger=, or ?all=true
//
// From: a person, mostly by way of cli/src/dead-letters.ts. Next: broker/src/redriving.ts.

import type { FastifyInstance } from 'fastify'
import type { Broker } from '@sluice/broker'
import type { DeadLetter } from '@sluice/channel'
import type { Controller } from '@sluice/controller'
import { SluiceError } from '@sluice/event'
import { brokerOf, brokersOf, pathOf, titleOf } from './brokers.ts'
import { attributesJson, bytesJson, eventJson, jsonWith } from './event-json.ts'
import { invalidQuery, limitOf, queryOf } from './query.ts'

/** Entries of a page that is asked for without a limit, and the most that may be asked for. */
const LIMIT_DEFAULT = 100
const LIMIT_MAX = 500

interface Params {
  id: string
}

export function mountDeadLetters(routes: FastifyInstance, controller: Controller): void {
  routes.get('/dead-letters', async (request, reply) => {
    const query = queryOf(request, ['namespace', 'broker', 'trigger', 'limit', 'continue'])
    const limit = limitOf(query.limit, LIMIT_DEFAULT, LIMIT_MAX)
    const after = query.continue === undefined ? undefined : idOf(query.continue)
    if (query.continue !== undefined && after === undefined) {
      throw invalidQuery('continue', 'continue has to be what the page before said.')
    }
    const brokers = brokersOf(controller, query)
    const { items, next } = await pageOf(brokers, { ...query, limit, after })
    const usages = brokers.map((broker) => broker.box.usage(triggerOf(broker, query.trigger)))
    const total = usages.reduce((sum, { events }) => sum + events, 0)
    const notOpen = Array.from(controller.waiting(), pathOf)
    const about = { total, ...(next !== undefined && { continue: next }), ...(notOpen.length > 0 && { notOpen }) }
    return reply.type('application/json').send(jsonWith(about, 'items', `[${items.join(',')}]`))
  })

  routes.get<{ Params: Params }>('/dead-letters/:id', async (request, reply) => {
    queryOf(request, [])
    const { broker, id } = findBroker(request.params.id)
    const entry = await broker.box.get(id)
    if (entry === undefined) throw notFound(request.params.id)
    return reply.type('application/json').send(entryJson(broker, entry, eventJson(entry.event)))
  })

  routes.post<{ Params: Params }>('/dead-letters/:id/redrive', async (request, reply) => {
    queryOf(request, [])
    const { broker, id } = findBroker(request.params.id)
    const { entries } = await broker.redrive([id])
    if (entries === 0) throw notFound(request.params.id)
    return reply.code(202).send({ redriving: entries })
  })

  routes.post('/dead-letters/redrive', async (request, reply) => {
    const { namespace, trigger } = queryOf(request, ['namespace', 'trigger'])
    if (namespace === undefined || trigger === undefined) {
      throw invalidQuery('trigger', 'Name the trigger: ?namespace=NAMESPACE&trigger=NAME.')
    }
    let redriving = 0
    for (const broker of brokersOf(controller, { namespace })) {
      const { events } = broker.box.usage(triggerOf(broker, trigger))
      if (events > 0) redriving += (await broker.redrive({ trigger: `${namespace}/${trigger}` })).entries
    }
    return reply.code(202).send({ redriving })
  })

  routes.delete<{ Params: Params }>('/dead-letters/:id', async (request, reply) => {
    queryOf(request, [])
    const { broker, id } = findBroker(request.params.id)
    const purged = await broker.purge([id])
    if (purged === 0) throw notFound(request.params.id)
    return reply.send({ purged })
  })

  routes.delete('/dead-letters', async (request, reply) => {
    const { all, ...query } = queryOf(request, ['namespace', 'broker', 'trigger', 'all'])
    if (Object.keys(query).length === 0 && all !== 'true') {
      throw invalidQuery('all', 'Say which: by ?namespace=, &broker= and &trigger=, or every one by ?all=true.')
    }
    let purged = 0
    for (const broker of brokersOf(controller, query)) {
      const trigger = triggerOf(broker, query.trigger)
      purged += await broker.purge(trigger === undefined ? 'all' : { trigger })
    }
    return reply.send({ purged })
  })

  function findBroker(text: string): { broker: Broker; id: string } {
    const id = idOf(text)
    if (id === undefined) throw notFound(text)
    return { broker: brokerOf(controller, id.namespace, id.broker), id: id.id }
  }
}

// --- Names ---

/** Of an entry, over all brokers: `namespace.broker.id`. A namespace has no dot, nor has the id that a box gives. */
interface DeadLetterId {
  readonly namespace: string
  readonly broker: string
  readonly id: string
}

function idOf(text: string): DeadLetterId | undefined {
  const [, namespace, broker, id] = /^([^.]+)\.(.+)\.([^.]+)$/.exec(text) ?? []
  if (namespace === undefined || broker === undefined || id === undefined) return undefined
  return { namespace, broker, id }
}

function idText(broker: Broker, id: string): string {
  return `${broker.namespace}.${titleOf(broker)}.${id}`
}

/** As a box knows the triggers of its broker. */
function triggerOf({ namespace }: Broker, name: string | undefined): string | undefined {
  return name === undefined ? undefined : `${namespace}/${name}`
}

function notFound(id: string): SluiceError {
  return new SluiceError(
    'SLUICE_DEAD_LETTER_NOT_FOUND',
    `There is no dead letter ${id.slice(0, 200)}. It was delivered or purged, or never there; the list has those that are.`,
    { status: 404, subject: id.slice(0, 200) },
  )
}

// --- Pages ---

interface PageOptions {
  readonly trigger?: string
  readonly limit: number
  /** Begins after this one, which need not be there any more. */
  readonly after: DeadLetterId | undefined
}

/** The oldest first, broker by broker. `next`: the last one, where more follow. */
async function pageOf(
  brokers: readonly Broker[],
  { trigger, limit, after }: PageOptions,
): Promise<{ items: string[]; next: string | undefined }> {
  const items: string[] = []
  let next: string | undefined
  const from = after && `${after.namespace}/${after.broker}`
  for (const broker of brokers) {
    if (from !== undefined && pathOf(broker) < from) continue
    const of = triggerOf(broker, trigger)
    let last = pathOf(broker) === from ? after?.id : undefined
    for (;;) {
      const entries = await broker.box.list({
        limit: limit + 1 - items.length, // one more tells whether there are more
        ...(of !== undefined && { trigger: of }),
        ...(last !== undefined && { after: last }),
      })
      if (entries.length === 0) break
      for (const entry of entries) {
        if (items.length === limit) return { items, next }
        items.push(entryJson(broker, entry, attributesJson(entry.event)))
        next = idText(broker, entry.id)
        last = entry.id
      }
    }
  }
  return { items, next: undefined }
}

/** An entry, with this as its event. */
function entryJson(broker: Broker, entry: DeadLetter, event: string): string {
  const { time, trigger, reason, attempts, code, error, response } = entry
  const about = {
    id: idText(broker, entry.id),
    namespace: broker.namespace,
    broker: titleOf(broker),
    trigger: trigger.slice(trigger.indexOf('/') + 1),
    time: new Date(time).toISOString(),
    reason,
    attempts,
    code,
    error,
    ...(response !== undefined && { response: bytesJson(response) }),
    dataBytes: entry.event.data?.length ?? 0,
  }
  return jsonWith(about, 'event', event)
}
