// Stored events over HTTP, to browse; no subscription notices.
//
//     GET /events    ?namespace= &broker= &from= &to= &filter=NAME=VALUE... &limit=
//
// From: a person, or a console. Next: the channel's `read`.

import type { FastifyInstance } from 'fastify'
import type { Channel, ReadRange, StoredEvent } from '@sluice/channel'
import type { Controller } from '@sluice/controller'
import { recordBytes } from '@sluice/event'
import { compileAttributes, type Filter } from '@sluice/filter'
import { brokerOf } from './brokers.ts'
import { eventJson, jsonWith } from './event-json.ts'
import { invalidQuery, limitOf, listOf, queryOf, timeOf } from './query.ts'

/** Events of a page that is asked for without a limit, and the most that may be asked for. */
const LIMIT_DEFAULT = 100
const LIMIT_MAX = 1000
/** A page ends with the event that reaches so many bytes. */
const PAGE_BYTES = 8 * 1024 * 1024
/** Events that are read at once, before it is looked at how large they were. */
const READ_AT_ONCE = 16

export function mountEvents(routes: FastifyInstance, controller: Controller): void {
  routes.get('/events', async (request, reply) => {
    const query = queryOf(request, ['namespace', 'broker', 'from', 'to', 'limit'], ['filter'])
    const filters = listOf(request, 'filter')
    const { channel } = brokerOf(controller, query.namespace ?? 'default', query.broker ?? 'default')
    const range = {
      from: placeOf(query.from),
      ...(query.to !== undefined && { to: endOf(query.to) }),
      ...(filters.length > 0 && { filter: attributeFilter(filters) }),
    }
    const { events, isWhole } = await readPage(channel, range, limitOf(query.limit, LIMIT_DEFAULT, LIMIT_MAX))
    const items = events.map(storedJson).join(',')
    const about = isWhole ? {} : { continue: events.at(-1)!.position }
    return reply.type('application/json').send(jsonWith(about, 'items', `[${items}]`))
  })
}

/** Where reading begins: `earliest`, with an RFC 3339 time, or after a position. */
export function placeOf(text: string | undefined): NonNullable<ReadRange['from']> {
  if (text === undefined || text === 'earliest') return 'earliest'
  const time = timeOf(text)
  return time === undefined ? { after: positionOf('from', text) } : { time }
}

/** With it reading ends: a time, or a position. */
function endOf(text: string): NonNullable<ReadRange['to']> {
  const time = timeOf(text)
  return time === undefined ? { position: positionOf('to', text) } : { time }
}

/** What channels give as positions: numbers, or pairs of them. */
function positionOf(name: string, text: string): string {
  if (/^[\w:-]{1,100}$/.test(text) && /\d/.test(text)) return text
  throw invalidQuery(name, `${name} has to be a position, as an answer has them, or an RFC 3339 time.`)
}

/** Of `NAME=VALUE`, which all have to hold; an empty value: any. */
export function attributeFilter(pairs: readonly string[]): Filter {
  const attributes: Record<string, string> = Object.create(null)
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    if (at < 1) throw invalidQuery('filter', `filter has to be NAME=VALUE, such as type=com.example.order.`)
    attributes[pair.slice(0, at)] = pair.slice(at + 1)
  }
  try {
    return compileAttributes({ ...attributes })
  } catch (error) {
    throw invalidQuery('filter', (error as Error).message)
  }
}

/** In pieces: nobody knows before how large events are. */
async function readPage(
  channel: Channel,
  range: ReadRange,
  limit: number,
): Promise<{ events: StoredEvent[]; isWhole: boolean }> {
  const events: StoredEvent[] = []
  let bytes = 0
  while (events.length < limit && bytes < PAGE_BYTES) {
    const last = events.at(-1)
    const more = await channel.read({
      ...range,
      ...(last !== undefined && { from: { after: last.position } }),
      limit: Math.min(READ_AT_ONCE, limit - events.length),
    })
    if (more.length === 0) return { events, isWhole: true }
    for (const stored of more) {
      events.push(stored)
      bytes += recordBytes(stored.event)
    }
  }
  return { events, isWhole: false }
}

function storedJson({ position, time, event }: StoredEvent): string {
  return jsonWith({ position, time: new Date(time).toISOString() }, 'event', eventJson(event))
}
