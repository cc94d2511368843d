// What most fault tests begin with: a process with a Broker, a trigger in order and one without, their sinks, the ledger.

import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { broker, trigger } from '../support/events.ts'
import { settled } from '../support/ops.ts'
import { folderOf, ready, startProgram, type Program, type Sluice, type StartOptions } from '../support/sluice.ts'
import { Ledger, type Route, type Verdict } from './ledger.ts'
import { openSink, type Sink } from './sinks.ts'
import { boundedBroker, inOrder } from './yaml.ts'

// Processes start, end and start again in each test; a busy machine has its time.
vi.setConfig({ testTimeout: 60_000 })

/** Where a Broker keeps its events. */
export type Channel = 'log' | 'memory'

/** A Broker `default`, its triggers `ordered` and `plain`, and the sinks of these. */
export interface Scene {
  readonly ledger: Ledger
  readonly ordered: Sink
  readonly plain: Sink
  /** The data directory. */
  readonly data: string
  /** Starts `sluice up`. */
  program(options?: StartOptions): Program
  /** Starts it, and waits until it is ready. */
  start(options?: StartOptions): Promise<Sluice>
  /** Kills it with SIGKILL; resolves once the sinks have all that it had on its way. */
  kill(sluice: Sluice): Promise<void>
  /** Once all that was acknowledged has come to its end: that nothing was lost, and what else the ledger holds. */
  verify(sluice: Sluice): Promise<Verdict>
}

export interface SceneOptions {
  /** Default: `log`. */
  readonly channel?: Channel
  /** Bounds of the log, as YAML on one line: `{maxBytes: 1Mi}`. */
  readonly limits?: string
  /** Where the data directory is. Default: a folder of its own. */
  readonly data?: string
  /** Flags of `sluice up`. */
  readonly words?: readonly string[]
  /** Of both triggers, as YAML on one line. Default: many quick retries. */
  readonly delivery?: string
  /** More YAML. */
  readonly more?: string
}

const ROUTES: readonly Route[] = [
  { name: 'ordered', matches: () => true, end: 'ordered', isOrdered: true },
  { name: 'plain', matches: () => true, end: 'plain', isOrdered: false },
]

/** The triggers of it go on trying for as long as a test takes. */
export const PATIENT = '{retry: 1000, backoffPolicy: linear, backoffDelay: PT0.05S}'

/** Opens the sinks. */
export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const {
    channel = 'log',
    limits,
    data = join(folderOf({}), 'data'),
    words = [],
    delivery = PATIENT,
    more = '',
  } = options
  const ledger = new Ledger(ROUTES)
  const ordered = await openSink(ledger, 'ordered')
  const plain = await openSink(ledger, 'plain')
  const policy = [`delivery: ${delivery}`]
  const folder = folderOf({
    'sluice.yaml':
      (limits === undefined ? broker() : boundedBroker(limits)) +
      inOrder(trigger('ordered', ordered.url, policy)) +
      trigger('plain', plain.url, policy) +
      more,
  })
  const ports = ['--listen', '127.0.0.1:0', '--api', '127.0.0.1:0']
  const line = ['up', folder, ...ports, '--data', data, '--channel', channel, ...words]
  const program = (how?: StartOptions): Program => startProgram(line, how)
  return {
    ledger,
    ordered,
    plain,
    data,
    program,
    start: (how) => ready(program(how), folder),
    async kill(sluice) {
      ledger.killed()
      await sluice.stop('SIGKILL')
      await Promise.all([ordered.idle(), plain.idle()])
      ledger.isOver()
    },
    async verify(sluice) {
      await ledger.allEnded()
      await settled(sluice.api)
      const verdict = ledger.check()
      expect(verdict.violations).toEqual([])
      return verdict
    },
  }
}
