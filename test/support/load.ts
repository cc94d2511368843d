// Senders that go on until nothing answers any more, and what they were answered.

import { Agent, request } from 'node:http'

/** Senders at work. */
export interface Load {
  /** Ids of the events that were answered 202. */
  readonly accepted: Set<string>
  /** Of the answers that were no 202: status and Retry-After. */
  readonly refused: { status: number; retryAfter: string | undefined }[]
  /** Resolves once there are as many. */
  acceptedAtLeast(n: number): Promise<void>
  refusedAtLeast(n: number): Promise<void>
  /** Resolves once nothing answers any more. */
  readonly over: Promise<unknown>
}

/** So many senders, each with one event at a time. `prefix`: of the events' ids. */
export function load(url: string, senders: number, prefix = ''): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: senders })
  const accepted = new Set<string>()
  const refused: Load['refused'] = []
  let changed = Promise.withResolvers<void>()
  let sent = 0

  async function run(): Promise<void> {
    for (;;) {
      const id = `${prefix}${sent++}`
      const answer = await post(url, id, agent)
      if (answer === undefined) return
      if (answer.status === 202) accepted.add(id)
      else refused.push(answer)
      changed.resolve()
      changed = Promise.withResolvers()
    }
  }
  async function until(enough: () => boolean): Promise<void> {
    while (!enough()) await changed.promise
  }
  return {
    accepted,
    refused,
    acceptedAtLeast: (n) => until(() => accepted.size >= n),
    refusedAtLeast: (n) => until(() => refused.length >= n),
    over: Promise.all(Array.from({ length: senders }, run)).finally(() => agent.destroy()),
  }
}

/** Sends one event; `undefined`: nothing answers. */
export function post(url: string, id: string, agent: Agent): Promise<Load['refused'][number] | undefined> {
  const headers = { 'ce-specversion': '1.0', 'ce-id': id, 'ce-source': '/load', 'ce-type': 't' }
  return new Promise((resolve) => {
    request(url, { method: 'POST', agent, headers })
      .on('response', (response) => {
        response.on('error', () => resolve(undefined)) // broken off in the middle of its answer
        response.resume().on('end', () => {
          resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] })
        })
      })
      .on('error', () => resolve(undefined))
      .end()
  })
}
