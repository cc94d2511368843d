// What somebody outside finds wrong with the data of an event before it is stored: the EventType registry, by schemas.
//
// From: broker.ts, which asks for each event from outside and for each reply.

import { SluiceError } from '@sluice/event'

/** The data of an event doesn't keep to the schema of its type. */
export interface Judgement {
  /** `namespace/name` of the EventType that gives the schema. */
  readonly eventType: string
  /** JSON Pointer to what is wrong in the data; empty: all of it. */
  readonly pointer: string
  /** Such as `must be integer`. */
  readonly problem: string
  /** Whether it is refused for that; else it is stored, and told of. */
  readonly isRefused: boolean
}

/** The code of what is refused. */
export const REFUSED_BY_SCHEMA = 'SLUICE_EVENT_SCHEMA'

/** In one sentence. */
export function judgementText({ eventType, pointer, problem }: Judgement): string {
  const where = pointer === '' ? '' : `${pointer} `
  return `The data does not keep to the schema of EventType ${eventType}: ${where}${problem}`
}

/** For its sender: 422. `index`: of the event in its batch; `undefined`: it came alone. */
export function refusedByJudgement(judgement: Judgement, index: number | undefined): SluiceError {
  const of = index === undefined ? '' : `[${index}].`
  const which = index === undefined ? '' : ` It is event ${index} of the batch.`
  return new SluiceError(REFUSED_BY_SCHEMA, `${judgementText(judgement)}.${which} Nothing was stored.`, {
    status: 422,
    subject: `${of}data${judgement.pointer}`,
  })
}
