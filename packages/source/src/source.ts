// The source contract: something outside happens, a source makes an event of it and has it stored.
//
// The controller opens a source for each resource of its kinds and gives it what it needs; what has an HTTP handler is
// mounted at the ingress under /webhooks/{namespace}/{name}. Next, of an event: controller/src/sink.ts, to its sink.

import type { Clock } from '@sluice/clock'
import type { Event, EventFields } from '@sluice/event'
import type { SourceRequest } from './request.ts'

/** A kind of source. A folder under `sources/` exports one, and so does the default export of a module of your own. */
export interface SourceDriver {
  /** The kinds of resources that it runs. */
  readonly kinds: readonly SourceKind[]
  /**
   * Starts it for one resource. May emit from then on, before this returns too. What it throws is shown in the
   * condition `Deployed`: a SluiceError as it is. It is opened again when the spec changes, after {@link Source.stop}.
   */
  open(context: SourceContext): Source | Promise<Source>
}

/** A kind of resource that a source runs. */
export interface SourceKind {
  /** Group and version, such as `sources.example.com/v1`. */
  readonly apiVersion: string
  /** Such as `FeedSource`. */
  readonly kind: string
  /** Default: the kind in lower case with an s. */
  readonly plural?: string
  /** One sentence that opens its JSON Schema. */
  readonly description?: string
  /**
   * JSON Schema (draft 7) of an object: the fields of the spec beside `sink` and `ceOverrides`, which every source has.
   * Unknown fields are refused. Absent where the resource package has the kind itself.
   */
  readonly schema?: Readonly<Record<string, unknown>>
}

/** What a running source is given. */
export interface SourceContext {
  readonly namespace: string
  readonly name: string
  /** Equal in every process that has the same files; for ids that have to be. */
  readonly uid: string
  /** As it was validated, with its defaults. */
  readonly spec: Readonly<Record<string, unknown>>
  readonly annotations: Readonly<Record<string, string>>
  /** Where its HTTP handler is reached from outside, without a slash at the end. */
  readonly url: string
  readonly clock: Clock
  /** What it wants to know after a restart. */
  readonly checkpoint: Checkpoint
  /** Makes an event of these fields, under the rules that those from outside obey; throws a SluiceError otherwise. */
  newEvent(fields: EventFields): Event
  /**
   * Gives events to the sink. Resolves once all are stored there, as durably as that ever does: only then may whoever
   * sent them be told so. Rejects with a SluiceError where not all are, `retryable` and `retryAfterMs` as they are; some
   * may be, so whoever tries again sends the same ids.
   */
  emit(events: readonly Event[]): Promise<void>
  /**
   * The bytes of a secret as they are now; asked for at each use, so that a change counts at once. They never go into a
   * log, a status, an error or an answer.
   *
   * @throws SluiceError `SLUICE_SECRET_UNAVAILABLE`, which names the reference and never what it holds
   */
  secret(reference: SecretRef): Buffer
}

/** A value in a Secret of the source's namespace. */
export interface SecretRef {
  readonly name: string
  readonly key: string
}

/** Bytes of one source that outlive the process where {@link durable}. Calls are made in turn. */
export interface Checkpoint {
  /** False where there is no data directory: then they last as long as the process. */
  readonly durable: boolean
  /** All of it; `undefined`: nothing was kept yet. */
  load(): Promise<Buffer | undefined>
  /** Makes these bytes all of it, at once or not at all. Resolves once they are on the disk. */
  save(bytes: Buffer): Promise<void>
  /** Adds bytes at the end. They outlive the process; the last of them may be lost, or cut, when the power goes. */
  append(bytes: Buffer): Promise<void>
}

/** A source that runs. */
export interface Source {
  /** Synchronous, and asked for often. */
  status(): SourceStatus
  /** No event is emitted any more once it has resolved; what is under way ends first. A second call joins the first. */
  stop(): Promise<void>
  /** Takes HTTP requests to its URL, whatever their method. */
  readonly http?: SourceHttp
}

/** How a source is. */
export interface SourceStatus {
  /** Why it does not do its work now, for people; absent: it does. */
  readonly trouble?: string
  /** Types and sources of its events, as far as they are known beforehand. */
  readonly ceAttributes?: readonly { readonly type: string; readonly source: string }[]
  /** Shown in the status of the resource, under its own names. No secrets, and of bounded size. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/** Of a source that takes requests. */
export interface SourceHttp {
  /** Larger bodies are answered 413 before it is asked. */
  readonly bytesMax: number
  /** Answers. What it throws is answered as the ingress does: a SluiceError by its status, `Retry-After` included. */
  handle(request: SourceRequest): Promise<SourceResponse>
  /**
   * The request that its provider would send for this, signed: to try the wiring without the provider.
   *
   * @throws SluiceError where only the provider can sign
   */
  sign?(fixture: Fixture): SourceRequest
}

/** What an example of a request is made of. */
export interface Fixture {
  readonly body: Buffer
  /** Name, value, name, value. */
  readonly headers: readonly string[]
  /** The provider's name of the event, where that stands in a header, such as `push`. */
  readonly event?: string
}

/** An answer to a request. */
export interface SourceResponse {
  readonly status: number
  /** Name, value, name, value. */
  readonly headers?: readonly string[]
  readonly body?: string
  /** What was stored for it; no part of the answer. */
  readonly stored?: readonly Event[]
}
