// Producers that write into the ledger what they send and what they are answered. Each has a key, and one event at a time
// on its way: what was refused or not answered it sends again, as a producer does, before the next one of its key.

import { Agent, request } from 'node:http'
import { atEnd } from '../support/cleanup.ts'
import { dataOf, type Ledger, type Sent } from './ledger.ts'

/** Producers at work. */
export interface Producers {
  /** From now on they send there; `undefined`: nothing is there to send to. */
  aim(broker: string | undefined): void
  /** Each ends with the event that it has on its way; resolves once all have, for which they need to be aimed. */
  stop(): Promise<void>
  /** Resolves once they have ended: each has sent what it was to send, or they were stopped. */
  readonly ended: Promise<unknown>
}

export interface ProducersOptions {
  /** Keys, and producers: so many events are on their way at once. */
  readonly keys: number
  /** Of the events' ids, so that several groups may write into one ledger. Default: none. */
  readonly prefix?: string
  /** Type of an event, by its number. Default: `t`. */
  readonly type?: (n: number) => string
  /** Bytes of its data. Default: 100. */
  readonly bytes?: (n: number) => number
  /** How many events each sends. Default: until they are stopped. */
  readonly each?: number
}

/** How long a producer waits before it sends again, at most: `Retry-After` says more, and tests have no time for it. */
const AGAIN_MS = 100

/** Starts them. */
export function startProducers(ledger: Ledger, broker: string | undefined, options: ProducersOptions): Producers {
  const { keys, prefix = '', type = () => 't', bytes = () => 100, each = Infinity } = options
  const agent = new Agent({ keepAlive: true, maxSockets: keys })
  let target = broker
  let aimed = Promise.withResolvers<void>()
  let isStopped = false
  let n = 0

  async function run(key: string): Promise<void> {
    for (let seq = 1; seq <= each && !isStopped; seq++) {
      const number = n++
      const [id, source] = [`${key}-${seq}`, `/producers/${key}`]
      const sent: Sent = { id, source, type: type(number), key, seq, bytes: bytes(number), answers: [] }
      ledger.begins(sent)
      while (!(await send(sent)));
    }
  }
  async function send(sent: Sent): Promise<boolean> {
    while (target === undefined) await aimed.promise
    const sentMs = performance.now()
    const status = await post(target, sent, agent)
    ledger.answered(sent, status, sentMs)
    if (status !== 202) await Promise.race([aimed.promise, new Promise((resolve) => setTimeout(resolve, AGAIN_MS))])
    return status === 202
  }

  const running = Promise.all(Array.from({ length: keys }, (_, key) => run(`${prefix}k${key}`)))
  const ended = running.finally(() => agent.destroy())
  atEnd(() => agent.destroy())
  return {
    aim(next) {
      target = next
      aimed.resolve()
      aimed = Promise.withResolvers()
    },
    ended,
    async stop() {
      isStopped = true
      await ended
    },
  }
}

/** Sends an event in binary mode. Resolves with the answer's status; 0: there was none. */
export function post(url: string, sent: Sent, agent?: Agent): Promise<number> {
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': sent.id,
    'ce-source': sent.source,
    'ce-type': sent.type,
    'ce-partitionkey': sent.key,
    'content-type': 'text/plain',
  }
  return new Promise((resolve) => {
    request(url, { method: 'POST', headers, ...(agent && { agent }) })
      .on('response', (response) => {
        response.on('error', () => {}) // broken off after its head: it was answered
        response.on('close', () => resolve(response.statusCode ?? 0))
        response.resume()
      })
      .on('error', () => resolve(0))
      .end(dataOf(sent))
  })
}
