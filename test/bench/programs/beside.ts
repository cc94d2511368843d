// The programs that Sluice is measured beside, started for one round.

import { fileURLToPath } from 'node:url'
import type { Context } from '../goal.ts'
import { startProgram, type Program } from './program.ts'

/** Headers and bytes as they came, to subscriber 0. */
export async function startBareProxy(context: Context): Promise<Program> {
  return await startRelay(context, 'bare proxy', './bare-proxy.ts')
}

/** Structured events in, binary events out, by JSON.parse and JSON.stringify, to subscriber 0. */
export async function startJsonRelay(context: Context): Promise<Program> {
  return await startRelay(context, 'JSON relay', './json-relay.ts')
}

/** The bare proxy, with so much CPU burnt for each event. Proves the benchmark itself. */
export async function startSlowRelay(context: Context, burnUs: number): Promise<Program> {
  return await startRelay(context, 'slow relay', './slow-relay.ts', String(burnUs))
}

/** Loads what any program of this kind loads, and parses the YAML (G10). */
export async function startStarter(context: Context, file: string): Promise<Program> {
  const args = [fileOf('./starter.ts'), file]
  return await startProgram(context.children, 'starter', { args, path: '/default/bench' })
}

/** No program at all: the generator posts to the sink itself. What it measures is the benchmark's own share. */
export function noProgram(context: Context): Promise<Program> {
  const address = `${context.load.sink}/0`
  return Promise.resolve({ name: 'none', pid: 0, address, readyMs: 0, startedAt: 0, end: () => Promise.resolve() })
}

async function startRelay(context: Context, name: string, file: string, ...args: string[]): Promise<Program> {
  const command = [fileOf(file), `${context.load.sink}/0`, ...args]
  return await startProgram(context.children, name, { args: command, path: '/', channel: true })
}

function fileOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}
