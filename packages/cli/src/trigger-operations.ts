// `sluice pause`, `resume`, `seek` and `prune`: what people do to Triggers and Subscriptions beside changing resources.

import { isTimestamp } from '@sluice/event'
import { kindByName, subscriptionKind, triggerKind, type Kind } from '@sluice/resource'
import { ask, clientOf, namedIn } from './client.ts'
import { EXIT, exitWith } from './exit.ts'
import type { ClientFlags } from './flags.ts'

interface Operated {
  /** Whether it holds after a restart. */
  readonly kept: boolean
  /** Of a seek. */
  readonly to?: string
  readonly skipped?: number
}

export async function pause(words: readonly string[], flags: ClientFlags): Promise<void> {
  const { name, answer } = await operate('pause', words, flags)
  tell(`${name} is paused; what matches is kept and waits. sluice resume ends it.`, answer)
}

export async function resume(words: readonly string[], flags: ClientFlags): Promise<void> {
  const { name } = await operate('resume', words, flags)
  process.stdout.write(`${name} is not paused\n`)
}

export async function seek(words: readonly string[], flags: ClientFlags & { to: string }): Promise<void> {
  if (flags.to !== 'earliest' && flags.to !== 'latest' && !isTimestamp(flags.to)) {
    const hint = 'It has to be earliest, latest, or an RFC 3339 time such as 2026-11-24T18:48:23Z.'
    exitWith(EXIT.usage, `sluice seek: --to is ${JSON.stringify(flags.to)}. ${hint}`)
  }
  const query = `?${new URLSearchParams({ to: flags.to }).toString()}`
  const { name, answer } = await operate('seek', words, flags, query)
  const { to = flags.to, skipped = 0 } = answer
  const passedBy = skipped === 0 ? '' : `; ${counted(skipped, 'event')} that waited will not be sent`
  tell(`${name} is set to ${to}${passedBy}`, answer)
}

export async function prune({ yes = false, ...flags }: ClientFlags & { yes?: boolean }): Promise<void> {
  if (process.stdin.isTTY && !yes) {
    const what = 'the data of removed Brokers, and where removed Triggers stood,'
    exitWith(EXIT.usage, `sluice prune: this removes ${what} for good. Say so with --yes.`)
  }
  const client = clientOf('sluice prune', flags)
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
  words: readonly string[],
  flags: ClientFlags,
  query = '',
): Promise<{ name: string; answer: Operated }> {
  const client = clientOf(`sluice ${word}`, flags)
  const { kind, ...named } = takerOf(client.word, words, flags.namespace)
  const path = [kind.plural, named.namespace, named.name, word].map(encodeURIComponent).join('/')
  const answer = await ask<Operated>(client, 'POST', `/sluice/v1/${path}${query}`)
  return { name: `${kind.kind} ${named.namespace}/${named.name}`, answer }
}

/**
 * A Trigger or a Subscription: `NAME`, `NAMESPACE/NAME`, `KIND/NAME` as kubectl has it, or `KIND NAME`. A namespace that is
 * called as a kind is named by `-n`.
 */
function takerOf(
  word: string,
  words: readonly string[],
  namespace: string,
): { kind: Kind; namespace: string; name: string } {
  const [first = '', second, ...more] = words
  const slash = first.lastIndexOf('/')
  const [before, behind] = second === undefined ? [first.slice(0, Math.max(0, slash)), first.slice(slash + 1)] : words
  const kind = TAKERS.find((each) => each === kindByName(before ?? ''))
  const named = more.length > 0 ? undefined : namedIn(kind === undefined ? first : (behind ?? ''), namespace)
  if (named !== undefined && (kind !== undefined || second === undefined)) {
    return { kind: kind ?? triggerKind, ...named }
  }
  const hint = 'Write NAME, NAMESPACE/NAME, or of a Subscription: subscription/NAME.'
  return exitWith(EXIT.usage, `${word}: "${words.join(' ')}" names no Trigger and no Subscription. ${hint}`)
}

const TAKERS: readonly Kind[] = [triggerKind, subscriptionKind]

function tell(message: string, { kept }: Operated): void {
  process.stdout.write(`${message}\n`)
  if (!kept) process.stderr.write('That ends with the process, for it keeps nothing on disk.\n')
}
