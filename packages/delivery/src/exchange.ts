// One plain HTTP request that carries no event: for a token, or to ask a receiver for its consent. Under the same guard,
// names and TLS as deliveries; on a connection of its own, for there are few. Redirects are not followed, nothing is
// decompressed, and one deadline covers all of it.

import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import { Client } from 'undici'
import type { Receiver } from './access.ts'
import type { Connector } from './connection.ts'
import { explain } from './explain.ts'

/** Of {@link exchange}. */
export interface ExchangeRequest {
  readonly method: 'POST' | 'OPTIONS'
  readonly target: Receiver
  /** Name, value, name, value. */
  readonly headers: readonly string[]
  readonly body?: string
  readonly timeoutMs: number
}

/** What came back, whatever its status. */
export interface Exchanged {
  readonly status: number
  /** By lower-case name; one that came more than once is a list. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Of the body of an answer; what has more is no answer. */
const BODY_BYTES_MAX = 64 * 1024

/**
 * Rejects with a SluiceError where there is no answer, in words: `SLUICE_DELIVERY_NO_ANSWER`, or
 * `SLUICE_DELIVERY_TARGET_REFUSED` where there never will be one.
 */
export async function exchange(
  { method, target, headers, body, timeoutMs }: ExchangeRequest,
  { connect, clock, headerBytesMax }: { connect: Connector; clock: Clock; headerBytesMax: number },
): Promise<Exchanged> {
  const { origin, path } = target
  const client = new Client(origin, {
    connect,
    allowH2: false,
    pipelining: 0,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: headerBytesMax,
  })
  let isLate = false
  const late = new AbortController()
  const deadline = clock.setTimer(timeoutMs, () => {
    isLate = true
    late.abort()
  })
  try {
    const answer = await client.request({
      method,
      path,
      headers: [...headers],
      ...(body !== undefined && { body }),
      signal: late.signal,
    })
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > BODY_BYTES_MAX) throw noAnswer(`${origin}: the answer is larger than ${BODY_BYTES_MAX} bytes`)
      chunks.push(chunk)
    }
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }
  } catch (error) {
    if (error instanceof SluiceError && error.code === NO_ANSWER) throw error
    if (isLate) throw noAnswer(`${origin}: there was no answer within ${timeoutMs} ms`)
    const { verdict, words } = explain(error as Error, origin)
    throw verdict === 'dead' ? new SluiceError('SLUICE_DELIVERY_TARGET_REFUSED', words) : noAnswer(words)
  } finally {
    deadline.cancel()
    await client.destroy()
  }
}

const NO_ANSWER = 'SLUICE_DELIVERY_NO_ANSWER'

function noAnswer(words: string): SluiceError {
  return new SluiceError(NO_ANSWER, words, { status: 503, retryable: true })
}
