// Why a request is not taken. Each code is counted in the status of its source.

import { SluiceError } from '@sluice/event'

/** 401: nobody has proved who sent it. */
export function unverified(code: UnverifiedCode, problem: string): SluiceError {
  return new SluiceError(`SLUICE_WEBHOOK_${code}`, `${problem} Nothing was stored.`, { status: 401 })
}

/** What a proof may lack. */
export type UnverifiedCode =
  | 'SIGNATURE_MISSING'
  | 'SIGNATURE_MALFORMED'
  | 'SIGNATURE_MISMATCH'
  | 'TIMESTAMP_MISSING'
  | 'TIMESTAMP_MALFORMED'
  | 'TIMESTAMP_OLD'
  | 'TIMESTAMP_AHEAD'
  | 'TOPIC_UNKNOWN'

/** 422: the templates make no event of it. */
export function unmapped(problem: string): SluiceError {
  return new SluiceError('SLUICE_WEBHOOK_UNMAPPED', `${problem} Nothing was stored.`, { status: 422 })
}

/** 503: the source itself is not as it has to be; what is wrong stands in its status, and is not for senders. */
export function notSetUp(cause: unknown): SluiceError {
  return new SluiceError('SLUICE_WEBHOOK_NOT_SET_UP', 'This webhook can check nothing now. Nothing was stored.', {
    status: 503,
    retryable: true,
    retryAfterMs: 30_000,
    cause,
  })
}
