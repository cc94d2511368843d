// What a WebhookSource says, as the source gets it: checked, with durations and sizes in numbers (the kind's file in
// packages/resource says what may be written).

import type { SecretRef } from '@sluice/source'

/** The spec beside the sink. */
export interface WebhookSpec {
  /** Name of a {@link Preset}. */
  readonly preset?: string
  /** How requests prove who sent them, instead of the preset's ways; without a scheme, what those leave open. */
  readonly verify?: Verify | PresetVerify
  /** Any of them may match, so that a secret can be exchanged. */
  readonly secretRefs?: readonly SecretRef[]
  /** Over those of the preset; an empty text is none. */
  readonly event?: EventTemplates
  /** How long a request that comes again is known. */
  readonly replayWindowMs: number
  readonly bytesMax: number
  /** Who may send after a CloudEvents WebHook handshake; `*` = anybody. Absent: there is no handshake. */
  readonly allowedOrigins?: readonly string[]
  /** Requests a minute of one origin. Absent: as many as come. */
  readonly allowedRate?: number
}

/** Templates of attributes. */
export interface EventTemplates {
  readonly type?: string
  readonly source?: string
  readonly subject?: string
  readonly id?: string
  readonly time?: string
  /** By their names. */
  readonly extensions?: Readonly<Record<string, string>>
}

/** What may be said beside a preset. */
export interface PresetVerify {
  readonly scheme?: undefined
  readonly toleranceMs?: number
  readonly topicArns?: readonly string[]
}

/** One way to prove who sent a request. */
export type Verify =
  | HmacVerify
  | Ed25519Verify
  | TokenVerify
  | SnsVerify
  | { readonly scheme: 'basic' | 'bearer' | 'none' }

/** Where a signature stands, and what it is made over. */
interface Signed {
  /** In lower case. */
  readonly header: string
  /** The header is a list of pairs: `v1=abc,v0=def`; those named `take` are signatures. */
  readonly parse?: { readonly separator: string; readonly pair: string; readonly take: string }
  /** What stands before the signature, such as `sha256=`. */
  readonly prefix?: string
  readonly encoding: 'hex' | 'base64' | 'base64url'
  readonly keyEncoding: 'utf8' | 'hex' | 'base64'
  /** What stands before a key that is one for this; it is cut off. */
  readonly keyPrefix?: string
  /** A template. */
  readonly content: string
  readonly timestamp?: TimestampRule
}

/** When a request was signed. */
export interface TimestampRule {
  readonly header: string
  /** Of the pairs of the signature's header, the one that it is. */
  readonly take?: string
  readonly unit: 's' | 'ms'
  readonly toleranceMs: number
}

export interface HmacVerify extends Signed {
  readonly scheme: 'hmac'
  readonly algorithm: 'sha1' | 'sha256' | 'sha384' | 'sha512'
  /** A parameter of the query that has the digest of a body which is no form, and which the signature covers. */
  readonly bodyDigest?: string
}

export interface Ed25519Verify extends Signed {
  readonly scheme: 'ed25519'
}

export interface TokenVerify {
  readonly scheme: 'token'
  readonly header?: string
  readonly query?: string
}

export interface SnsVerify {
  readonly scheme: 'sns'
  /** AWS signs for the topics of all its customers: only these are ours. */
  readonly topicArns: readonly string[]
}
