// How a receiver is spoken to beside the plain request: whom we trust, who we are, and what proves it. From: the controller,
// which reads it out of annotations and Secrets. Next: authorizing.ts, at each attempt.
//
// An access belongs to one receiver of one trigger: its dead-letter sink and its replies have their own or none, so that
// nothing of it ever goes elsewhere (threat 21).

import { SluiceError } from '@sluice/event'
import type { Target } from '@sluice/target'

/** Where events are sent, and how that is spoken to. */
export interface Receiver extends Target {
  readonly access?: Access | undefined
}

/**
 * How a receiver is spoken to. The functions are asked at each attempt, so that another secret counts from the next one on;
 * what doesn't change has to stay the same object. What they throw is the attempt's outcome: `retry`, as where there is no
 * connection.
 */
export interface Access {
  /** Certificates in PEM of those who may vouch for it, instead of the machine's own. */
  readonly caCerts?: string | undefined
  /** What it is shown. */
  readonly credentials?: () => readonly Credential[]
  /** The secrets that the bytes of each event are signed with (@sluice/signature). */
  readonly signing?: () => readonly Buffer[]
  /** Who it has consented to be sent events by; each delivery says so (CloudEvents WebHook 4.1.2). */
  readonly webhookOrigin?: string | undefined
}

/** What a receiver is shown to know us by. */
export type Credential =
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'certificate'; readonly certificate: Buffer; readonly key: Buffer }
  | { readonly kind: 'oauth2'; readonly client: OAuthClient }

/** A client of an OAuth 2 authorization server, which gives it tokens for itself (RFC 6749, 4.4). */
export interface OAuthClient {
  readonly endpoint: Receiver
  readonly id: string
  readonly secret: string
  readonly scope?: string | undefined
  readonly audience?: string | undefined
  /** Whether id and secret go as HTTP Basic, which every server takes, or in the form (RFC 6749, 2.3.1). */
  readonly authMethod: 'client_secret_basic' | 'client_secret_post'
}

/**
 * A header that shows a credential.
 *
 * @throws SluiceError `SLUICE_DELIVERY_INVALID_CREDENTIAL`: HTTP can't carry it, or the header is not for that. It shows
 *   nothing of the value
 */
export function headerCredential(name: string, value: string): Credential {
  const lower = name.toLowerCase()
  if (!HEADER_NAME.test(name)) throw invalidCredential('its header has a name that HTTP does not know')
  if (RESERVED_HEADERS.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix))) {
    throw invalidCredential(`the header ${name} is not for credentials`)
  }
  if (!HEADER_VALUE.test(value)) {
    throw invalidCredential(`the value of header ${name} has characters that HTTP can't carry, such as a line break`)
  }
  return { kind: 'header', name: lower, value }
}

/** A token as `Authorization: Bearer` (RFC 6750). Throws as {@link headerCredential}. */
export function bearerCredential(token: string): Credential {
  if (!BEARER_TOKEN.test(token)) throw invalidCredential('the token has characters that a bearer token has not')
  return headerCredential('authorization', `Bearer ${token}`)
}

/** User and password as `Authorization: Basic` (RFC 7617). Throws as {@link headerCredential}. */
export function basicCredential(user: string, password: string): Credential {
  if (user.includes(':')) throw invalidCredential('the user name has a colon, which Basic has for its end')
  return headerCredential('authorization', `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`)
}

/** Said of a credential that can't be used. */
export function invalidCredential(why: string): SluiceError {
  return new SluiceError('SLUICE_DELIVERY_INVALID_CREDENTIAL', `A credential can't be used: ${why}.`, { status: 503 })
}

/** RFC 9110, 5.6.2. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]{0,8190}[\x21-\x7e])?$/
/** RFC 6750, 2.1; what people's tokens have beside that is visible ASCII as well. */
const BEARER_TOKEN = /^[\x21-\x7e]{1,8000}$/
/** Those that frame a message, name its way, or are the event's. */
const RESERVED_HEADERS = new Set([
  'connection',
  'content-length',
  'content-type',
  'content-encoding',
  'expect',
  'host',
  'keep-alive',
  'prefer',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const RESERVED_PREFIXES = ['ce-', 'webhook-', 'kn-']
