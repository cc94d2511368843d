// What a provider is, as data.

import type { ByEvent, PresetTemplates } from './mapping.ts'
import type { Verify } from './spec.ts'

/** A provider. */
export interface Preset {
  /** One has to hold. */
  readonly ways: readonly Verify[]
  /** `cloudevents`: the requests are events already. */
  readonly event: PresetTemplates | 'cloudevents'
  readonly byEvent?: ByEvent
  /** A template: what a delivery is called when it is sent again. Absent: nothing, and no replay is noticed. */
  readonly delivery?: string | readonly string[]
  /** A field of a form that holds the JSON which is meant. */
  readonly formField?: string
  /** Requests that are no events. */
  readonly greetings?: readonly Greeting[]
  /** The status of a request that was taken. */
  readonly answer: number
  /** Of a request made up for a test; `{uuid}` is a new one, `{event}` what was asked for. */
  readonly example: { readonly headers: readonly string[]; readonly contentType: string }
}

/** A request that wants an answer, and is no event. It has to be verified as every other. */
export interface Greeting {
  /** Templates that have to be filled so. */
  readonly when: Readonly<Record<string, string>>
  readonly answer: { readonly status: number; readonly contentType?: string; readonly body?: string }
  /** What has to be done before it is answered. */
  readonly first?: 'confirmSubscription'
}
