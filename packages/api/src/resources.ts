// What the API is an API of.

import type { Identity, Resource, ResourceStore, ResourceWriter } from '@sluice/resource'
import type { Catalog } from './catalog.ts'

/** Resources, with statuses as of now, and how they are written. */
export interface Resources {
  readonly store: ResourceStore
  readonly writer: ResourceWriter
  readonly get: (identity: Identity) => Resource | undefined
  readonly list: (of: { group: string; kind: string }) => Resource[]
  /** Wall-clock ms. */
  readonly now: () => number
  /** The kinds that there are now. */
  readonly catalog: () => Catalog
}
