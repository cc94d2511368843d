// The one table of kinds. To add a kind: write its file, and name it here.

import type { Kind } from '../kind.ts'
import { broker } from './broker.ts'
import { configMap } from './configmap.ts'
import { keptKinds } from './kept.ts'
import { logChannel } from './log-channel.ts'
import { namespace } from './namespace.ts'
import { secret } from './secret.ts'
import { service } from './service.ts'
import { trigger } from './trigger.ts'

/** Every kind that Sluice knows, those first that it acts on. */
export const kinds: readonly Kind[] = [broker, trigger, service, configMap, secret, namespace, logChannel, ...keptKinds]

const byGroupAndKind = new Map(kinds.map((kind) => [`${kind.group}/${kind.kind}`, kind]))

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
