// Events and their steps as they happen, over HTTP:
//
//     GET /tail    ?namespace= &broker= &trigger= &filter=NAME=VALUE... &from=
//
// A JSON object on each line, or server-sent events where those are asked for (Accept: text/event-stream). It never holds
// the broker up: who reads slowly loses lines, and is told how many.
//
// From: trace.ts, which tells each step in the tick in which it happens. Next: tail-stream.ts, to who reads.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Broker } from '@sluice/broker'
import type { StoredEvent } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { Controller } from '@sluice/controller'
import { SluiceError, type Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import { brokerOf, titleOf } from './brokers.ts'
import { attributesJson, eventJson, jsonWith } from './event-json.ts'
import { attributeFilter, placeOf } from './events.ts'
import { listOf, queryOf } from './query.ts'
import { TailStream } from './tail-stream.ts'
import { stepJson, type Step, type Trace } from './trace.ts'

/** Readers at once; a further one is told to come back. */
const READERS_MAX = 32
/** Data of an event is shown up to so many bytes; of more, only how many. */
const DATA_BYTES_MAX = 4096
/** Stored events that are read at once. */
const HISTORY_AT_ONCE = 64
/** Ids of the latest stored events that were shown, so that they are not shown once more as they are accepted. */
const SEAM_MAX = 10_000

/** Which steps somebody wants. */
interface Wanted {
  readonly namespace: string | undefined
  readonly broker: string | undefined
  readonly trigger: string | undefined
  readonly filter: Filter | undefined
}

/** Returns what ends all of them, at the end of the server. */
export function mountTail(routes: FastifyInstance, controller: Controller, steps: Trace, clock: Clock): () => void {
  const readers = new Set<TailStream>()

  routes.get('/tail', async (request, reply) => {
    const query = queryOf(request, ['namespace', 'broker', 'trigger', 'from'], ['filter'])
    const filters = listOf(request, 'filter')
    const namespace = query.namespace ?? 'default'
    const named = query.broker ?? (query.from === undefined ? undefined : 'default')
    const broker = named === undefined ? undefined : brokerOf(controller, namespace, named)
    const wanted: Wanted = {
      namespace,
      broker: named,
      trigger: query.trigger,
      filter: filters.length > 0 ? attributeFilter(filters) : undefined,
    }
    const from = query.from === undefined ? undefined : placeOf(query.from)
    if (from !== undefined) await broker!.channel.read({ from, limit: 1 }) // refuses before anything is answered
    if (readers.size >= READERS_MAX) throw tooManyReaders()
    void reply.hijack()
    const stream = new TailStream(reply.raw, { clock, isEventStream: asksForEventStream(request) })
    readers.add(stream)
    const shown = new Set<string>()
    const deafen = steps.listen((step, event) => {
      if (!isWanted(step, event, wanted)) return
      if (step.kind === 'accepted' && shown.delete(nameOf(event))) return
      if (stream.hasRoom()) stream.push(lineOf(step, event, wanted.trigger !== undefined))
    })
    stream.closed(() => {
      readers.delete(stream)
      deafen()
    })
    if (from !== undefined) await stream.before(() => showStored(stream, broker!, from, wanted.filter, shown, clock))
  })

  return () => {
    for (const stream of readers) stream.end()
  }
}

function asksForEventStream({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes('text/event-stream') === true
}

function isWanted({ kind, broker, trigger }: Step, event: Event, wanted: Wanted): boolean {
  if (wanted.namespace !== undefined && broker.namespace !== wanted.namespace) return false
  if (wanted.broker !== undefined && titleOf(broker) !== wanted.broker) return false
  if (wanted.trigger === undefined) {
    if (kind === 'matched') return false // which is told before the event is; what follows says as much
  } else if (kind === 'accepted' || kind === 'judged' || trigger?.name !== wanted.trigger) return false
  return wanted.filter === undefined || wanted.filter.matches(event)
}

/** The event is shown where it comes in; of one trigger, where it matches. Else it is only named. */
function lineOf(step: Step, event: Event, isOfTrigger: boolean): string {
  const { broker, trigger, kind } = step
  const { time, ...about } = stepJson(step) as { time: string }
  const line = {
    time,
    namespace: broker.namespace,
    broker: titleOf(broker),
    ...(trigger !== undefined && kind !== 'accepted' && kind !== 'judged' && { trigger: trigger.name }),
    ...about,
  }
  return kind === (isOfTrigger ? 'matched' : 'accepted') ? shownEvent(line, event) : namedEvent(line, event)
}

function shownEvent(line: object, event: Event): string {
  const bytes = event.data?.length ?? 0
  if (bytes <= DATA_BYTES_MAX) return jsonWith(line, 'event', eventJson(event))
  return jsonWith({ ...line, dataBytes: bytes }, 'event', attributesJson(event))
}

function namedEvent(line: object, { id, source, type }: Event): string {
  return JSON.stringify({ ...line, event: { id, source, type } })
}

/** What is stored already, up to now; what comes in meanwhile follows. */
async function showStored(
  stream: TailStream,
  { namespace, name, channel }: Broker,
  from: ReturnType<typeof placeOf>,
  filter: Filter | undefined,
  shown: Set<string>,
  clock: Clock,
): Promise<void> {
  const to = { time: clock.now() }
  let stored: readonly StoredEvent[] = []
  for (let start = from; !stream.isClosed; start = { after: stored.at(-1)!.position }) {
    stored = await channel.read({ from: start, to, limit: HISTORY_AT_ONCE, ...(filter !== undefined && { filter }) })
    if (stored.length === 0) return
    for (const { position, time, event } of stored) {
      const line = { time: new Date(time).toISOString(), namespace, broker: name, step: 'stored', position }
      shown.add(nameOf(event))
      if (shown.size > SEAM_MAX) shown.delete(shown.values().next().value!)
      await stream.write(shownEvent(line, event))
    }
  }
}

function nameOf({ id, source }: Event): string {
  return `${source}\n${id}`
}

function tooManyReaders(): SluiceError {
  return new SluiceError('SLUICE_TAIL_BUSY', `${READERS_MAX} readers follow events already. End one of them.`, {
    status: 503,
    retryable: true,
    retryAfterMs: 1000,
  })
}
