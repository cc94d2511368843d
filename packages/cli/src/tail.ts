// `sluice tail`: events and what becomes of them, as they come, until Ctrl-C.

import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { clientOf, namedIn, whyRefused, whyUnreachable } from './client.ts'
import { parseExact } from './exact-json.ts'
import { EXIT, exitWith } from './exit.ts'
import { stepLine, type StepJson } from './explain.ts'
import type { ClientFlags } from './flags.ts'
import { requestStream } from './request.ts'
import { printable } from './table.ts'

export interface TailFlags extends ClientFlags {
  trigger?: string
  filter?: string[]
  from?: string
  output: 'text' | 'json'
}

/** A line of the API. */
interface Line extends StepJson {
  readonly namespace: string
  readonly broker: string
  readonly trigger?: string
  /** Where the data is not there, for it is large. */
  readonly dataBytes?: number
  /** Of `dropped`. */
  readonly lines?: number
  readonly event: Readonly<Record<string, unknown>>
}

const WORD = 'sluice tail'

export async function tail(broker: string | undefined, flags: TailFlags): Promise<void> {
  const path = `/sluice/v1/tail?${queryOf(broker, flags)}`
  const url = flags.server + path
  const answer = await requestStream(url, clientOf(WORD, flags)).catch((error: unknown) => {
    exitWith(EXIT.unreachable, `${WORD}: ${whyUnreachable(url, error as Error)}`)
  })
  if (answer.statusCode !== 200) {
    const refused = { status: answer.statusCode ?? 0, body: await text(answer) }
    exitWith(EXIT.failed, `${WORD}: ${whyRefused(flags.server, path, refused)}`)
  }
  process.stdout.on('error', () => process.exit(EXIT.ok)) // `| head` has seen enough
  try {
    for await (const line of createInterface({ input: answer })) if (line !== '') show(line, flags.output)
  } catch {
    // As where it ends.
  }
  exitWith(EXIT.unreachable, `${WORD}: ${flags.server} has ended it.`)
}

function queryOf(broker: string | undefined, { namespace, trigger, filter = [], from }: TailFlags): string {
  const named = broker === undefined ? undefined : namedIn(broker, namespace)
  if (broker !== undefined && named === undefined) {
    exitWith(EXIT.usage, `${WORD}: "${broker}" names no Broker. Write NAME or NAMESPACE/NAME.`)
  }
  const query = new URLSearchParams({ namespace: named?.namespace ?? namespace })
  if (named !== undefined) query.set('broker', named.name)
  if (trigger !== undefined) query.set('trigger', trigger)
  if (from !== undefined) query.set('from', from)
  for (const pair of filter) query.append('filter', pair)
  return query.toString()
}

function show(text: string, output: TailFlags['output']): void {
  process.stdout.write(`${output === 'json' ? text : printable(lineOf(parseExact(text) as Line))}\n`)
}

function lineOf(line: Line): string {
  const { time, namespace, broker, trigger, step, event, lines, replyOf } = line
  if (step === 'dropped') return `... ${lines} lines are missing: this reader was too slow`
  const { id, type } = event
  const isShown = 'specversion' in event
  const what = isShown ? eventText(line) : `id ${String(id)}, type ${String(type)}`
  if (step === 'judged') return `${stepLine(line)}; ${namespace}/${broker}  ${what}${replyText(replyOf)}`
  if (trigger === undefined) return `${time.slice(11, 23)}  ${namespace}/${broker}  ${what}${replyText(replyOf)}`
  const words = isShown ? `${time.slice(11, 23)}  matched` : stepLine(line)
  return `${words.slice(0, 14)}  ${trigger}: ${words.slice(14)}; ${what}`
}

function replyText(trigger: string | undefined): string {
  return trigger === undefined ? '' : `  (reply of Trigger ${trigger})`
}

/** Its attributes on one line, and its data as far as they came. */
function eventText({ event, dataBytes }: Line): string {
  const { data, data_base64: base64, specversion: _, id, type, source, ...others } = event
  const more = Object.entries(others)
    .filter(([name]) => name !== 'knativearrivaltime' && name !== 'datacontenttype')
    .map(([name, value]) => `, ${name} ${String(value)}`)
  const what = typeof base64 === 'string' ? `base64 ${base64}` : data === undefined ? '' : JSON.stringify(data)
  const shown = dataBytes === undefined ? what : `${dataBytes} bytes of data`
  return `id ${String(id)}, type ${String(type)}, source ${String(source)}${more.join('')}${shown === '' ? '' : `  ${shown}`}`
}
