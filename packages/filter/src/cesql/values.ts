// The values of CESQL and its casts (CloudEvents SQL 1.0 §3.1, §3.2, §3.7). Hot path (`pnpm bench --only CESQL`).

import type { AttributeValue } from '@sluice/event'

/** A type of CESQL. Attributes of all other types are Strings (§3.2). */
export type CesqlType = 'Boolean' | 'Integer' | 'String'

/** A value of CESQL; a number is an Integer of 32 bits. */
export type CesqlValue = boolean | number | string

/** What an expression may ask of an event. `Event` of @sluice/event is one. */
export interface CesqlEvent {
  /** The attribute as carried, or `undefined` when the event has none of that name. */
  attribute(name: string): AttributeValue | undefined
}

/**
 * The longest text that LIKE and the functions take or give, in UTF-16 units: beyond it they fail with a generic error.
 * So no expression, whoever wrote it, costs an event more than its length times this (threat 15).
 */
export const TEXT_LENGTH_MAX = 65_536

/** Whether an Integer, of 32 bits, can hold the number. */
export function isInteger(value: number): boolean {
  return (value | 0) === value
}

/** The type of a value. */
export function typeOfValue(value: CesqlValue): CesqlType {
  return typeof value === 'string' ? 'String' : typeof value === 'number' ? 'Integer' : 'Boolean'
}

/** Whether it is a value of that type; a function of somebody else's may give anything. */
export function isOf(type: CesqlType, value: CesqlValue): boolean {
  return typeOfValue(value) === type && (typeof value !== 'number' || isInteger(value))
}

/** The value that stands where an error made the real one impossible (§3.1, "zero value"). */
export function zeroOf(type: CesqlType): CesqlValue {
  return type === 'String' ? '' : type === 'Integer' ? 0 : false
}

/** An attribute as CESQL sees it. */
export function attributeOf(event: CesqlEvent, name: string): CesqlValue | undefined {
  // `data` is no attribute, whatever an event may say (CE-62).
  return name === 'data' ? undefined : valueOf(event.attribute(name))
}

/** What an event carries, as CESQL sees it; a number that no Integer holds is a String, as is every other type (§3.2). */
export function valueOf(carried: AttributeValue | undefined): CesqlValue | undefined {
  return typeof carried === 'number' && !isInteger(carried) ? String(carried) : carried
}

/** Cast to String; it never fails. */
export function toText(value: CesqlValue): string {
  return typeof value === 'string' ? value : String(value)
}

/** Cast to Integer, or `undefined` where that is a cast error. */
export function toInteger(value: CesqlValue): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  return integerIn(value)
}

/** `[+-]?[0-9]+`, within 32 bits. */
function integerIn(text: string): number | undefined {
  const sign = text.charCodeAt(0)
  const start = sign === PLUS || sign === MINUS ? 1 : 0
  if (start === text.length) return undefined
  let number = 0
  for (let i = start; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO
    if (digit < 0 || digit > 9) return undefined
    number = number * 10 + digit
    if (number > INTEGER_MAX + 1) return undefined
  }
  if (sign === MINUS) return 0 - number // never -0
  return number > INTEGER_MAX ? undefined : number
}

const INTEGER_MAX = 2 ** 31 - 1
const PLUS = 0x2b
const MINUS = 0x2d
const ZERO = 0x30

/** Cast to Boolean, or `undefined` where that is a cast error. */
export function toBoolean(value: CesqlValue): boolean | undefined {
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return value !== 0
  if (value.length > 'false'.length) return undefined
  const lower = value.toLowerCase()
  return lower === 'true' ? true : lower === 'false' ? false : undefined
}

/** Cast to any type, or `undefined` where that is a cast error. */
export function castTo(type: CesqlType, value: CesqlValue): CesqlValue | undefined {
  return type === 'String' ? toText(value) : type === 'Integer' ? toInteger(value) : toBoolean(value)
}
