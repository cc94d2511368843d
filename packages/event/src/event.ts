// The event in flight: attributes parsed once, data as the bytes that came. On the hot path
// (bench/codec.ts). Made by the codecs beside this file, carried by broker and channel.

import { parseJsonData } from './data.ts'

/**
 * The value of a context attribute as it is carried: text, or the Boolean or Integer of a JSON-format
 * event. An attribute read from a header is always text (CloudEvents 1.0, "Type System").
 */
export type AttributeValue = string | number | boolean

/**
 * A CloudEvent on its way. Attributes and data are never changed in place once a channel has the event:
 * whoever needs another one makes it by {@link Event.with}.
 */
export class Event {
  /** Every context attribute, core ones and extensions alike, by its lower-case name. */
  readonly attributes: Map<string, AttributeValue>
  /** The data as bytes; `undefined` when there is none. Nobody but its owner writes to it. */
  readonly data: Buffer | undefined
  /** Hops left before the loop guard stops this event; travels beside it and is never shown to a subscriber. */
  hops: number
  /** Request headers that came with the event and go on with it: name, value, name, value; at most 4 KiB. */
  headers: readonly string[]
  /** What {@link json} found, kept: `undefined` = not asked yet. */
  #json: { value: unknown } | undefined
  #binary: readonly string[] | undefined

  constructor(
    attributes: Map<string, AttributeValue>,
    data: Buffer | undefined,
    hops: number = HOPS_UNSET,
    headers: readonly string[] = NO_HEADERS,
  ) {
    this.attributes = attributes
    this.data = data
    this.hops = hops
    this.headers = headers
    this.#json = undefined
    this.#binary = undefined
  }

  get id(): string {
    return this.text('id')!
  }
  get source(): string {
    return this.text('source')!
  }
  get type(): string {
    return this.text('type')!
  }
  get specversion(): string {
    return this.text('specversion')!
  }

  /** The attribute's value as carried, or `undefined` when the event has none of that name. */
  attribute(name: string): AttributeValue | undefined {
    return this.attributes.get(name)
  }

  /** The attribute in its canonical text (CloudEvents 1.0, "Type System"), or `undefined`. */
  text(name: string): string | undefined {
    const value = this.attributes.get(name)
    return value === undefined || typeof value === 'string' ? value : String(value)
  }

  /**
   * The data as a JSON value, parsed at most once and only when somebody asks; `undefined` when there is
   * none, or it is no JSON within the limits of {@link parseJsonData}. Never throws.
   */
  json(): unknown {
    this.#json ??= { value: parseJsonData(this) }
    return this.#json.value
  }

  /** The HTTP binary-mode headers of this event, made once by `encode` and shared by all deliveries of it. */
  binaryHeaders(encode: (event: Event) => readonly string[]): readonly string[] {
    this.#binary ??= encode(this)
    return this.#binary
  }

  /** A copy with some attributes set, or removed where the value is `undefined`. Data and headers are shared. */
  with(changes: Readonly<Record<string, AttributeValue | undefined>>): Event {
    const attributes = new Map(this.attributes)
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) attributes.delete(name)
      else attributes.set(name, value)
    }
    return new Event(attributes, this.data, this.hops, this.headers)
  }
}

/** `hops` of an event that no broker has accepted yet. */
export const HOPS_UNSET = -1
const NO_HEADERS: readonly string[] = []
