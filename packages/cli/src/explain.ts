// `sluice explain`: why an event reaches a Trigger or does not; of one that came in, what became of it.

import { existsSync } from 'node:fs'
import { ask, askWith, clientOf, namedIn } from './client.ts'
import { clauseLines, type ClauseJson } from './clauses.ts'
import { EXIT, exitWith } from './exit.ts'
import type { ClientFlags } from './flags.ts'
import { readInput } from './input.ts'
import type { Output } from './outputs.ts'
import { printable, printRows, printValue, type Column } from './table.ts'

export interface ExplainFlags extends ClientFlags {
  event: string
  broker?: string
  source?: string
  output: Output
}

/** Of the API. */
interface Answer {
  readonly broker: string
  /** Of an event that came in. */
  readonly id?: string
  readonly source?: string
  readonly otherSources?: readonly string[]
  readonly position?: string
  readonly stored?: string
  readonly accepted?: readonly StepJson[]
  readonly judged?: readonly StepJson[]
  readonly forgotten?: string
  readonly triggers: readonly Verdict[]
  readonly event?: object
}

interface Verdict {
  readonly trigger: string
  readonly matches?: boolean
  readonly reason?: string
  readonly filter?: ClauseJson
  readonly outcome?: string
  readonly steps?: readonly StepJson[]
}

/** A step of an event. */
export interface StepJson {
  readonly time: string
  readonly step: string
  /** Of `accepted`: the Trigger whose subscriber sent it. */
  readonly replyOf?: string
  // Of `attempted`.
  readonly attempt?: number
  readonly status?: number
  readonly ms?: number
  readonly error?: string
  readonly reply?: { readonly id: string; readonly type: string }
  readonly at?: 'reply' | 'sink'
  /** Of `parked`. */
  readonly againInMs?: number
  // Of `judged`.
  readonly isRefused?: boolean
  readonly problem?: string
  /** Of `deadLettered`. */
  readonly into?: 'sink' | 'box'
}

const WORD = 'sluice explain'

export async function explain(trigger: string | undefined, flags: ExplainFlags): Promise<void> {
  const named = trigger === undefined ? undefined : namedIn(trigger, flags.namespace)
  if (trigger !== undefined && named === undefined) {
    exitWith(EXIT.usage, `${WORD}: "${trigger}" names no Trigger. Write NAME or NAMESPACE/NAME.`)
  }
  const query = {
    namespace: named?.namespace ?? flags.namespace,
    ...(named !== undefined && { trigger: named.name }),
    ...(flags.broker !== undefined && { broker: flags.broker }),
  }
  const answer = await answerTo(query, flags)
  const { output } = flags
  if (output === 'json' || output === 'yaml') return printValue(answer, output)
  if (named === undefined || output === 'name') await printAll(answer, output)
  else process.stdout.write(explained(answer))
}

async function answerTo(query: Record<string, string>, flags: ExplainFlags): Promise<Answer> {
  const { event, source } = flags
  const client = clientOf(WORD, flags)
  if (event === '-' || existsSync(event)) {
    const path = `/sluice/v1/explain?${new URLSearchParams(query).toString()}`
    return askWith(client, 'POST', path, 'application/cloudevents+json', await readInput(WORD, event))
  }
  if (/[/\\]|\.json$/.test(event)) exitWith(EXIT.failed, `${WORD}: there is no file ${event}.`)
  const byId = new URLSearchParams({ ...query, id: event, ...(source !== undefined && { source }) })
  return ask(client, 'GET', `/sluice/v1/explain?${byId.toString()}`)
}

// --- All Triggers of a Broker: a line each ---

async function printAll(answer: Answer, output: Output): Promise<void> {
  const { triggers, broker } = answer
  if (output === 'table')
    process.stdout.write(
      eventLines(answer)
        .map((line) => `${line}\n`)
        .join(''),
    )
  const reached = triggers.toSorted((a, b) => Number(b.matches ?? false) - Number(a.matches ?? false))
  const rows = output === 'name' ? reached.filter(({ matches }) => matches) : reached
  await printRows(rows, {
    output,
    columns: answer.id === undefined ? COLUMNS : [...COLUMNS, { title: 'OUTCOME', of: ({ outcome }) => outcome ?? '' }],
    name: ({ trigger }) => trigger,
    answer,
    none: `Broker ${broker} has no Trigger${output === 'name' ? ' that it would reach' : ''}.`,
  })
}

const COLUMNS: readonly Column<Verdict>[] = [
  { title: 'TRIGGER', of: ({ trigger }) => trigger },
  { title: 'MATCHES', of: ({ matches }) => (matches === undefined ? 'unknown' : matches ? 'yes' : 'no') },
  { title: 'WHY NOT', of: ({ reason }) => reason ?? '' },
]

// --- One Trigger: each clause ---

function explained(answer: Answer): string {
  const [verdict] = answer.triggers
  const { trigger, matches, reason, filter, outcome, steps = [] } = verdict!
  const title = `Trigger ${answer.broker.split('/')[0]}/${trigger}`
  const word = matches === undefined ? 'is not judged: the event is not known' : matches ? 'matches' : 'does not match'
  const lines = [...eventLines(answer), `${title} ${word}${reason === undefined ? '' : `: ${reason}`}`]
  if (filter !== undefined) lines.push(...clauseLines(filter, 1))
  if (outcome !== undefined) lines.push(`It is ${outcome}:`, ...steps.map((step) => `  ${stepLine(step)}`))
  return lines.map((line) => `${printable(line)}\n`).join('')
}

/** Of an event that came in. */
function eventLines({
  id,
  source,
  otherSources,
  stored,
  position,
  accepted = [],
  judged = [],
  forgotten,
  event,
}: Answer): string[] {
  // prettier-ignore
  if (id === undefined) return []
  const where = stored === undefined ? 'not stored any more' : `stored at ${stored}, position ${position}`
  const lines = [`Event ${id} of ${source}: ${where}`]
  if (otherSources !== undefined) lines.push(`Events of ${otherSources.join(', ')} have this id too: --source.`)
  if (event === undefined) lines.push('Its attributes are not known any more.')
  for (const { replyOf } of accepted) if (replyOf !== undefined) lines.push(`It is a reply of Trigger ${replyOf}.`)
  for (const step of judged) lines.push(stepLine(step))
  if (forgotten !== undefined) lines.push(forgotten)
  return lines.map(printable)
}

/** What happened, in words. */
export function stepLine(step: Omit<StepJson, 'event'>): string {
  return `${step.time.slice(11, 23)}  ${wordsOf(step)}`
}

function wordsOf({
  step,
  attempt,
  status,
  ms,
  error,
  reply,
  at,
  againInMs,
  into,
  isRefused,
  problem,
}: StepJson): string {
  // prettier-ignore
  switch (step) {
    case 'attempted': {
      const where =
        at === undefined ? '' : at === 'reply' ? ' at the destination of replies' : ' at the dead-letter sink'
      const answered = reply === undefined ? '' : `, with the reply ${reply.id} of type ${reply.type}`
      return `attempt ${attempt}${where}: ${error ?? `${status}${answered}`} (${ms} ms)`
    }
    case 'judged':
      return `${isRefused ? 'refused' : 'stored all the same'}: ${problem}`
    case 'parked':
      return `tried again in ${againInMs} ms`
    case 'deadLettered':
      return into === 'box' ? 'kept in the dead-letter box' : 'dead-lettered to its sink'
    default:
      return step
  }
}
