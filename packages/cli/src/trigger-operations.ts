// `sluice pause`, `resume`, `seek` and `prune`: what people do beside changing resources.

import { isTimestamp } from '@sluice/event'
import { ask, namedIn, type Client } from './client.ts'
import { EXIT, exitWith } from './exit.ts'
import type { ClientFlags } from './flags.ts'

interface Operated {
  /** Whether it holds after a restart. */
  readonly kept: boolean
  /** Of a seek. */
  readonly to?: string
  readonly skipped?: number
}

export async function pause(trigger: string, flags: ClientFlags): Promise<void> {
  const { name, answer } = await operate('pause', trigger, flags)
  tell(`Trigger ${name} is paused; what matches is kept and waits. sluice resume ends it.`, answer)
}

export async function resume(trigger: string, flags: ClientFlags): Promise<void> {
  const { name } = await operate('resume', trigger, flags)
  process.stdout.write(`Trigger ${name} is not paused\n`)
}

export async function seek(trigger: string, flags: ClientFlags & { to: string }): Promise<void> {
  if (flags.to !== 'earliest' && flags.to !== 'latest' && !isTimestamp(flags.to)) {
    const hint = 'It has to be earliest, latest, or an RFC 3339 time such as 2026-11-24T18:48:23Z.'
    exitWith(EXIT.usage, `sluice seek: --to is ${JSON.stringify(flags.to)}. ${hint}`)
  }
  const query = `?${new URLSearchParams({ to: flags.to }).toString()}`
  const { name, answer } = await operate('seek', trigger, flags, query)
  const { to = flags.to, skipped = 0 } = answer
  const passedBy = skipped === 0 ? '' : `; ${counted(skipped, 'event')} that waited will not be sent`
  tell(`Trigger ${name} is set to ${to}${passedBy}`, answer)
}

export async function prune({ server, yes = false }: ClientFlags & { yes?: boolean }): Promise<void> {
  if (process.stdin.isTTY && !yes) {
    const what = 'the data of removed Brokers, and where removed Triggers stood,'
    exitWith(EXIT.usage, `sluice prune: this removes ${what} for good. Say so with --yes.`)
  }
  const client: Client = { word: 'sluice prune', server }
  const { brokers, cursors } = await ask<{ brokers: number; cursors: number }>(client, 'POST', '/sluice/v1/prune')
  process.stdout.write(
    `removed the data of ${counted(brokers, 'Broker')}, and the places of ${counted(cursors, 'Trigger')}\n`,
  )
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

async function operate(
  word: 'pause' | 'resume' | 'seek',
  trigger: string,
  { server, namespace }: ClientFlags,
  query = '',
): Promise<{ name: string; answer: Operated }> {
  const client: Client = { word: `sluice ${word}`, server }
  const named = namedIn(trigger, namespace)
  if (named === undefined) {
    exitWith(EXIT.usage, `${client.word}: "${trigger}" names no Trigger. Write NAME or NAMESPACE/NAME.`)
  }
  const path = [named.namespace, named.name, word].map(encodeURIComponent).join('/')
  const answer = await ask<Operated>(client, 'POST', `/sluice/v1/triggers/${path}${query}`)
  return { name: `${named.namespace}/${named.name}`, answer }
}

function tell(message: string, { kept }: Operated): void {
  process.stdout.write(`${message}\n`)
  if (!kept) process.stderr.write('That ends with the process, for it keeps nothing on disk.\n')
}
