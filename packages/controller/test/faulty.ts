// A scene on the driver of memory, which is real but for the faults that a test puts in.

import type { Capabilities, Channel, SubscriptionSpec } from '@sluice/channel'
import { DRIVERS, type BrokerStorage, type Drivers } from '@sluice/controller'
import { scene, type Scene, type SceneOptions } from './scene.ts'

/** What goes wrong, by the name of the broker or the id of the trigger. What returns `undefined` goes right. */
export interface Faults {
  /** Instead of opening: rejects with what it returns; a promise is waited for. */
  open?: (name: string) => unknown
  subscribe?: (spec: SubscriptionSpec) => unknown
  update?: (id: string) => unknown
  remove?: (id: string) => unknown
  close?: (name: string) => unknown
  capabilities?: Partial<Capabilities>
}

interface FaultyDriver {
  readonly drivers: Pick<Drivers, 'memory'>
  /** Asked for at every step, so that a test changes it as it goes. */
  readonly faults: Faults
  /** What was asked for, in order: `open default`, `subscribe ID`, `remove ID`, `closed default`, ... */
  readonly steps: readonly string[]
  /** How often a step was asked for. */
  count(step: string): number
}

export interface FaultyScene extends Scene, Omit<FaultyDriver, 'drivers'> {}

export function faultyScene(faults: Faults = {}, options: SceneOptions = {}): FaultyScene {
  const { drivers, ...driver } = faultyDriver(faults)
  return { ...scene({ ...options, drivers }), ...driver }
}

function faultyDriver(faults: Faults): FaultyDriver {
  const steps: string[] = []
  const step = async (what: string, name: string, fault: () => unknown): Promise<void> => {
    steps.push(`${what} ${name}`)
    const error = await fault()
    if (error !== undefined) throw error
  }
  const memory = async (settings: Parameters<Drivers['memory']>[0]): Promise<BrokerStorage> => {
    const { name } = settings.broker
    await step('open', name, () => faults.open?.(name))
    const storage = await DRIVERS.memory(settings)
    breakChannel(storage.channel, name)
    return storage
  }

  function breakChannel(channel: Channel, name: string): void {
    const { subscribe, remove, close } = channel
    Object.assign(channel, {
      capabilities: { ...channel.capabilities, ...faults.capabilities },
      async subscribe(spec, deliver) {
        await step('subscribe', spec.id, () => faults.subscribe?.(spec))
        const subscription = await subscribe.call(channel, spec, deliver)
        const { update } = subscription
        subscription.update = async (change) => {
          await step('update', spec.id, () => faults.update?.(spec.id))
          await update.call(subscription, change)
        }
        return subscription
      },
      async remove(id) {
        await step('remove', id, () => faults.remove?.(id))
        return remove.call(channel, id)
      },
      async close(options) {
        await step('close', name, () => faults.close?.(name))
        await close.call(channel, options)
        steps.push(`closed ${name}`)
      },
    } satisfies Partial<Channel>)
  }

  return { drivers: { memory }, faults, steps, count: (what) => steps.filter((each) => each === what).length }
}
