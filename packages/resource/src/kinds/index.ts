// The one table of kinds. To add a kind: write its file, and name it here.

import type { Kind } from '../kind.ts'
import { broker } from './broker.ts'
import { channel, inMemoryChannel } from './channel.ts'
import { configMap } from './configmap.ts'
import { eventType } from './event-type.ts'
import { keptKinds } from './kept.ts'
import { logChannel } from './log-channel.ts'
import { namespace } from './namespace.ts'
import { pingSource } from './ping-source.ts'
import { secret } from './secret.ts'
import { service } from './service.ts'
import { subscription } from './subscription.ts'
import { trigger } from './trigger.ts'
import { webhookSource } from './webhook-source.ts'

const table: Kind[] = [
  ...[broker, trigger, channel, subscription, inMemoryChannel, logChannel, eventType],
  ...[webhookSource, pingSource, service, configMap, secret, namespace],
  ...keptKinds,
]

/** Every kind that Sluice knows, those first that it acts on. */
export const kinds: readonly Kind[] = table

const byGroupAndKind = new Map(kinds.map((kind) => [`${kind.group}/${kind.kind}`, kind]))

/** Adds one that came with a source of somebody's own. Throws where there is one already. */
export function addKind(kind: Kind): void {
  const key = `${kind.group}/${kind.kind}`
  if (byGroupAndKind.has(key)) throw new Error(`There is a ${kind.kind} of ${kind.group} already.`)
  byGroupAndKind.set(key, kind)
  table.push(kind)
}

/** The kind of that group and name, both spelled exactly. */
export function findKind(group: string, kind: string): Kind | undefined {
  return byGroupAndKind.get(`${group}/${kind}`)
}

/** Those of one group. */
export function kindsOf(group: string): Kind[] {
  return kinds.filter((kind) => kind.group === group)
}

/**
 * The kind that a person names on a command line or in a path: by kind, plural, singular or short name, in any case.
 * Where several groups have one of that name (Service, Channel), the first of the table; `GROUP/NAME` and
 * `NAME.GROUP` choose.
 */
export function kindByName(name: string): Kind | undefined {
  const wanted = name.toLowerCase()
  return kinds.find(({ group, kind, plural, singular, shortNames }) =>
    [kind.toLowerCase(), plural, singular, ...shortNames].some(
      (known) => wanted === known || wanted === `${group}/${known}` || (group !== '' && wanted === `${known}.${group}`),
    ),
  )
}
