// A backlog, and a restart over it (fault 47): the tests make a small one, `pnpm faults --backlog N` as large a one as one likes.

import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { atEnd } from '../support/cleanup.ts'
import { broker, trigger } from '../support/events.ts'
import { folderOf, startSluice, type Sluice } from '../support/sluice.ts'

export interface BacklogSummary {
  readonly events: number
  /** From the start to the ready line, over nothing and over the backlog. */
  readonly emptyStartMs: number
  readonly restartMs: number
  /** The most memory that the process over the backlog had, from its start until all is delivered. */
  readonly peakMiB: number
  /** From the ready line until all is delivered. */
  readonly deliveredMs: number
  readonly lost: number
  /** Taken more than once. */
  readonly duplicates: number
}

/** Events in one request. */
const AT_ONCE = 100
/** Requests at once. */
const SENDERS = 8

/** Stores so many events that nobody takes, kills the process, starts another, and has them taken. */
export async function runBacklog(events: number, tell: (line: string) => void = () => {}): Promise<BacklogSummary> {
  const sink = await countingSink(events, tell)
  const data = join(folderOf({}), 'data')
  const yaml = { 'a.yaml': broker() + trigger('taker', sink.url, ['delivery: {retry: 1000}']) }
  const start = async (): Promise<{ sluice: Sluice; ms: number }> => {
    const startedMs = performance.now()
    const sluice = await startSluice(yaml, ['--data', data])
    return { sluice, ms: performance.now() - startedMs }
  }
  const { sluice: first, ms: emptyStartMs } = await start()
  await fill(first.broker, events, tell)
  await first.stop('SIGKILL')

  sink.open()
  const { sluice, ms: restartMs } = await start()
  const readyMs = performance.now()
  tell(`ready again over ${events} events after ${Math.round(restartMs)} ms`)
  await sink.all
  const deliveredMs = performance.now() - readyMs
  const peakMiB = peakOf(sluice)
  await sluice.stop()
  return { events, emptyStartMs, restartMs, peakMiB, deliveredMs, ...sink.count() }
}

/** The most memory that a process has had so far, in MiB. */
export function peakOf({ process: { pid } }: Sluice): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

interface CountingSink {
  readonly url: string
  /** Takes events from here on; before, it answers nothing. */
  open(): void
  /** Resolves once it has taken every event. */
  readonly all: Promise<void>
  count(): { lost: number; duplicates: number }
}

/** Takes events whose ids are the numbers from 0 on. */
async function countingSink(events: number, tell: (line: string) => void): Promise<CountingSink> {
  const taken = new Uint8Array(events)
  const { promise: all, resolve } = Promise.withResolvers<void>()
  let left = events
  let isOpen = false
  const server = createServer((incoming, response) => {
    incoming.resume().on('end', () => {
      if (!isOpen) return
      const id = Number(incoming.headers['ce-id'])
      if (taken[id]!++ === 0 && --left % 100_000 === 0) tell(`${left} to go`)
      if (left === 0) resolve()
      response.writeHead(202).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is no string
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    open: () => void (isOpen = true),
    all,
    count: () => ({ lost: left, duplicates: taken.reduce((sum, times) => sum + Math.max(0, times - 1), 0) }),
  }
}

async function fill(url: string, events: number, tell: (line: string) => void): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: SENDERS })
  let next = 0
  const send = async (): Promise<void> => {
    while (next < events) {
      const from = next
      next += Math.min(AT_ONCE, events - from)
      const until = next
      await postBatch(url, from, until, agent)
      if (until % 100_000 === 0) tell(`${until} stored`)
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, send))
  agent.destroy()
}

function postBatch(url: string, from: number, until: number, agent: Agent): Promise<void> {
  const batch = Array.from({ length: until - from }, (_, n) => {
    return { specversion: '1.0', id: String(from + n), source: '/backlog', type: 't', data: { n: from + n } }
  })
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/cloudevents-batch+json' }
    request(url, { method: 'POST', agent, headers })
      .on('response', (response) => {
        response.resume().on('end', () => {
          if (response.statusCode === 202) resolve()
          else reject(new Error(`a batch was answered ${response.statusCode}`))
        })
      })
      .on('error', reject)
      .end(JSON.stringify(batch))
  })
}
