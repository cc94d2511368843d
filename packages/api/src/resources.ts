// What the API is an API of.

import type { Identity, Resource, ResourceStore, ResourceWriter } from '@sluice/resource'
import type { Catalog } from './catalog.ts'

/** Resources, with statuses as of now, and how they are written. */
export interface Resources {
  readonly store: ResourceStore
  readonly writer: ResourceWriter
  /** One of them, with its status as of now. */
  readonly get: (identity: Identity) => Resource | undefined
  /** Brings the statuses in the store up to now. */
  readonly refresh: () => void
  /** One of the store with what changes too often to be stored. */
  readonly shown: (resource: Resource) => Resource
  /** All of a kind as the store has them, by namespace and name; not to be changed. */
  readonly sorted: (of: { group: string; kind: string }) => readonly Resource[]
  /** Wall-clock ms. */
  readonly now: () => number
  /** The kinds that there are now. */
  readonly catalog: () => Catalog
}
