// `sluice try`: offline, which Triggers of these files an event would reach, and what request each subscriber would get.
// Made for CI: `--expect` compares, and says what differs.

import { isDeepStrictEqual } from 'node:util'
import { tryEvent as tryAll, type Tried } from '@sluice/controller'
import { decodeStructured, SluiceError, type Event } from '@sluice/event'
import { formatProblems, loadFiles } from '@sluice/resource'
import { namedIn } from './client.ts'
import { EXIT, exitWith } from './exit.ts'
import { readInput } from './input.ts'
import type { Output } from './outputs.ts'
import { printable, printableLines, printRows, tableOf } from './table.ts'

export interface TryFlags {
  event: string
  broker?: string
  expect?: string
  output: Output
}

const WORD = 'sluice try'
/** Where `sluice up` has its brokers, unless it is told otherwise. */
const BASE = 'http://127.0.0.1:8080'

export async function tryEvent(paths: string[], { event: file, broker, expect, output }: TryFlags): Promise<void> {
  const { resources, problems } = await loadFiles(paths)
  const errors = problems.filter(({ severity }) => severity === 'error') // sluice validate tells the warnings
  if (errors.length > 0) exitWith(EXIT.failed, formatProblems(errors))
  const event = eventOf(await readInput(WORD, file), file)
  const named = broker === undefined ? undefined : namedIn(broker, 'default')
  if (broker !== undefined && named === undefined) {
    exitWith(EXIT.usage, `${WORD}: "${broker}" names no Broker. Write NAME or NAMESPACE/NAME.`)
  }
  const of = named === undefined ? {} : { broker: `${named.namespace}/${named.name}` }
  const tried = tryAll(resources, event, { base: BASE, ...of })
  if (expect !== undefined) return compare(tried, await expectedOf(expect))
  await print(tried, output)
}

function eventOf(bytes: Buffer, file: string): Event {
  try {
    return decodeStructured(bytes)
  } catch (error) {
    if (error instanceof SluiceError) exitWith(EXIT.failed, `${WORD}: ${file}: ${error.message}`)
    throw error
  }
}

// --- What it prints ---

async function print(tried: readonly Tried[], output: Output): Promise<void> {
  if (output !== 'table') {
    return printRows(output === 'name' ? tried.filter(({ reached }) => reached) : tried, {
      output,
      columns: [],
      name: ({ trigger }) => trigger,
      answer: { triggers: tried },
      none: 'It reaches no Trigger.',
    })
  }
  const reached = tried.filter((each) => each.reached)
  const missed = tried.filter((each) => !each.reached)
  const parts = reached.map(reachedText)
  if (missed.length > 0) {
    const columns = [
      { title: 'NOT REACHED', of: ({ trigger }: Tried) => trigger },
      { title: 'WHY', of: ({ reason }: Tried) => reason! },
    ]
    parts.push(tableOf(columns, missed))
  }
  process.stdout.write(parts.length === 0 ? 'There is no Trigger.\n' : parts.join('\n'))
}

/** The request, as it goes over the wire. */
function reachedText({ trigger, paused, request }: Tried): string {
  const { method, url, headers, body } = request!
  const lines = Object.entries(headers).map(([name, value]) => `  ${name}: ${value}`)
  const waits = paused ? ', where it waits: sluice.dev/paused' : ''
  const head = [`Trigger ${trigger} is reached${waits}`, `  ${method} ${url}`, ...lines].map(printable).join('\n')
  return body === '' ? `${head}\n` : `${head}\n\n  ${printableLines(body).replaceAll('\n', '\n  ')}\n`
}

// --- --expect ---

/** What somebody expects of a trigger: of the fields that are there, each has to be the same. */
type Expected = Partial<Tried> & { readonly trigger: string }

async function expectedOf(path: string): Promise<Expected[]> {
  const { parse } = await import('yaml')
  const text = (await readInput(WORD, path)).toString('utf8')
  try {
    const { triggers } = parse(text) as { triggers: Expected[] }
    if (triggers.every(({ trigger }) => typeof trigger === 'string')) return triggers
  } catch {
    // As below.
  }
  const form = 'triggers:\n- trigger: default/billing\n  reached: true'
  exitWith(EXIT.failed, `${WORD}: ${path} has to be YAML or JSON as sluice try -o yaml prints it, such as\n${form}`)
}

/** Every trigger that is reached has to be expected, and every one that is expected has to be as it is expected. */
function compare(tried: readonly Tried[], expected: readonly Expected[]): void {
  const differences: string[] = []
  const byName = new Map(tried.map((each) => [each.trigger, each]))
  for (const { trigger, ...fields } of expected) {
    const found = byName.get(trigger)
    byName.delete(trigger)
    if (found === undefined) differences.push(`${trigger}: there is no such Trigger`)
    else differ(trigger, { reached: true, ...fields }, found, found.reason, differences)
  }
  for (const { trigger, reached } of byName.values()) {
    if (reached) differences.push(`${trigger}: is reached, and that is not expected`)
  }
  if (differences.length === 0) return void process.stdout.write(`as expected: ${counted(expected.length)}\n`)
  exitWith(EXIT.failed, differences.map((line) => `${printable(line)}\n`).join(''))
}

function differ(path: string, expected: object, found: object, reason: string | undefined, to: string[]): void {
  for (const [field, value] of Object.entries(expected)) {
    const actual = (found as Record<string, unknown>)[field]
    if (isDeepStrictEqual(value, actual)) continue
    if (isPlain(value) && isPlain(actual)) differ(`${path}.${field}`, value, actual, undefined, to)
    else if (field === 'reached' && value === true) to.push(`${path}: is not reached: ${reason ?? 'nobody knows why'}`)
    else to.push(`${path}.${field}: expected ${shown(value)}, and it is ${shown(actual)}`)
  }
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  return value === undefined ? 'not there' : JSON.stringify(value)
}

function counted(triggers: number): string {
  return `${triggers} ${triggers === 1 ? 'Trigger' : 'Triggers'}`
}
