// RELOAD, run as `node reload.ts TRIGGERS FOLDER`: files with that many triggers, of which one is edited again and again,
// read and applied as `sluice up` does it. Prints how long that holds up the event loop, as JSON.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { NO_OBSERVER } from '@sluice/broker'
import { systemClock } from '@sluice/clock'
import { openController } from '@sluice/controller'
import { deliverer } from '@sluice/delivery'
import { loadFiles, rereader } from '@sluice/resource'
import { manyTriggers, mixed } from './filters.ts'
import { tell } from './measuring.ts'

/** What this program prints; medians over the edits, but for `first`. */
export interface ReloadReading {
  /** The longest that the event loop was held up while one edit was read and applied, in ms. */
  readonly blockMs: number
  /** Of the first edit, which starts the thread that reads files. */
  readonly firstBlockMs: number
  /** From the edit until it is applied, in ms; what waits for the editor to be quiet is not in it. */
  readonly applyMs: number
  /** CPU of the main thread, in ms. */
  readonly cpuMs: number
}

const EDITS = 15
/** Between two edits; a delay that is looked for every millisecond says how late it was. */
const PAUSE_MS = 300

const [, , triggers, folder] = process.argv
const resources = manyTriggers('http://127.0.0.1:9', Number(triggers), mixed)
const file = join(folder!, 'triggers.yaml')
await writeFile(file, resources.join('---\n'))
const loaded = await loadFiles([file])
const deliveries = deliverer()
const controller = openController({
  clock: systemClock,
  deliverer: deliveries,
  observer: NO_OBSERVER,
  memoryBytes: 2 ** 26,
})
const base = 'http://127.0.0.1:8080'
await controller.apply(loaded.resources, { base, locate: loaded.locate })
const reader = rereader([file], loaded)
const delays = monitorEventLoopDelay({ resolution: 1 })
delays.enable()

const edits: { blockMs: number; applyMs: number; cpuMs: number }[] = []
for (let edit = 0; edit < EDITS; edit++) {
  const lines = edit % 2 === 0 ? '' : '\n\n' // every other one moves all that stand below it
  const edited = resources.with(2, `${resources[2]!.replace('com.example.', `com.example.edited${edit}.`)}${lines}`)
  await writeFile(file, edited.join('---\n'))
  await sleep(PAUSE_MS)
  delays.reset()
  const began = performance.now()
  const used = process.threadCpuUsage()
  const { added, changed, removed, moved } = await reader.read()
  if (added.length + removed.length > 0 || changed.length !== 1) throw new Error(`${changed.length} changed, not one`)
  const refused = await controller.change({ put: changed, removed: [], moved }, { base })
  if (refused.length > 0) throw new Error(refused[0]!.message)
  await reader.applied()
  const applyMs = performance.now() - began
  const { user, system } = process.threadCpuUsage(used)
  await sleep(5) // a delay is noted after it
  edits.push({ blockMs: delays.max / 1e6, applyMs, cpuMs: (user + system) / 1000 })
}

const [first, ...others] = edits
const middle = (figure: (each: (typeof edits)[number]) => number): number =>
  others.map(figure).toSorted((a, b) => a - b)[others.length >> 1]!
const reading: ReloadReading = {
  blockMs: middle(({ blockMs }) => blockMs),
  firstBlockMs: first!.blockMs,
  applyMs: middle(({ applyMs }) => applyMs),
  cpuMs: middle(({ cpuMs }) => cpuMs),
}
tell(reading)
