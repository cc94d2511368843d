// What came through the API: kept in the data directory, and stored again at the first apply of the next process.

import {
  API_SOURCE,
  keyOf,
  resourceFolder,
  resourceStore,
  type ApplyOptions,
  type Declared,
  type Problem,
  type ResourceFolder,
  type ResourceStore,
} from '@sluice/resource'
import type { ControllerOptions } from './options.ts'

const NOTHING = { resources: [], problems: [] }

export class ApiResources {
  readonly #options: ControllerOptions
  readonly #store: ResourceStore
  #isRestored = false
  /** Whether there ever were any: who has files alone is spared the search. */
  #hasAny = false

  constructor(options: ControllerOptions, store: ResourceStore) {
    this.#options = options
    this.#store = store
  }

  /** Those that are stored. */
  all(): Declared[] {
    if (!this.#hasAny) return []
    return this.#store
      .list()
      .filter((resource) => this.#store.source(keyOf(resource)) === API_SOURCE)
      .map((resource) => ({ resource }))
  }

  /** Once: those of processes that are gone. */
  async restore(): Promise<{ resources: readonly Declared[]; problems: readonly Problem[] }> {
    const { data } = this.#options
    if (data === undefined || this.#isRestored) return NOTHING
    const folder = resourceFolder(data.resourcesFolder)
    const isEmpty = await folder.isEmpty()
    if (!isEmpty) await data.open()
    const loaded = isEmpty ? NOTHING : await folder.load()
    this.#isRestored = loaded.problems.length === 0
    this.#hasAny ||= loaded.resources.length > 0
    return loaded
  }

  /** What the files declare and the API has stored as well. */
  clashes(restored: readonly Declared[], declared: readonly Declared[], files: ApplyOptions): readonly Problem[] {
    const trial = resourceStore(this.#options)
    trial.apply(restored, { source: API_SOURCE })
    return trial.apply(declared, files).problems ?? []
  }

  /** It is made by the first write, in the data directory, which is this process's alone from then on. */
  async folderToWrite(): Promise<ResourceFolder | undefined> {
    const { data } = this.#options
    this.#hasAny = true
    await data?.open()
    return data && resourceFolder(data.resourcesFolder)
  }
}
