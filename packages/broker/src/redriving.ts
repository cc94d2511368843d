// What a person may do with dead letters: have them delivered once more, or done with.
//
// From: the API (server). Next: redrive.ts, one for each trigger.

import type { DeadLetterBox } from '@sluice/channel'
import { SluiceError } from '@sluice/event'
import type { Redrive } from './redrive.ts'

/** Which dead letters: those with these ids, or all of one trigger, `namespace/name`. */
export type DeadLetterChoice = readonly string[] | { readonly trigger: string }

/** What {@link redrive} has begun. */
export interface Redriving {
  /** Entries that are on their way now, those included that were already. */
  readonly entries: number
  /** Of the ids, those of which there is no entry: delivered since, purged, or never there. */
  readonly missing: readonly string[]
}

/**
 * Resolves once it is begun. Nothing is begun where it rejects: with `SLUICE_TRIGGER_NOT_FOUND`, where one of the triggers
 * isn't there, or as the box does.
 *
 * @param of what redrives the entries of a trigger; `undefined`: there is no such trigger
 */
export async function redrive(
  choice: DeadLetterChoice,
  box: DeadLetterBox,
  of: (trigger: string) => Redrive | undefined,
): Promise<Redriving> {
  if ('trigger' in choice) return { entries: orNotFound(of, choice.trigger).askAll(), missing: [] }
  const missing: string[] = []
  const found = new Map<string, string[]>()
  for (const id of new Set(choice)) {
    const trigger = (await box.get(id))?.trigger
    if (trigger === undefined) missing.push(id)
    else found.set(trigger, [...(found.get(trigger) ?? []), id])
  }
  // All or nothing, and in one tick.
  const asked = Array.from(found, ([trigger, ids]) => ({ ids, redrive: orNotFound(of, trigger, ids) }))
  let entries = 0
  for (const { ids, redrive: its } of asked) {
    its.ask(ids)
    entries += ids.length
  }
  return { entries, missing }
}

/** Resolves once they are gone for good, with how many there were. One that is being redriven may still be delivered. */
export async function purge(choice: DeadLetterChoice | 'all', box: DeadLetterBox): Promise<number> {
  if (choice === 'all') return await box.clear()
  if ('trigger' in choice) return await box.clear(choice.trigger)
  const removed = await Promise.all(choice.map((id) => box.remove(id)))
  return removed.filter(Boolean).length
}

function orNotFound(
  of: (trigger: string) => Redrive | undefined,
  trigger: string,
  ids: readonly string[] = [],
): Redrive {
  const found = of(trigger)
  if (found !== undefined) return found
  const which = ids.length === 0 ? '' : ` Dead letters of it are ${ids.slice(0, IDS_SHOWN).join(', ')}.`
  throw new SluiceError(
    'SLUICE_TRIGGER_NOT_FOUND',
    `This broker has no trigger ${trigger}.${which} Nothing was redriven. Declare the trigger again, or purge what is left of it.`,
    { status: 404, subject: trigger },
  )
}

const IDS_SHOWN = 5
