// A data folder in which the broker's log is full of events already, for a Sluice that is started on it.

import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { resourceUid } from '@sluice/resource'
import type { Context } from '../goal.ts'
import type { Filled, FillOrder } from './log-filler.ts'
import { startMeasuring } from './measuring.ts'

export interface FilledLogSpec {
  readonly events: number
  /** The names of triggers in `default`, all of which want every event. */
  readonly triggers: readonly string[]
  /** Whether they have it all delivered; else all of it waits for each of them. */
  readonly settled: boolean
}

const GROUP = 'eventing.knative.dev'

/** Resolves with the path for `--data`. */
export async function filledLog(context: Context, { events, triggers, settled }: FilledLogSpec): Promise<string> {
  context.say(`filling a log with ${events.toLocaleString('en')} events`)
  const data = mkdtempSync(join(context.folder, 'filled-'))
  const broker = resourceUid({ group: GROUP, kind: 'Broker', namespace: 'default', name: 'bench' })
  const order: FillOrder = {
    folder: join(data, 'brokers', broker),
    events,
    dataBytes: 1024,
    subscriptions: triggers.map((name) => resourceUid({ group: GROUP, kind: 'Trigger', namespace: 'default', name })),
    settled,
  }
  const filler = startMeasuring<Filled>(context, './log-filler.ts', JSON.stringify(order))
  try {
    await filler.reading
  } finally {
    await filler.end()
  }
  return data
}
