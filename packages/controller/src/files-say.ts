// What files say, whole or as what has changed in them; and what that comes to for which channel is open where.
//
// From: controller.ts, at an apply. Next: channels.ts.

import { setImmediate } from 'node:timers/promises'
import { keyOf, type Changes, type Declared, type Origin, type ResourceStore } from '@sluice/resource'
import { isOfChannels, OF_CHANNELS } from './channels.ts'

/** All of it, or what is another than before. */
export type FilesSay = { readonly declared: readonly Declared[] } | { readonly changes: Changes }

/** What decides which channel is open where, of what is declared; of changes, beside what stays. */
export function channelsBy(say: FilesSay, store: ResourceStore): Declared[] {
  if ('declared' in say) return say.declared.filter(({ resource }) => isOfChannels(resource))
  const { put, removed } = say.changes
  const others = new Set([...removed, ...put.map(({ resource }) => keyOf(resource))])
  return [...channelsBeside(others, store), ...put.filter(({ resource }) => isOfChannels(resource))]
}

/** Of what is stored, but for what has these keys. */
export function channelsBeside(keys: ReadonlySet<string>, store: ResourceStore): Declared[] {
  return OF_CHANNELS.flatMap((kind) => store.list(kind)).flatMap((resource) => {
    const key = keyOf(resource)
    if (keys.has(key)) return []
    const origin = store.origin(key)
    return [{ resource, ...(origin !== undefined && { origin }) }]
  })
}

/** Resources that are noted at another place before others on the event loop have their turn. */
const AT_ONCE = 1000

/** Notes where resources stand now, in slices: it matters to messages alone. */
export async function relocate(
  moved: Iterable<readonly [key: string, origin: Origin]>,
  store: ResourceStore,
): Promise<void> {
  let slice: (readonly [string, Origin])[] = []
  for (const each of moved) {
    if (slice.push(each) < AT_ONCE) continue
    store.relocate(slice)
    slice = []
    await setImmediate()
  }
  store.relocate(slice)
}
