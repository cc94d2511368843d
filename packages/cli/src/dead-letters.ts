// `sluice dead-letters`: what is in the boxes of a running sluice; once more to its trigger, or away with it.

import { ask, clientOf, type Client } from './client.ts'
import { EXIT, exitWith } from './exit.ts'
import type { ClientFlags } from './flags.ts'
import type { Output } from './outputs.ts'
import { ageOf, listOf, printable, printableLines, printRows, printValue, type Column } from './table.ts'

/** Which dead letters, where not by their ids. */
export interface ChoiceFlags extends ClientFlags {
  broker?: string
  trigger?: string
  allNamespaces?: boolean
}

/** An entry, as the API shows it. */
interface Entry {
  readonly id: string
  readonly namespace: string
  readonly broker: string
  readonly trigger: string
  readonly time: string
  readonly reason: 'undeliverable' | 'sink' | 'loop'
  readonly attempts: number
  readonly code: number
  readonly error: string
  readonly response?: { readonly text: string } | { readonly base64: string }
  readonly dataBytes: number
  readonly event: Readonly<Record<string, unknown>>
}

const PATH = '/sluice/v1/dead-letters'

// --- list ---

interface List {
  readonly items: readonly Entry[]
  readonly total: number
  readonly notOpen?: readonly string[]
}

export async function listDeadLetters(flags: ChoiceFlags & { output: Output; limit: number }): Promise<void> {
  const { output, limit, allNamespaces } = flags
  const answer = await ask<List>(client('list', flags), 'GET', `${PATH}?${choice(flags, { limit: String(limit) })}`)
  const { items, total, notOpen = [] } = answer
  await printRows(items, {
    output,
    columns: allNamespaces ? [{ title: 'NAMESPACE', of: ({ namespace }) => namespace }, ...COLUMNS] : COLUMNS,
    name: ({ id }) => id,
    answer,
    none: `No dead letters${allNamespaces ? '' : ` in namespace ${flags.namespace}`}.`,
  })
  const more = total - items.length
  if (more > 0) process.stderr.write(`${more} more; these are the oldest. --limit shows up to 500.\n`)
  if (notOpen.length > 0)
    process.stderr.write(`Not looked into, for they are not open: Broker ${notOpen.join(', ')}.\n`)
}

