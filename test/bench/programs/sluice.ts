// Sluice as its user starts it: `sluice up FILE`, with YAML, listeners on free ports, and no settings but the channel.

import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Context } from '../goal.ts'
import { EVENT_TYPE } from '../load/payload.ts'
import { startProgram, type Program } from './program.ts'

const SLUICE = fileURLToPath(new URL('../../../packages/cli/bin/sluice.mjs', import.meta.url))
/** As `sluice up` chooses it itself, by starting Node anew: that would lose the probe. */
const YOUNG_GENERATION = '--max-semi-space-size=8'
const PROBE = new URL('./probe.ts', import.meta.url)

export interface SluiceOptions {
  /** YAML documents, such as those of {@link broker} and {@link trigger}. */
  readonly resources: readonly string[]
  /** Default `memory`. */
  readonly channel?: 'memory' | 'log'
  /** Where events are posted. Default: the broker. */
  readonly path?: string
  /** Told where the YAML stands, before the start. */
  readonly written?: (files: readonly string[]) => void
  /** Its data folder, where it is not to be an empty one of its own. */
  readonly data?: string
  /** Path of a socket on which the process answers about its memory (see probe.ts). Default: none. */
  readonly probe?: string
}

/** Starts Sluice, and waits until it is ready. Events go to the broker `default/bench`. */
export async function startSluice(context: Context, options: SluiceOptions): Promise<Program> {
  const folder = mkdtempSync(join(context.folder, 'sluice-'))
  const files = writeFiles(folder, options.resources)
  options.written?.(files)
  const channel = options.channel ?? 'memory'
  const data = options.data ?? join(folder, 'data')
  const args = ['up', ...files, '--listen', '127.0.0.1:0', '--api', '127.0.0.1:0', '--data', data]
  return await startProgram(context.children, 'sluice', {
    args: [...(options.probe === undefined ? [] : [YOUNG_GENERATION]), SLUICE, ...args, '--channel', channel],
    path: options.path ?? '/default/bench',
    env: options.probe === undefined ? {} : probed(options.probe),
  })
}

/** Sluice reads files of 8 MiB at most. */
const RESOURCES_A_FILE = 20_000

function writeFiles(folder: string, resources: readonly string[]): string[] {
  const files: string[] = []
  for (let from = 0; from < resources.length; from += RESOURCES_A_FILE) {
    const file = join(folder, `bench-${files.length}.yaml`)
    writeFileSync(file, resources.slice(from, from + RESOURCES_A_FILE).join('---\n'))
    files.push(file)
  }
  return files
}

/** The heap's young generation as `sluice up` chooses it itself by starting Node anew, which would lose the probe. */
function probed(socket: string): Record<string, string> {
  return {
    NODE_OPTIONS: `--max-semi-space-size=8 --import ${pathToFileURL(fileURLToPath(PROBE)).href}`,
    BENCH_PROBE: socket,
  }
}

/** The broker that all events of the benchmark are posted to. */
export const broker: string = `apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: bench, namespace: default}
`

export interface TriggerSpec {
  readonly name: string
  readonly subscriber: string
  /** Events of this type only. Default: the type of the benchmark's events. */
  readonly type?: string
  /** Instead: the `filters` of its spec. */
  readonly filters?: readonly object[]
  /** Lines below `delivery:`, such as `timeout: PT1S`. Default: no delivery spec. */
  readonly delivery?: readonly string[]
}

/** A trigger on that broker. */
export function trigger({ name, subscriber, type = EVENT_TYPE, filters, delivery = [] }: TriggerSpec): string {
  const filter = filters === undefined ? `filter: {attributes: {type: ${type}}}` : `filters: ${JSON.stringify(filters)}`
  const lines = delivery.length === 0 ? '' : `  delivery:\n${delivery.map((line) => `    ${line}\n`).join('')}`
  return `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: ${name}, namespace: default}
spec:
  broker: bench
  ${filter}
  subscriber: {uri: "${subscriber}"}
${lines}`
}

/** The broker with one trigger: the 1:1 hop. */
export function oneTrigger(subscriber: string): string[] {
  return [broker, trigger({ name: 'only', subscriber })]
}
