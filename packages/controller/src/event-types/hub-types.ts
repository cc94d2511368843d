// The EventTypes of one Broker or channel: what has come in, by itself and as replies of its triggers; who takes which; and
// the schemas that data is held to.

import type { BrokerName } from '@sluice/broker'
import { valueTemplate } from '@sluice/resource'
import { HubSchemas, type SchemaMode } from './schemas.ts'
import { Place, type Tally } from './tallies.ts'
import type { Consumers } from './consumers.ts'

/** EventTypes of a Broker or channel, those of its replies included; beyond, none is made (FL-22). */
export const EVENT_TYPES_MAX = 1000
/** Of one type by as many sources. */
export const SOURCES_MAX = 100

/** Longer types and sources get none. */
const CHARACTERS_MAX = 1024

export class HubTypes implements BrokerName {
  /** As in addresses.ts. */
  readonly path: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Of the resource, while it is declared. */
  uid: string | undefined
  mode: SchemaMode = 'off'
  readonly types: Place = new Place('')
  readonly schemas: HubSchemas = new HubSchemas()
  /** EventTypes that there are or that are being made. */
  count = 0
  /** Events of types that no EventType describes. */
  others = 0
  /** Why no EventType is made for some of them; `undefined`: one is made for each. */
  limit: string | undefined
  /** Made when somebody asks, and forgotten when a trigger changes. */
  consumers: Consumers | undefined
  /** Whether what is kept on the disk is not of now. */
  isChanged = false
  readonly #replies = new Map<string, Place>()

  constructor(path: string) {
    const [name = '', namespace = '', kind = 'Broker'] = path.split('/').toReversed()
    this.path = path
    this.kind = kind
    this.namespace = namespace
    this.name = name
  }

  /** Of what the subscriber of the trigger with this uid answers. */
  replies(uid: string): Place {
    let place = this.#replies.get(uid)
    if (place === undefined) this.#replies.set(uid, (place = new Place(uid)))
    return place
  }

  /** The trigger with this uid is gone. */
  forgetReplies(uid: string): void {
    const place = this.#replies.get(uid)
    if (place === undefined) return
    this.#forgetPending(place)
    this.#replies.delete(uid)
  }

  /** It is declared no more: what was being made of it is not. */
  removed(): void {
    this.uid = undefined
    this.mode = 'off'
    this.others = 0
    for (const place of this.places()) this.#forgetPending(place)
  }

  #forgetPending(place: Place): void {
    for (const tally of [...place.all()]) {
      if (!tally.isPending) continue
      this.count--
      tally.isPending = false
      if (tally.eventTypes.size === 0) place.remove(tally)
    }
  }

  *places(): Generator<Place> {
    yield this.types
    yield* this.#replies.values()
  }

  /** Why no EventType is made for this type and source, in words; `undefined`: one may be. */
  whyNoMore(place: Place, type: string, source: string): string | undefined {
    if (this.count >= EVENT_TYPES_MAX) return `There are ${EVENT_TYPES_MAX} EventTypes, and no more are made.`
    if (place.sourcesOf(type) >= SOURCES_MAX) {
      return `There are EventTypes of type ${type.slice(0, 80)} for ${SOURCES_MAX} sources, and no more are made of one type.`
    }
    if ([type, source].some((each) => valueTemplate(each).exact === undefined)) {
      return 'No EventType is made for a type or source with a part in braces: that would stand for others.'
    }
    if (type.length <= CHARACTERS_MAX && source.length <= CHARACTERS_MAX) return undefined
    return `No EventType is made for a type or source of more than ${CHARACTERS_MAX} characters.`
  }

  /** Traffic has brought a type and source that nothing describes: an EventType is made for it. */
  met(place: Place, type: string, source: string): Tally {
    const tally = place.at(copied(type), copied(source))
    tally.isPending = true
    this.count++
    return tally
  }
}

/** A text of its own: part of a large one would keep all of that. */
function copied(text: string): string {
  return Buffer.from(text).toString()
}
