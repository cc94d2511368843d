// `sluice webhook test`: what a provider would send, signed by the running sluice with the secret of the source, which never
// leaves it; so a wiring can be tried without the provider, and without knowing the secret.

import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { ask, clientOf } from './client.ts'
import { EXIT, exitWith } from './exit.ts'
import type { ClientFlags } from './flags.ts'
import { printable } from './table.ts'

export interface WebhookTestFlags extends ClientFlags {
  fixture: string
  event?: string
  header?: string[]
}

/** What the API answers. */
interface Tried {
  readonly status: number
  readonly body: string
  readonly events: readonly Readonly<Record<string, string>>[]
  readonly sinkUri?: string
}

const WORD = 'sluice webhook test'

export async function webhookTest(source: string, flags: WebhookTestFlags): Promise<void> {
  const { namespace: byDefault, fixture, event } = flags
  const client = clientOf(WORD, flags)
  const [name = '', namespace = byDefault, ...more] = source.split('/').toReversed()
  if (name === '' || namespace === '' || more.length > 0)
    exitWith(EXIT.usage, `${WORD}: "${source}" names no source. Write NAME or NAMESPACE/NAME.`)
  const body = await read(fixture)
  const headers = (flags.header ?? []).flatMap(pairOf)
  const path = `/sluice/v1/webhooks/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/test`
  const example = { body: body.toString('base64'), headers, ...(event !== undefined && { event }) }
  const tried = await ask<Tried>(client, 'POST', path, example)
  process.stdout.write(`${linesOf(tried).map(printable).join('\n')}\n`)
}

function linesOf({ status, body, events, sinkUri }: Tried): string[] {
  const answer = `answered ${status}${body === '' ? '' : `: ${body.slice(0, 200)}`}`
  if (events.length === 0) return [`${answer}; no event: a greeting, or a delivery that was taken before`]
  return events.map(({ type, source, id, subject }) => {
    const about = subject === undefined ? '' : `, subject ${subject}`
    return `${answer}; stored ${sinkUri === undefined ? '' : `at ${sinkUri}`}: type ${type}, source ${source}, id ${id}${about}`
  })
}

function pairOf(text: string): string[] {
  const colon = text.indexOf(':')
  if (colon < 1) exitWith(EXIT.usage, `${WORD}: --header "${text}" has to be 'Name: value'`)
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]
}

async function read(path: string): Promise<Buffer> {
  try {
    return path === '-' ? await buffer(process.stdin) : await readFile(path)
  } catch (error) {
    exitWith(EXIT.failed, `${WORD}: can't read ${path}: ${(error as Error).message}`)
  }
}
