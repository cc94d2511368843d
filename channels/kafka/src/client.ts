// The client library: how it connects, what is mended of it, and its errors in words.
//
// From: open.ts. Next: the server.

import { createRequire } from 'node:module'
import { channelUnavailable } from '@sluice/channel'
import { SluiceError } from '@sluice/event'
import { Kafka, logLevel, type RetryOptions } from 'kafkajs'

/** Where the server is, and how to get in. */
export interface KafkaConnection {
  /** `HOST:PORT`, several of one cluster. */
  readonly servers: readonly string[]
  /** TLS, where it is there: with the system's authorities unless `ca` names others (PEM). `cert` and `key`: our own. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly user: string
    readonly password: string
  }
}

/** How long the server may take for an answer; where it has to wait itself, that much longer. */
const REQUEST_MS = 5000
const RETRY_AFTER_MS = 1000
/** Of a request that somebody waits for. */
const RETRY: RetryOptions = { retries: 4, initialRetryTime: 100, maxRetryTime: 1000 }
/**
 * Of members of groups: about a minute, for a server that is started again. Then it is the same member that comes back; a
 * new one would have to wait until the server believes that the old one is gone.
 */
export const MEMBER_RETRY: RetryOptions = { ...RETRY, retries: 60 }

/** `name`: what the server's own logs and metrics call it. */
export function kafkaClient({ servers, tls, sasl }: KafkaConnection, name: string, retry: RetryOptions = RETRY): Kafka {
  return new Kafka({
    clientId: name,
    brokers: [...servers],
    connectionTimeout: 3000,
    requestTimeout: REQUEST_MS,
    retry,
    logLevel: logLevel.NOTHING, // what matters comes out of promises and events
    ...(tls !== undefined && { ssl: { ...tls } }),
    ...(sasl !== undefined && {
      sasl: { mechanism: sasl.mechanism, username: sasl.user, password: sasl.password } as never,
    }),
  })
}

/** What is wrong, in words, without the library's own. */
export function reasonOf(error: unknown): string {
  const cause = innermost(error)
  const { type } = cause as { type?: unknown }
  const text = cause.message.replace(/^(KafkaJS\w+: )+/, '').replace(/\.$/, '')
  return typeof type === 'string' ? `${text} (${type})` : text
}

/** The server's own name of an error, such as `UNKNOWN_TOPIC_OR_PARTITION`. */
export function typeOf(error: unknown): string | undefined {
  const { type } = innermost(error) as { type?: unknown }
  return typeof type === 'string' ? type : undefined
}

function innermost(error: unknown): Error {
  let found = error
  for (;;) {
    const { cause, errors } = found as { cause?: unknown; errors?: unknown[] }
    const next = cause ?? errors?.[0]
    if (!(next instanceof Error)) return found instanceof Error ? found : new Error(String(found))
    found = next
  }
}

/** 503: nothing can be stored or handed out now. `why`: a clause. */
export function unavailable({ servers }: KafkaConnection, why: string, cause?: unknown): SluiceError {
  return channelUnavailable(
    `Kafka at ${servers.join(', ')}: ${why}. It is tried again by itself; nothing that was stored is lost by that.`,
    RETRY_AFTER_MS,
    cause,
  )
}

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests(): void
}

/**
 * kafkajs 2.2.4 looks for requests to send every millisecond, on every connection, for ever, and Node warns of the negative
 * delay that it does so with (its issues 1704 and 1751). It is to look where there is one to send, or it is throttled.
 */
const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as { prototype: RequestQueue }
const { scheduleCheckPendingRequests } = prototype
prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) scheduleCheckPendingRequests.call(this)
}
