// The two dead-letter boxes, for tests that both have to pass; and entries to put into them.

import { systemClock, type Clock } from '@sluice/clock'
import type { DeadLetterBox, NewDeadLetter } from '@sluice/channel'
import { diskBox, memoryBox, type BoxRecovery, type DiskBoxOptions } from '@sluice/broker'
import { simulatedDisk, type SimulatedDisk } from '@sluice/segments/simulation'
import { event } from './scene.ts'

export interface BoxOptions {
  clock?: Clock
  bytesMax?: number
  triggerBytesMax?: number
}

export const FOLDER = '/data/dead-letters'

/** How each of them is opened, by its name. */
export const BOXES: readonly [string, (options: BoxOptions) => Promise<DeadLetterBox>][] = [
  ['memory', async (options) => memoryBox({ clock: systemClock, ...options })],
  ['disk', async (options) => (await openDiskBox(simulatedDisk(), options)).box],
]

export function openDiskBox(
  disk: SimulatedDisk,
  options: Partial<DiskBoxOptions> = {},
): Promise<{ box: DeadLetterBox; recovery: BoxRecovery }> {
  return diskBox({ folder: FOLDER, disk, ...options })
}

/** An entry whose event has that id, and `bytes` bytes of data. */
export function entry(id: string, name: string = 'billing', bytes: number = 0): NewDeadLetter {
  return {
    event: event({ id }, bytes === 0 ? undefined : Buffer.alloc(bytes, id)),
    trigger: `default/${name}`,
    triggerId: `uid-${name}`,
    reason: 'undeliverable',
    attempts: 3,
    code: 503,
    error: 'full',
    response: Buffer.from('try later'),
  }
}

/** Appends it, and returns its id. */
export async function put(box: DeadLetterBox, ...of: Parameters<typeof entry>): Promise<string> {
  const appended = await box.append(entry(...of))
  if (!appended.stored) throw new Error('the box is full')
  return appended.id
}

/** The ids of the events in the box, in the order in which it lists them, page by page. */
export async function eventsIn(box: DeadLetterBox, trigger?: string, limit: number = 3): Promise<string[]> {
  const found: string[] = []
  let after: string | undefined
  for (;;) {
    const page = await box.list({
      limit,
      ...(trigger !== undefined && { trigger }),
      ...(after !== undefined && { after }),
    })
    if (page.length === 0) return found
    found.push(...page.map((each) => each.event.id))
    after = page.at(-1)!.id
  }
}
