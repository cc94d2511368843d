// Attributes in bindings whose values are raw UTF-8, without percent-encoding: Kafka's and Pub/Sub's.

import { isUtf8 } from 'node:buffer'
import { badName } from './attributes.ts'
import { invalidAttribute, invalidName } from './errors.ts'
import type { AttributeValue } from './event.ts'
import { ATTRIBUTE_NAME_LENGTH_MAX, forbiddenAt, isAttributeName, quote } from './text.ts'

/**
 * Sets what the header `prefix` + `name` holds.
 *
 * @throws SluiceError 400 for a name or a value that no attribute may have
 */
export function setRawAttribute(
  attributes: Map<string, AttributeValue>,
  prefix: string,
  name: string,
  raw: Buffer | string,
): void {
  if (name.length > ATTRIBUTE_NAME_LENGTH_MAX || !isAttributeName(name)) {
    const header = `${prefix}${name}`
    throw invalidName(header.slice(0, 67), `Header ${quote(header)} is no attribute: ${badName(name)}`)
  }
  const value = typeof raw === 'string' ? raw : raw.toString()
  if (forbiddenAt(value) >= 0 || (typeof raw !== 'string' && !isUtf8(raw))) {
    throw invalidAttribute(
      name,
      `Header ${prefix}${name} is refused: its value is no UTF-8 text without control characters.`,
    )
  }
  attributes.set(name, value)
}
