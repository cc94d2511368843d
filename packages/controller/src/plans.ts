// What every declared trigger comes to, and which of them a commit concerns: those that it changed, and those that point
// at what it changed. So one change among ten thousand triggers costs what that one costs.
//
// From: controller.ts, at each commit. Next: brokers.ts makes what runs equal to it.

import { isDeepStrictEqual } from 'node:util'
import { groupOf, keyOf, readyCondition, resourceKey, type Change, type Resource } from '@sluice/resource'
import { hubPathOf, isAnyTrigger, isHub, type Addresses, type AnyTrigger } from './addresses.ts'
import type { Consents } from './consents.ts'
import { planTrigger, type PlanSources, type TriggerPlan } from './trigger.ts'

/** What becomes of the triggers of one broker. */
export interface TriggerChanges {
  readonly set: TriggerPlan[]
  /** Uids. */
  readonly removed: string[]
}

interface Planned {
  readonly plan: TriggerPlan
  /** Keys of the resources that it was made from, there or not. */
  readonly sources: ReadonlySet<string>
}

export class Plans {
  readonly #sources: PlanSources
  readonly #addresses: Addresses
  readonly #consents: Consents
  readonly #all = new Map<string, Planned>()
  readonly #keys = new Map<string, string>()
  readonly #ofBroker = new Map<string, Map<string, TriggerPlan>>()
  /** By the key of what they point at: keys of triggers. */
  readonly #pointing = new Map<string, Set<string>>()

  constructor(sources: Omit<PlanSources, 'consentOf'>, consents: Consents) {
    this.#sources = {
      ...sources,
      isPaused: (uid) => sources.isPaused(uid),
      consentOf: (uid, wish) => consents.of(uid, wish),
    }
    this.#addresses = sources.addresses
    this.#consents = consents
  }

  /** Of the trigger with this resource key. */
  get(key: string): TriggerPlan | undefined {
    return this.#all.get(key)?.plan
  }

  /** The resource key of the trigger with this uid. */
  keyOf(uid: string): string | undefined {
    return this.#keys.get(uid)
  }

  /** Those of a broker, by its path, whether or not that is there. */
  ofBroker(path: string): TriggerPlan[] {
    return [...(this.#ofBroker.get(path)?.values() ?? [])]
  }

  /** Keys of the triggers whose plan or status depends on the resource with this key. */
  pointingAt(key: string): Iterable<string> {
    return this.#pointing.get(key) ?? []
  }

  /** Takes a commit in. Returns what it changes, by path of broker. */
  take({ added, updated, removed }: Change): Map<string, TriggerChanges> {
    const changes = new Map<string, TriggerChanges>()
    const concerned = new Set<string>()
    const concern = (resource: Resource): void => {
      const key = keyOf(resource)
      if (isAnyTrigger(resource)) concerned.add(key)
      for (const pointing of this.pointingAt(key)) concerned.add(pointing)
    }
    for (const resource of removed) {
      if (isAnyTrigger(resource)) this.#forget(keyOf(resource), resource, changes)
    }
    for (const resource of removed) concern(resource)
    for (const resource of added) concern(resource)
    for (const { before, after } of updated) if (!isSameSource(before, after)) concern(after)
    for (const key of concerned) {
      const trigger = this.#addresses.get(key)
      if (trigger !== undefined && isAnyTrigger(trigger)) this.#plan(key, trigger, changes)
    }
    return changes
  }

  /** Plans all of them again: where brokers are reached has changed. */
  takeAll(): Map<string, TriggerChanges> {
    const changes = new Map<string, TriggerChanges>()
    for (const [key, { plan }] of [...this.#all]) this.#plan(key, plan.trigger, changes)
    return changes
  }

  /** Plans one again: somebody has paused or resumed it. */
  takeOne(key: string): Map<string, TriggerChanges> {
    const changes = new Map<string, TriggerChanges>()
    const plan = this.get(key)
    if (plan !== undefined) this.#plan(key, plan.trigger, changes)
    return changes
  }

  #plan(key: string, trigger: AnyTrigger, changes: Map<string, TriggerChanges>): void {
    const path = hubPathOf(trigger)
    const { uid } = trigger.metadata
    const before = this.#all.get(key)
    const { value: plan, keys: sources } = this.#addresses.noting(() => planTrigger(trigger, this.#sources))
    this.#consents.want(uid, plan.consent?.wish)
    const dependency = dependencyOf(trigger)
    if (dependency !== undefined) sources.add(dependency)
    this.#point(key, before?.sources, sources)
    this.#all.set(key, { plan, sources })
    this.#keys.set(uid, key)
    const beside = this.#ofBroker.get(path)
    if (beside === undefined) this.#ofBroker.set(path, new Map([[uid, plan]]))
    else beside.set(uid, plan)
    of(changes, path).set.push(plan)
  }

  #forget(key: string, trigger: AnyTrigger, changes: Map<string, TriggerChanges>): void {
    const path = hubPathOf(trigger)
    const { uid } = trigger.metadata
    this.#point(key, this.#all.get(key)?.sources, NOTHING)
    this.#consents.want(uid, undefined)
    this.#all.delete(key)
    this.#keys.delete(uid)
    const beside = this.#ofBroker.get(path)
    beside?.delete(uid)
    if (beside?.size === 0) this.#ofBroker.delete(path)
    of(changes, path).removed.push(uid)
  }

  #point(key: string, before: ReadonlySet<string> = NOTHING, after: ReadonlySet<string>): void {
    for (const source of before) {
      if (after.has(source)) continue
      const pointing = this.#pointing.get(source)
      pointing?.delete(key)
      if (pointing?.size === 0) this.#pointing.delete(source)
    }
    for (const source of after) {
      const pointing = this.#pointing.get(source)
      if (pointing === undefined) this.#pointing.set(source, new Set([key]))
      else pointing.add(key)
    }
  }
}

const NOTHING: ReadonlySet<string> = new Set()

function of(changes: Map<string, TriggerChanges>, path: string): TriggerChanges {
  let found = changes.get(path)
  if (found === undefined) changes.set(path, (found = { set: [], removed: [] }))
  return found
}

/** Whether nothing changed that a plan is made from: what was written, and, of all but Brokers and channels, the address in the status. */
function isSameSource(before: Resource, after: Resource): boolean {
  if (before.metadata.generation !== after.metadata.generation) return false
  if (before.metadata.annotations !== after.metadata.annotations) return false
  if (isHub(after) || before.status === after.status) return true
  const fields = ['address', 'addresses']
  return fields.every((field) => isDeepStrictEqual(before.status?.[field], after.status?.[field]))
}

/** Whether those that point at it say of it what they said. */
export function isReadyAsBefore(before: Resource, after: Resource): boolean {
  if (before.status === after.status) return true
  return isDeepStrictEqual(readyCondition(before.status?.conditions), readyCondition(after.status?.conditions))
}

/** What the annotation `knative.dev/dependency` names; it was checked when it was applied. */
function dependencyOf({ metadata }: AnyTrigger): string | undefined {
  const annotation = metadata.annotations['knative.dev/dependency']
  if (annotation === undefined) return undefined
  const { apiVersion, kind, name } = JSON.parse(annotation) as { apiVersion: string; kind: string; name: string }
  return resourceKey({ group: groupOf(apiVersion), kind, namespace: metadata.namespace, name })
}
