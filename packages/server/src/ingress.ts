// A request becomes an event, or a reason why not. Hot path (bench: test/bench, G1): plain node:http, ahead of Fastify.
//
// From: a sender. Next: broker/src/broker.ts, whose `accept` resolves once the event is stored: only then 202.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Broker } from '@sluice/broker'
import { WEBHOOKS_WELCOME, type Entrance } from '@sluice/controller'
import { SluiceError, decodeHttp, type DecodeLimits, type Event } from '@sluice/event'
import { answer, answerError, answerStored } from './answer.ts'
import { announcedBytes, checkHead, readBody, type Reading } from './body.ts'
import type { ServerLimits } from './limits.ts'
import { requireRoom } from './room.ts'

/** Finds where the events of a path come in, or throws a SluiceError: 404 for none, 503 while starting or stopping. */
export type FindEntrance = (of: EventPath) => Entrance

/** Answers a request to a Broker's or a Channel's path; returns false, having done nothing, for any other. */
export type Ingress = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => boolean

/** Told of every event that a broker's path did not let in, with the status of the answer. */
export type Refused = (broker: Broker, status: number) => void

export function ingress(find: FindEntrance, limits: ServerLimits, reading: Reading, refused: Refused): Ingress {
  const decodeLimits: Partial<DecodeLimits> = { maxEventBytes: limits.eventBytesMax }

  return (request, response, expectsContinue) => {
    const path = eventPath(request.url as string, request.headers.host)
    if (path === undefined) return false
    if (request.method !== 'POST') {
      answerOther(find, path, request, response)
      return true
    }
    let broker: Broker | undefined
    try {
      const entrance = find(path)
      broker = entrance.broker
      entrance.gate?.admit(request.headers, request.url as string)
      if (broker === undefined) throw entrance.unavailable()
      checkHead(request, limits)
      const bytesMax = bodyBytesMax(request, limits)
      requireRoom(broker, announcedBytes(request, bytesMax, SETTING), path)
      if (expectsContinue) response.writeContinue()
      read(broker, request, response, bytesMax)
    } catch (error) {
      if (expectsContinue) response.shouldKeepAlive = false // nobody knows whether its body will come now
      refuse(broker, expectsContinue ? undefined : request, response, error)
    }
    return true
  }

  function read(broker: Broker, request: IncomingMessage, response: ServerResponse, bytesMax: number): void {
    readBody(request, { bytesMax, setting: SETTING, pieceBytesMin: limits.pieceBytesMin }, reading, {
      done: (body) => accept(broker, request, response, body),
      refused: (error) => refuse(broker, request, response, error),
    })
  }

  function accept(broker: Broker, request: IncomingMessage, response: ServerResponse, body: Buffer | undefined): void {
    let events: Event[]
    try {
      events = decodeHttp(request.rawHeaders, body, decodeLimits)
    } catch (error) {
      return refuse(broker, request, response, error)
    }
    broker.accept(events).then(
      () => answerStored(response),
      (error: unknown) => answerError(response, error), // the broker has told its observer itself
    )
  }

  /** Refuses a request, perhaps before its body was read: `unread`, of which the rest is thrown away. */
  function refuse(
    broker: Broker | undefined,
    unread: IncomingMessage | undefined,
    response: ServerResponse,
    error: unknown,
  ): void {
    if (broker !== undefined) refused(broker, error instanceof SluiceError ? error.status : 500)
    answerError(response, error, unread)
  }
}

/** Whose path it is. */
export interface EventPath {
  readonly kind: 'Broker' | 'Channel'
  readonly namespace: string
  readonly name: string
}

/**
 * The names in `/{namespace}/{broker}` and `/channels/{namespace}/{channel}`, with or without a slash at the end; a query
 * is ignored. On `/`, those in the host, as Knative's channels have it (KNATIVE.md 3.1).
 */
export function eventPath(url: string, host: string | undefined): EventPath | undefined {
  const query = url.indexOf('?')
  let end = query === -1 ? url.length : query
  if (end > 1 && url.charCodeAt(end - 1) === SLASH) end--
  if (end === 1) return channelHost(host)
  const isChannel = url.startsWith(CHANNELS) // SURFACE.md "Paths": no namespace is called so
  const start = isChannel ? CHANNELS.length : 1
  const middle = url.indexOf('/', start)
  if (middle <= start || middle + 1 >= end) return undefined
  const third = url.indexOf('/', middle + 1)
  if (third !== -1 && third < end) return undefined
  const namespace = url.slice(start, middle)
  if (namespace === 'webhooks' && !isChannel) return undefined
  return { kind: isChannel ? 'Channel' : 'Broker', namespace, name: url.slice(middle + 1, end) }
}

const CHANNELS = '/channels/'

/** `{name}-kn-channel.{namespace}.svc.cluster.local`, whatever the cluster's domain is, with or without a port. */
function channelHost(host: string | undefined): EventPath | undefined {
  const [, name, namespace] = /^([^.:]+)-kn-channel\.([^.:]+)(?:[.:]|$)/.exec(host ?? '') ?? []
  return name === undefined || namespace === undefined ? undefined : { kind: 'Channel', namespace, name }
}

const SLASH = 0x2f

function bodyBytesMax(request: IncomingMessage, limits: ServerLimits): number {
  const type = request.headers['content-type']
  const batch = type !== undefined && /^\s*application\/cloudevents-batch/i.test(type)
  return batch ? limits.batchBytesMax : limits.eventBytesMax
}

function answerOther(find: FindEntrance, path: EventPath, request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  if (request.method === 'OPTIONS') return answer(response, 200, consentOf(find, path, request)) // KNATIVE.md 3.1, spec 121
  answerError(
    response,
    new SluiceError('SLUICE_METHOD_NOT_ALLOWED', `${request.method} is not for events: send them by POST.`, {
      status: 405,
    }),
  )
}

/** Whether this origin may send, as a CloudEvents WebHook handshake asks; nobody may to what is not there. */
function consentOf(find: FindEntrance, path: EventPath, { headers }: IncomingMessage): string[] {
  let gate: Entrance['gate']
  try {
    gate = find(path).gate
  } catch {
    return []
  }
  if (gate === undefined) return WEBHOOKS_WELCOME
  return gate.consent(only(headers['webhook-request-origin']), only(headers['webhook-request-rate']))
}

function only(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(', ') : value
}

const SETTING = '--max-event-bytes'
