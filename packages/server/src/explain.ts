// Why an event reaches a trigger, or does not, over HTTP; and what became of an event that was stored.
//
//     POST /explain    ?namespace= &broker= &trigger=        with the event as JSON (application/cloudevents+json)
//     GET  /explain    ?namespace= &broker= &trigger= &id= &source=
//
// From: a person, mostly by way of cli/src/explain.ts. Next: filter/src/explain.ts judges; trace.ts knows the steps.

import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Broker } from '@sluice/broker'
import type { Controller } from '@sluice/controller'
import { decodeStructured, SluiceError, type Event } from '@sluice/event'
import { compileAttributes, compileTrigger, explain } from '@sluice/filter'
import { isTrigger, type Trigger } from '@sluice/resource'
import type { StoredEvent } from '@sluice/channel'
import { brokerOf } from './brokers.ts'
import { eventJson, jsonWith } from './event-json.ts'
import { invalidQuery, queryOf } from './query.ts'
import { STEPS_MAX, stepJson, type Step, type Trace } from './trace.ts'

/** Triggers judged before others on the event loop have their turn. */
const AT_ONCE = 200
/** A step is noted after its event was stored, by so many ms at most: a disk may be slow. */
const STORED_BEFORE_MS = 60_000

export function mountExplain(
  routes: FastifyInstance,
  controller: Controller,
  steps: Trace | undefined,
  eventBytesMax: number,
): void {
  for (const type of ['application/cloudevents+json', 'application/json']) {
    routes.addContentTypeParser(
      type,
      { parseAs: 'buffer', bodyLimit: eventBytesMax },
      (_request: unknown, body: unknown, done: (error: null, body: unknown) => void) => done(null, body),
    )
  }

  routes.post('/explain', async (request, reply) => {
    const { namespace = 'default', broker, trigger } = queryOf(request, ['namespace', 'broker', 'trigger'])
    if (!Buffer.isBuffer(request.body)) {
      throw new SluiceError('SLUICE_EVENT_MISSING', EVENT_MISSING, { status: 415, subject: 'content-type' })
    }
    const event = decodeStructured(request.body, { maxEventBytes: eventBytesMax })
    const { path, triggers } = chosen(namespace, broker, trigger)
    return send(reply, { broker: path }, event, await judged(triggers, event, trigger !== undefined))
  })

  routes.get('/explain', async (request, reply) => {
    const query = queryOf(request, ['namespace', 'broker', 'trigger', 'id', 'source'])
    const { namespace = 'default', id, source, trigger: name } = query
    if (id === undefined) throw invalidQuery('id', 'Name the event by its id, or POST one.')
    const { path, triggers } = chosen(namespace, query.broker, name)
    const broker = brokerOf(controller, namespace, path.slice(path.indexOf('/') + 1))
    const all = steps?.stepsOf(broker, id, source) ?? []
    const last = all.at(-1)?.source // of several with this id, the one that something happened to last
    const known = all.filter((step) => step.source === last)
    const stored = await findStored(broker, id, source ?? last, known[0])
    if (stored === undefined && known.length === 0) throw notFound(id, broker)
    const others = [...new Set(all.map((step) => step.source))].filter((each) => each !== last)
    const about = {
      broker: path,
      id,
      source: stored?.event.source ?? last,
      ...(others.length > 0 && { otherSources: others }),
      ...(stored !== undefined && { position: stored.position, stored: new Date(stored.time).toISOString() }),
      accepted: known.filter(({ kind }) => kind === 'accepted').map(stepJson),
      judged: known.filter(({ kind }) => kind === 'judged').map(stepJson),
      ...(known.length === 0 && { forgotten: FORGOTTEN }),
    }
    const verdicts = await judged(triggers, stored?.event, name !== undefined)
    for (const verdict of verdicts) Object.assign(verdict, becameOf(known, verdict.trigger))
    return send(reply, about, stored?.event, verdicts)
  })

  function chosen(
    namespace: string,
    broker: string | undefined,
    name: string | undefined,
  ): { path: string; triggers: Trigger[] } {
    const all = controller.list({ group: 'eventing.knative.dev', kind: 'Trigger' }).filter(isTrigger)
    const inNamespace = all.filter(({ metadata }) => metadata.namespace === namespace)
    if (name === undefined) {
      brokerOf(controller, namespace, broker ?? 'default')
      const of = broker ?? 'default'
      return { path: `${namespace}/${of}`, triggers: inNamespace.filter(({ spec }) => spec.broker === of) }
    }
    const trigger = inNamespace.find(({ metadata }) => metadata.name === name)
    if (trigger !== undefined) return { path: `${namespace}/${trigger.spec.broker}`, triggers: [trigger] }
    const message = `There is no Trigger ${name.slice(0, 253)} in namespace ${namespace.slice(0, 63)}.`
    throw new SluiceError('SLUICE_TRIGGER_NOT_FOUND', message, { status: 404, subject: name.slice(0, 253) })
  }
}

