// The client library: how it connects, and its errors in words.
//
// From: open.ts. Next: the server.

import { PubSub, v1 } from '@google-cloud/pubsub'
import { channelUnavailable } from '@sluice/channel'
import { SluiceError } from '@sluice/event'

/** Where the server is, and who asks. */
export interface PubsubConnection {
  /** The Google Cloud project. */
  readonly project: string
  /** `HOST:PORT` of an emulator, which wants no credentials. Default: the service. */
  readonly emulator?: string
  /** The key of a service account, as Google gives it. Default: the application's default credentials. */
  readonly credentials?: { readonly client_email: string; readonly private_key: string }
}

/** How long the server may take for an answer. */
const REQUEST_MS = 5000
const RETRY_AFTER_MS = 1000
/** Of gRPC. */
export const NOT_FOUND = 5
export const ALREADY_EXISTS = 6
const INVALID_ARGUMENT = 3

/** The library's clients: one for streams, and two for single requests. */
export interface Clients {
  readonly pubsub: PubSub
  readonly publisher: v1.PublisherClient
  readonly subscriber: v1.SubscriberClient
}

export async function openClients({ project, emulator, credentials }: PubsubConnection): Promise<Clients> {
  // Else the library looks for the machine that it runs on, and warns where that is none of Google's.
  if (emulator !== undefined) process.env['METADATA_SERVER_DETECTION'] ??= 'none'
  const pubsub = new PubSub({
    projectId: project,
    ...(emulator !== undefined && { apiEndpoint: emulator, emulatorMode: true }),
    ...(credentials !== undefined && { credentials }),
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made for them, and typed by an older hand
  const config = (await pubsub.getClientConfig()) as ConstructorParameters<typeof v1.PublisherClient>[0]
  return { pubsub, publisher: new v1.PublisherClient(config), subscriber: new v1.SubscriberClient(config) }
}

export async function closeClients({ pubsub, publisher, subscriber }: Clients): Promise<void> {
  await Promise.allSettled([pubsub.close(), publisher.close(), subscriber.close()])
}

/** Of one request: one try, within its time; who asks decides whether there is another. */
export const ONCE: { timeout: number; retry: null } = { timeout: REQUEST_MS, retry: null }

/** The code of gRPC, where it is such an error. */
export function codeOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown }
  return typeof code === 'number' ? code : undefined
}

export function isTooLarge(error: unknown): boolean {
  return codeOf(error) === INVALID_ARGUMENT && /\b(large|size|exceed\w*)\b/i.test(reasonOf(error))
}

/** What is wrong, in words, without the library's own. */
export function reasonOf(error: unknown): string {
  const { details, message } = error as { details?: string; message?: string }
  return (details || message || String(error)).replace(/^\d+ [A-Z_]+: /, '').replace(/\.$/, '')
}

/** 503: nothing can be stored now. `why`: a clause. */
export function unavailable({ project, emulator }: PubsubConnection, why: string, cause?: unknown): SluiceError {
  const where = emulator === undefined ? `project ${project}` : `${emulator}, project ${project}`
  return channelUnavailable(
    `Google Pub/Sub, ${where}: ${why}. It is tried again by itself; nothing that was stored is lost by that.`,
    RETRY_AFTER_MS,
    cause,
  )
}
