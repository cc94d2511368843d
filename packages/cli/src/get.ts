// `sluice get`: what is declared in a running sluice and how it does, as tables, and as they change with `-w`.

import type { Kind, Resource } from '@sluice/resource'
import { clientOf, whyUnreachable, type Client } from './client.ts'
import { columnsOf } from './columns.ts'
import { untakenText } from './event-type-words.ts'
import { EXIT, exitWith } from './exit.ts'
import type { ClientFlags } from './flags.ts'
import type { Output } from './outputs.ts'
import { lines } from './request.ts'
import { get, list, nameOf, pathOf, wantedOf, type Wanted } from './resources.ts'
import { growingTable, printRows, printValue } from './table.ts'

/** Flags of `sluice get`. */
export interface GetFlags extends ClientFlags {
  allNamespaces?: boolean
  output: Output
  selector?: string
  watch?: boolean
}

export async function getResources(words: readonly string[], flags: GetFlags): Promise<void> {
  const { namespace, allNamespaces = false } = flags
  const client = clientOf('sluice get', flags)
  const wanted = await wantedOf(client, words)
  const of = allNamespaces ? undefined : namespace
  if (flags.watch) return watch(client, wanted, of, flags)
  const found: { kind: Kind; items: readonly Resource[] }[] = []
  for (const { kind, name } of wanted) {
    const items =
      name === undefined ? await listed(client, kind, of, flags) : [await get(client, kind, namespace, name)]
    const last = found.at(-1)
    if (last?.kind === kind) last.items = [...last.items, ...items]
    else found.push({ kind, items })
  }
  await print(found, wanted, flags)
}

async function listed(
  client: Client,
  kind: Kind,
  of: string | undefined,
  { selector }: GetFlags,
): Promise<readonly Resource[]> {
  const query = selector === undefined ? '' : `?labelSelector=${encodeURIComponent(selector)}`
  return (await list(client, kind, of, query)).items
}

/** One table for each kind; as JSON or YAML one value, the resource itself where one was named. */
async function print(
  found: readonly { kind: Kind; items: readonly Resource[] }[],
  wanted: readonly Wanted[],
  { output, allNamespaces = false, namespace }: GetFlags,
): Promise<void> {
  const all = found.flatMap(({ items }) => items)
  if (output === 'json' || output === 'yaml') {
    const [only] = wanted
    const value = wanted.length === 1 && only?.name !== undefined ? all[0] : listOf(all)
    return printValue(value, output)
  }
  const shown = found.filter(({ items }) => items.length > 0)
  if (shown.length === 0) {
    const plurals = [...new Set(wanted.map(({ kind }) => kind.plural))].join(', ')
    return void process.stderr.write(`No ${plurals} found${allNamespaces ? '' : ` in namespace ${namespace}`}.\n`)
  }
  for (const [at, { kind, items }] of shown.entries()) {
    if (at > 0 && output === 'table') process.stdout.write('\n')
    const columns = columnsOf(kind, allNamespaces && kind.namespaced)
    if (shown.length > 1) columns[columns.findIndex(({ title }) => title === 'NAME')] = FULL_NAME
    await printRows(items, { output, columns, name: nameOf, answer: undefined, none: '' })
    const note = kind.kind === 'EventType' && output === 'table' ? untakenText(items) : undefined
    if (note !== undefined) process.stderr.write(`${note}\n`)
  }
}

/** In a table among others, as kubectl has it. */
const FULL_NAME = { title: 'NAME', of: nameOf }

function listOf(items: readonly Resource[]): object {
  return { apiVersion: 'v1', kind: 'List', metadata: {}, items }
}

// --- Watching ---

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: Resource
}

/** What is there, then a row for each change, until Ctrl-C. */
async function watch(
  client: Client,
  wanted: readonly Wanted[],
  of: string | undefined,
  flags: GetFlags,
): Promise<void> {
  const [first, second] = wanted
  if (first === undefined || second !== undefined) {
    exitWith(EXIT.usage, 'sluice get: -w watches one kind, or one of its resources.')
  }
  const { kind, name } = first
  const show = await shower(kind, flags)
  const selectors = new URLSearchParams({
    ...(name !== undefined && { fieldSelector: `metadata.name=${name}` }),
    ...(flags.selector !== undefined && { labelSelector: flags.selector }),
  })
  for (;;) {
    const { items, metadata } = await list(client, kind, of, `?${selectors.toString()}`)
    show(items)
    await follow(
      client,
      `${pathOf(kind, of)}?watch=true&resourceVersion=${metadata.resourceVersion}&${selectors.toString()}`,
      show,
    )
  }
}

/** Until the server says that it no longer knows what came between: then all of it is read anew. */
async function follow(client: Client, path: string, show: (items: readonly Resource[]) => void): Promise<void> {
  const url = client.server + path
  try {
    for await (const line of lines(url, client)) {
      const { type, object } = JSON.parse(line) as WatchEvent
      if (type === 'ERROR') return
      if (type !== 'BOOKMARK') show([type === 'DELETED' ? deleted(object) : object])
    }
  } catch (error) {
    exitWith(EXIT.unreachable, `${client.word}: ${whyUnreachable(url, error as Error)}`)
  }
}

async function shower(
  kind: Kind,
  { output, allNamespaces = false }: GetFlags,
): Promise<(items: readonly Resource[]) => void> {
  if (output === 'table') {
    const rows = growingTable(columnsOf(kind, allNamespaces && kind.namespaced))
    return (items) => void process.stdout.write(rows(items))
  }
  if (output === 'name') return (items) => void process.stdout.write(items.map((item) => `${nameOf(item)}\n`).join(''))
  const { stringify } = await import('yaml')
  const text = (item: Resource): string =>
    output === 'json' ? `${JSON.stringify(item)}\n` : `---\n${stringify(item, { lineWidth: 0 })}`
  return (items) => void process.stdout.write(items.map(text).join(''))
}

/** Its last row says so. */
function deleted(resource: Resource): Resource {
  const gone = { type: 'Ready', status: 'Unknown' as const, reason: 'Deleted', message: 'it is gone' }
  return { ...resource, status: { observedGeneration: 0, ...resource.status, conditions: [gone] } }
}
