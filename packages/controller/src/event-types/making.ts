// EventTypes that traffic makes, by Knative's names and with Knative's content (KNATIVE.md 1.1, FLOWS.md 3.1): one after the
// other, as a write of the API, so that they are on the disk, and people may change and delete them.

import { hash, randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { Clock, Timer } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import {
  admit,
  API_SOURCE,
  identityOf,
  keyOf,
  type Resource,
  type ResourceStore,
  type ResourceWriter,
} from '@sluice/resource'
import type { Tally } from './tallies.ts'

/** On EventTypes that were made from traffic. */
export const AUTO_CREATED = 'sluice.dev/auto-created'
/** What the disk refuses is tried again after so long. */
const RETRY_MS = 5000
const NAME_CHARACTERS_MAX = 253

/** An event of a type that was not known. */
export interface Met {
  /** With its type and source. */
  readonly tally: Tally
  /** The Broker or channel, or the Trigger or Subscription that has answered with it. */
  readonly owner: Resource
  readonly specversion: string
  readonly dataschema: string | undefined
}

/** What it needs of the controller. */
export interface MakingContext {
  readonly store: ResourceStore
  readonly writer: ResourceWriter
  readonly clock: Clock
  /** Whether there is a disk that they are kept on. */
  readonly isKept: () => boolean
}

/** `et-{owner}-{md5 of type, source, namespace and owner}`, as Knative has it; of a longer owner the beginning alone. */
export function eventTypeName(owner: string, namespace: string, type: string, source: string): string {
  const digest = hash('md5', type + source + namespace + owner)
  const room = NAME_CHARACTERS_MAX - 'et--'.length - digest.length
  return `et-${owner.slice(0, room).replace(/[.-]+$/, '')}-${digest}`
}

/** Makes them, and takes away those whose owner is gone. */
export class Making {
  readonly #context: MakingContext
  #queue: (() => Promise<unknown>)[] = []
  #running: Promise<void> | undefined
  #timer: Timer | undefined
  #isClosed = false

  constructor(context: MakingContext) {
    this.#context = context
  }

  make(met: Met): void {
    this.#add(() => this.#make(met))
  }

  /** Removes one that nobody has written into a file. */
  remove(resource: Resource): void {
    this.#add(async () => {
      const { writer, store, isKept } = this.#context
      const isSame = (): boolean => store.get(keyOf(resource))?.metadata.uid === resource.metadata.uid
      if (isKept()) await writer.write(identityOf(resource), (current) => (isSame() ? undefined : current))
      else await writer.exclusively(() => isSame() && store.remove(keyOf(resource)))
    })
  }

  /** Resolves once nothing waits to be made. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** What waits is not made any more: the next event of its type will do. Resolves once nothing is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#queue = []
    this.#timer?.cancel()
    await this.#running
  }

  #add(work: () => Promise<unknown>): void {
    if (this.#isClosed) return
    this.#queue.push(work)
    if (this.#timer === undefined) this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    await setImmediate() // the event that brought it goes first
    for (let work = this.#queue.shift(); work !== undefined && !this.#isClosed; work = this.#queue.shift()) {
      try {
        await work()
      } catch (error) {
        if (!(error instanceof SluiceError)) process.emitWarning(error as Error)
        else if (error.retryable && !this.#isClosed) {
          this.#queue.unshift(work)
          this.#timer = this.#context.clock.setTimer(RETRY_MS, () => {
            this.#timer = undefined
            this.#running ??= this.#run()
          })
          break
        }
      }
    }
    this.#running = undefined
  }

  /** Where somebody has another EventType of that name, there is none. */
  async #make(met: Met): Promise<void> {
    const { store, writer, isKept } = this.#context
    if (store.get(keyOf(met.owner))?.metadata.uid !== met.owner.metadata.uid) return // gone meanwhile
    const resource = resourceOf(met)
    if (isKept()) await writer.write(identityOf(resource), (current) => current ?? resource)
    else await writer.exclusively(() => store.get(keyOf(resource)) ?? store.put({ resource }, { source: API_SOURCE }))
  }
}

function resourceOf({ owner, tally, specversion, dataschema }: Met): Resource {
  const { type = '', source = '' } = tally
  const { apiVersion, kind, metadata } = owner
  const { name, namespace, uid } = metadata
  const { resource, findings } = admit({
    apiVersion: 'eventing.knative.dev/v1beta3',
    kind: 'EventType',
    metadata: { name: eventTypeName(name, namespace, type, source), namespace, labels: { [AUTO_CREATED]: 'true' } },
    spec: {
      reference: { apiVersion, kind, name, namespace },
      description: 'Event Type auto-created by controller',
      attributes: [
        { name: 'type', value: type, required: true },
        { name: 'source', value: source, required: true },
        {
          name: 'schemadata',
          required: dataschema !== undefined,
          ...(dataschema !== undefined && { value: dataschema }),
        },
        { name: 'specversion', value: specversion, required: true },
        { name: 'id', required: true },
      ],
    },
  })
  if (resource === undefined) throw new Error(findings.map(({ message }) => message).join('; '))
  const ownerReferences = [{ apiVersion, kind, name, uid }]
  return { ...resource, metadata: { ...resource.metadata, uid: randomUUID(), ownerReferences } }
}
