// A webhook source with a sink that stores at once, and requests to it.

import { manualClock, type ManualClock } from '@sluice/clock'
import { newEvent, SluiceError, type Event } from '@sluice/event'
import { memoryCheckpoint, SourceRequest, type Checkpoint, type Source, type SourceResponse } from '@sluice/source'
import { webhookSource, type WebhookOptions } from '@sluice/source-webhook'

/** A source that runs. */
export interface Scene {
  readonly clock: ManualClock
  readonly source: Source
  /** What was stored. */
  readonly events: Event[]
  readonly url: string
  /** Secrets by `name/key`; a change counts at once. */
  readonly secrets: Map<string, Buffer>
  /** Sends a request; what is thrown is answered as the server does. */
  send(headers: Readonly<Record<string, string>>, body?: string | Buffer, more?: More): Promise<Answered>
  /** Sends this one. */
  sendIt(request: SourceRequest): Promise<Answered>
  /** What the sink does from now on. */
  sink: (events: readonly Event[]) => Promise<void>
}

interface More {
  readonly method?: string
  readonly query?: string
}

export interface Answered {
  readonly status: number
  /** Of a refusal. */
  readonly code?: string
  readonly body?: string
  readonly headers: Readonly<Record<string, string>>
}

/** Until 2026-01-01 unless it is told otherwise. */
export async function webhook(
  spec: Readonly<Record<string, unknown>>,
  secret: string | readonly string[] = 'canary-4711',
  given: WebhookOptions & { readonly startMs?: number; readonly checkpoint?: Checkpoint } = {},
): Promise<Scene> {
  const clock = manualClock(given.startMs)
  const events: Event[] = []
  const values = typeof secret === 'string' ? [secret] : secret
  const secrets = new Map(values.map((value, i) => [`s/${i}`, Buffer.from(value)]))
  const url = 'https://mycompany.com/webhooks/default/mine'
  const scene: Pick<Scene, 'sink'> = { sink: async () => {} }
  const source = await webhookSource(given).open({
    namespace: 'default',
    name: 'mine',
    uid: 'u',
    annotations: {},
    url,
    clock,
    checkpoint: given.checkpoint ?? memoryCheckpoint(),
    newEvent,
    spec: {
      replayWindowMs: 86_400_000,
      bytesMax: 1024 * 1024,
      secretRefs: values.map((_, i) => ({ name: 's', key: String(i) })),
      ...spec,
    },
    async emit(batch) {
      await scene.sink(batch)
      events.push(...batch)
    },
    secret: ({ name, key }) => {
      const value = secrets.get(`${name}/${key}`)
      if (value !== undefined) return value
      throw new SluiceError('SLUICE_SECRET_UNAVAILABLE', `There is no Secret ${name}.`, { status: 503 })
    },
  })
  const sendIt = (request: SourceRequest): Promise<Answered> =>
    source.http!.handle(request).then(answered, (error: unknown) => {
      if (!(error instanceof SluiceError)) throw error
      return { status: error.status, code: error.code, headers: {} }
    })
  return Object.assign(scene, {
    clock,
    source,
    events,
    url,
    secrets,
    sendIt,
    send: (
      headers: Readonly<Record<string, string>>,
      body: string | Buffer = '',
      { method = 'POST', query = '' } = {},
    ) => sendIt(new SourceRequest(method, url + query, Object.entries(headers).flat(), Buffer.from(body))),
  })
}

function answered({ status, headers = [], body }: SourceResponse): Answered {
  const named: Record<string, string> = {}
  for (let i = 0; i < headers.length; i += 2) named[headers[i]!.toLowerCase()] = headers[i + 1]!
  return { status, headers: named, ...(body !== undefined && { body }) }
}
