// Sluice in this process, for tests in which time matters: real sockets, but a clock that the test moves.

import type { Observer } from '@sluice/broker'
import { manualClock, type ManualClock } from '@sluice/clock'
import { openController, type Controller } from '@sluice/controller'
import { deliverer } from '@sluice/delivery'
import { formatProblems, loadFiles } from '@sluice/resource'
import { metrics, openServer, type ServerLimits, type SluiceServer } from '@sluice/server'
import { onTestFinished } from 'vitest'
import { folderOf } from './sluice.ts'

/** A step of an event, as the broker's observer was told it. */
export type Step =
  | {
      readonly step: 'attempted'
      readonly at: 'subscriber' | 'reply' | 'sink'
      readonly attempt: number
      readonly status: number
    }
  | { readonly step: 'parked'; readonly delayMs: number }
  | { readonly step: 'settled' }
  | { readonly step: 'deadLettered'; readonly into: 'sink' | 'box'; readonly reason: string }
  | { readonly step: 'targetChanged'; readonly state: string }
  | { readonly step: 'discarded'; readonly events: number }

/** Sluice, running here. */
export interface Here {
  readonly clock: ManualClock
  readonly controller: Controller
  readonly server: SluiceServer
  readonly ingress: string
  readonly api: string
  /** Address of Broker default/default. */
  readonly broker: string
  readonly steps: readonly Step[]
  /** Resolves with the `n`-th step of this kind, 1 being the first. */
  step<S extends Step['step']>(step: S, n?: number): Promise<Extract<Step, { step: S }>>
  /** Makes this YAML the whole configuration. */
  apply(yaml: string): Promise<void>
}

/** What a test may want otherwise than it is. */
export interface HereOptions {
  readonly memoryBytes?: number
  readonly hopsMax?: number
  readonly limits?: Partial<ServerLimits>
}

/** Starts Sluice on this YAML; waits have no jitter. It ends with the test. */
export async function sluiceHere(yaml: string, options: HereOptions = {}): Promise<Here> {
  const { memoryBytes = 16 * 1024 * 1024, hopsMax = 255, limits = {} } = options
  const clock = manualClock()
  const counted = metrics()
  const deliveries = deliverer({ clock })
  const { steps, step, observer } = recordSteps(counted.observer)
  const controller = openController({
    clock,
    deliverer: deliveries,
    observer,
    memoryBytes,
    hopsMax,
    random: () => 0,
  })
  const server = openServer({ controller, metrics: counted, clock, version: 'test', limits })
  const address = { host: '127.0.0.1', port: 0 }
  const { ingress, api } = await server.listen({ ingress: address, api: address })
  const apply = async (text: string): Promise<void> => {
    const { resources, problems } = await loadFiles([folderOf({ 'sluice.yaml': text })])
    if (problems.some(({ severity }) => severity === 'error')) throw new Error(formatProblems(problems))
    const refused = await controller.apply(resources, { base: ingress })
    if (refused.length > 0) throw new Error(formatProblems(refused))
  }
  onTestFinished(async () => {
    await deliveries.close({ deadlineMs: 0 }) // first: what is under way is broken off, so nobody waits for it
    await controller.close({ deadlineMs: 0 })
    const closed = server.close({ deadlineMs: 0 })
    clock.advance(0)
    await closed
  })
  await apply(yaml)
  server.setState('ready')
  return { clock, controller, server, ingress, api, broker: `${ingress}/default/default`, steps, step, apply }
}

function recordSteps(to: Observer): Pick<Here, 'steps' | 'step'> & { observer: Observer } {
  const steps: Step[] = []
  let changed = Promise.withResolvers<void>()
  const note = (step: Step): void => {
    steps.push(step)
    changed.resolve()
    changed = Promise.withResolvers()
  }
  const observer: Observer = {
    ...to,
    attempted(trigger, event, outcome, at, attempt) {
      to.attempted(trigger, event, outcome, at, attempt)
      note({ step: 'attempted', at, attempt, status: outcome.status })
    },
    parked(trigger, event, delayMs) {
      to.parked(trigger, event, delayMs)
      note({ step: 'parked', delayMs })
    },
    settled(trigger, event) {
      to.settled(trigger, event)
      note({ step: 'settled' })
    },
    deadLettered(trigger, event, into, reason, error) {
      to.deadLettered(trigger, event, into, reason, error)
      note({ step: 'deadLettered', into, reason })
    },
    targetChanged(trigger, state) {
      to.targetChanged(trigger, state)
      note({ step: 'targetChanged', state })
    },
    discarded(trigger, events, cause) {
      to.discarded(trigger, events, cause)
      note({ step: 'discarded', events })
    },
  }
  return {
    steps,
    observer,
    async step<S extends Step['step']>(kind: S, n = 1) {
      for (;;) {
        const found = steps.filter((each): each is Extract<Step, { step: S }> => each.step === kind)[n - 1]
        if (found !== undefined) return found
        await changed.promise
      }
    },
  }
}
