// Reading the stream without a consumer: one stored message after the other.
//
// From: channel.ts, for who browses and for parked events that are due. Next: the server's direct get.

import type { ReadRange, StoredEvent } from '@sluice/channel'
import type { Event } from '@sluice/event'
import { ApiError, type Connection, type Message } from './connection.ts'

/** The stored message of that sequence; `undefined`: there is none. */
export function storedAt(connection: Connection, stream: string, seq: number): Promise<Message | undefined> {
  return get(connection, stream, { seq })
}

async function get(connection: Connection, stream: string, what: object): Promise<Message | undefined> {
  const message = await connection.request(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(what))
  if (message.status === 404) return undefined
  if (message.status !== 0) throw new ApiError(message.status, message.description)
  return message
}

/** As `Channel.read`. */
export async function readStream(
  connection: Connection,
  stream: string,
  { from = 'earliest', to, filter, limit = 100 }: ReadRange,
  decode: (message: Message) => Event,
): Promise<StoredEvent[]> {
  const found: StoredEvent[] = []
  let next: object =
    from === 'earliest'
      ? { seq: 1 }
      : 'time' in from
        ? { start_time: new Date(from.time).toISOString() }
        : { seq: Number(from.after) + 1 }
  while (found.length < limit) {
    const message = await get(connection, stream, { ...next, next_by_subj: '>' })
    if (message === undefined) break
    const { seq, time } = placeOf(message)
    if (to !== undefined && ('time' in to ? time > to.time : seq > Number(to.position))) break
    next = { seq: seq + 1 }
    const event = eventOf(message, decode)
    if (event !== undefined && (filter === undefined || filter.matches(event))) {
      found.push({ position: String(seq), time, event })
    }
  }
  return found
}

/** `undefined`: somebody has put something there that is no event. */
function eventOf(message: Message, decode: (message: Message) => Event): Event | undefined {
  try {
    return decode(message)
  } catch {
    return undefined
  }
}

function placeOf(message: Message): { seq: number; time: number } {
  const headers = message.headers()
  const valueOf = (name: string): string => headers[headers.indexOf(name) + 1] ?? ''
  return { seq: Number(valueOf('Nats-Sequence')), time: Date.parse(valueOf('Nats-Time-Stamp')) }
}