const COLUMNS: readonly Column<Entry>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'TRIGGER', of: ({ trigger }) => trigger },
  { title: 'TYPE', of: ({ event }) => cut(String(event['type']), 40) },
  { title: 'CODE', of: ({ code }) => String(code) },
  { title: 'ATTEMPTS', of: ({ attempts }) => String(attempts) },
  { title: 'AGE', of: ({ time }) => ageOf(time) },
  { title: 'ERROR', of: ({ error }) => cut(error, 80) },
]

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 3)}...`
}

// --- show ---

export async function showDeadLetter(id: string, flags: ClientFlags & { output: Output }): Promise<void> {
  const entry = await ask<Entry>(client('show', flags), 'GET', `${PATH}/${encodeURIComponent(id)}`)
  const { output } = flags
  if (output === 'json' || output === 'yaml') return printValue(entry, output)
  process.stdout.write(output === 'name' ? `${printable(entry.id)}\n` : described(entry))
}

function described(entry: Entry): string {
  const { id, namespace, broker, trigger, time, reason, attempts, code, error, response, dataBytes, event } = entry
  const { data, data_base64: base64, ...attributes } = event
  const about = listOf({
    ID: id,
    Trigger: `${namespace}/${trigger}`,
    Broker: `${namespace}/${broker}`,
    Since: `${time} (${ageOf(time)})`,
    Reason: REASONS[reason],
    Attempts: String(attempts),
    'Last code': String(code),
    Error: error,
    Response: response && ('text' in response ? response.text || '<empty>' : `base64 ${response.base64}`),
  })
  const fields = Object.entries(attributes).map(([name, value]) => [`  ${name}`, String(value)] as const)
  return `${about}Event\n${listOf(Object.fromEntries(fields))}${dataText(data, base64, dataBytes)}`
}

const REASONS = {
  undeliverable: 'undeliverable: out of tries, or refused for good, and there is no dead-letter sink',
  sink: 'sink: its dead-letter sink did not take it either',
  loop: "loop: a reply of the trigger's subscriber whose hops were used up",
} as const

/** JSON and text as people read them; what is neither, with its size. */
function dataText(data: unknown, base64: unknown, bytes: number): string {
  if (typeof base64 === 'string') return `Data (${bytes} bytes, in base64)\n${base64}\n`
  if (data === undefined) return 'No data\n'
  const text = typeof data === 'string' ? data : JSON.stringify(data, null, 2)
  return `Data (${bytes} bytes)\n${printableLines(text)}\n`
}

// --- redrive ---

export async function redriveDeadLetters(ids: readonly string[], flags: ChoiceFlags): Promise<void> {
  const { trigger, namespace } = flags
  const from = client('redrive', flags)
  requireOneChoice(from.word, ids, trigger === undefined ? [] : ['--trigger'])
  let begun = 0
  if (trigger !== undefined) {
    const query = new URLSearchParams({ namespace, trigger }).toString()
    begun = (await ask<{ redriving: number }>(from, 'POST', `${PATH}/redrive?${query}`)).redriving
  }
  for (const id of ids) {
    begun += (await ask<{ redriving: number }>(from, 'POST', `${PATH}/${encodeURIComponent(id)}/redrive`)).redriving
  }
  process.stdout.write(
    begun === 0
      ? `nothing to redrive: Trigger ${namespace}/${trigger} has no dead letters\n`
      : `redriving ${counted(begun)}; each leaves the box once it is delivered\n`,
  )
}

// --- purge ---

export async function purgeDeadLetters(
  ids: readonly string[],
  flags: ChoiceFlags & { all?: boolean; yes?: boolean },
): Promise<void> {
  const { all = false, trigger, broker, yes = false, allNamespaces = false } = flags
  const from = client('purge', flags)
  const whole = [all && '--all', trigger !== undefined && '--trigger', broker !== undefined && '--broker']
  requireOneChoice(
    from.word,
    ids,
    whole.filter((each) => each !== false),
  )
  if (process.stdin.isTTY && !yes) await askForYes(from, ids, flags)
  let purged = 0
  if (ids.length === 0) {
    const query = choice(flags, allNamespaces && all ? { all: 'true' } : {})
    purged = (await ask<{ purged: number }>(from, 'DELETE', `${PATH}?${query}`)).purged
  }
  for (const id of ids) {
    purged += (await ask<{ purged: number }>(from, 'DELETE', `${PATH}/${encodeURIComponent(id)}`)).purged
  }
  process.stdout.write(`purged ${counted(purged)}\n`)
}

/** A person at a terminal may have slipped. */
async function askForYes(from: Client, ids: readonly string[], flags: ChoiceFlags): Promise<never> {
  const there = ids.length > 0 ? ids.length : (await ask<List>(from, 'GET', `${PATH}?${choice(flags)}`)).total
  exitWith(EXIT.usage, `${from.word}: this removes ${counted(there)} for good. Say so with --yes.`)
}

// --- In common ---

function client(word: string, flags: ClientFlags): Client {
  return clientOf(`sluice dead-letters ${word}`, flags)
}

function choice({ namespace, broker, trigger, allNamespaces }: ChoiceFlags, more: Record<string, string> = {}): string {
  return new URLSearchParams({
    ...(!allNamespaces && { namespace }),
    ...(broker !== undefined && { broker }),
    ...(trigger !== undefined && { trigger }),
    ...more,
  }).toString()
}

function requireOneChoice(word: string, ids: readonly string[], flags: readonly string[]): void {
  if (ids.length > 0 !== flags.length > 0) return
  const what = ids.length > 0 ? `Name ids or ${flags.join(', ')}, not both` : 'Name the ids, or a --trigger'
  exitWith(EXIT.usage, `${word}: ${what}. sluice dead-letters list shows what is there.`)
}

function counted(entries: number): string {
  return `${entries} dead ${entries === 1 ? 'letter' : 'letters'}`
}