const EVENT_MISSING =
  'Send the event as a JSON object with its attributes as members, Content-Type: application/cloudevents+json.'
const FORGOTTEN = `What each trigger did with it is not known any more: the last ${STEPS_MAX} steps of events are kept, and none of an earlier process.`

function notFound(id: string, broker: Broker): SluiceError {
  const isKept = broker.channel.capabilities.browse
  const message =
    `Broker ${broker.namespace}/${broker.name} knows no event with the id ${JSON.stringify(id.slice(0, 100))}: ` +
    `${isKept ? 'it is not stored, or not any more' : 'its channel keeps no history'}, and it is not among the last steps.`
  return new SluiceError('SLUICE_EVENT_NOT_FOUND', message, { status: 404, subject: 'id' })
}

// --- The event that is stored ---

async function findStored(
  { channel }: Broker,
  id: string,
  source: string | undefined,
  first: Step | undefined,
): Promise<StoredEvent | undefined> {
  if (!channel.capabilities.browse) return undefined
  const filter = compileAttributes({ id, ...(source !== undefined && { source }) })
  const since = first === undefined ? 'earliest' : { time: first.time - STORED_BEFORE_MS }
  const [stored] = await channel.read({ from: since, filter, limit: 1 })
  return stored
}

// --- Verdicts ---

/** Of one trigger. */
interface Verdict {
  readonly trigger: string
  /** By its filter of now; absent where the event is not known. */
  readonly matches?: boolean
  /** Why not. */
  readonly reason?: string
  /** Of one trigger that was asked for: each clause of its filter. */
  readonly filter?: object
}

async function judged(triggers: readonly Trigger[], event: Event | undefined, isWhole: boolean): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const { metadata, spec } of triggers) {
    const trigger = metadata.name
    if (event === undefined) verdicts.push({ trigger })
    else {
      const { matches, reason, clause } = explain(compileTrigger(spec), event)
      verdicts.push({
        trigger,
        matches,
        ...(reason !== undefined && { reason }),
        ...(isWhole && { filter: clause }),
      })
    }
    if (verdicts.length % AT_ONCE === 0) await setImmediate()
  }
  return verdicts
}

/** What one trigger did with it. */
function becameOf(known: readonly Step[], trigger: string): object {
  const its = known.filter(({ kind, trigger: of }) => kind !== 'accepted' && kind !== 'judged' && of?.name === trigger)
  if (its.length === 0) return {}
  return { outcome: outcomeOf(its.at(-1)!), steps: its.map(stepJson) }
}

function outcomeOf({ kind, at, detail }: Step): string {
  switch (kind) {
    case 'attempted':
      return detail !== '' ? 'under way' : at === 'sink' ? 'dead-lettered to its sink' : 'delivered'
    case 'deadLettered':
      return at === 'box' ? 'in the dead-letter box' : 'dead-lettered to its sink'
    case 'parked':
      return 'waits for its next try'
    default:
      return 'under way'
  }
}

/** With the event's JSON as it is. */
function send(
  reply: FastifyReply,
  about: object,
  event: Event | undefined,
  triggers: readonly Verdict[],
): FastifyReply {
  const answer = { ...about, triggers }
  return event === undefined
    ? reply.send(answer)
    : reply.type('application/json').send(jsonWith(answer, 'event', eventJson(event)))
}
