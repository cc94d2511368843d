// The functions of CESQL (CloudEvents SQL 1.0 §3.5), and how others are added. Characters are code points (CE-83).

import { quote } from '../errors.ts'
import {
  isInteger,
  isOf,
  TEXT_LENGTH_MAX,
  toBoolean,
  toInteger,
  toText,
  type CesqlType,
  type CesqlValue,
} from './values.ts'

/** The type of a parameter; `Any` is not cast. */
export type ParameterType = CesqlType | 'Any'

/** What a function gives beside a value, where its arguments are wrong. */
export interface FunctionFailure {
  readonly kind: 'math' | 'cast' | 'functionEvaluation' | 'generic'
  readonly message: string
  /** What it gives all the same; the zero value of its type where absent. */
  readonly value?: CesqlValue
}

/** A function. It is pure: the same arguments give the same value, and nothing else happens. */
export interface CesqlFunction {
  /** Upper-case letters and underscores; written in any case. */
  readonly name: string
  readonly parameters: readonly ParameterType[]
  /** The type of any number of further arguments; absent: there are none. */
  readonly rest?: ParameterType
  readonly returns: CesqlType
  /**
   * Is given arguments of the types above, texts of at most `TEXT_LENGTH_MAX` characters. No value, one of another type
   * and whatever it throws are a functionEvaluation error (§3.5.3).
   */
  call(...values: CesqlValue[]): CesqlValue | FunctionFailure | undefined
}

/** The functions that an expression may call. */
export interface Functions {
  /** Every name once, in upper case. */
  readonly names: readonly string[]
  /** All of this name, in upper case; they differ in the number of their arguments. */
  named(name: string): readonly CesqlFunction[]
  /** The one that takes so many arguments. */
  find(name: string, args: number): CesqlFunction | undefined
}

/**
 * The built-in functions, and these. Throws an Error for a name that can't be written, and for a function that could
 * not be told from another (§3.5: by the number of arguments alone; one variadic of a name at most, with more fixed
 * parameters than every other has).
 */
export function functionsWith(added: readonly CesqlFunction[]): Functions {
  const byName = new Map<string, CesqlFunction[]>()
  for (const each of [...BUILT_IN, ...added]) {
    const others = byName.get(each.name) ?? []
    if (!/^[A-Z][A-Z_]*$/.test(each.name)) throw new Error(`${each.name} can't be the name of a CESQL function.`)
    if (others.some((other) => isAmbiguous(each, other))) {
      throw new Error(`There is a CESQL function ${each.name} already that takes as many arguments.`)
    }
    byName.set(each.name, [...others, each])
  }
  const named = (name: string): readonly CesqlFunction[] => byName.get(name) ?? []
  return {
    names: [...byName.keys()],
    named,
    find: (name, args) => named(name).find((each) => takes(each, args)),
  }
}

function takes({ parameters, rest }: CesqlFunction, args: number): boolean {
  return rest === undefined ? args === parameters.length : args >= parameters.length
}

function isAmbiguous(a: CesqlFunction, b: CesqlFunction): boolean {
  if (a.rest !== undefined && b.rest !== undefined) return true
  if (a.rest !== undefined) return b.parameters.length >= a.parameters.length
  if (b.rest !== undefined) return a.parameters.length >= b.parameters.length
  return a.parameters.length === b.parameters.length
}

/** What the function gives, where that is what it may give (§3.5.3). */
export function resultOf(definition: CesqlFunction, values: CesqlValue[]): CesqlValue | FunctionFailure {
  try {
    return checked(definition, definition.call(...values))
  } catch (error) {
    return threw(definition, error)
  }
}

/** What a function gave, if it may give that. */
export function checked(
  { name, returns }: CesqlFunction,
  result: CesqlValue | FunctionFailure | undefined,
): CesqlValue | FunctionFailure {
  if (typeof result === 'object') return result
  if (result === undefined || !isOf(returns, result)) {
    return { kind: 'functionEvaluation', message: `${name} gave no ${returns}` }
  }
  if (typeof result === 'string' && result.length > TEXT_LENGTH_MAX) {
    return { kind: 'generic', message: `${name} gave more than ${TEXT_LENGTH_MAX} characters` }
  }
  return result
}

/** What it comes to that a function threw. */
export function threw({ name }: CesqlFunction, error: unknown): FunctionFailure {
  return { kind: 'functionEvaluation', message: `${name} threw ${String(error)}` }
}

const BUILT_IN: readonly CesqlFunction[] = [
  // §3.5.1, string functions
  { name: 'LENGTH', parameters: ['String'], returns: 'Integer', call: lengthOf },
  { name: 'CONCAT', parameters: [], rest: 'String', returns: 'String', call: (...texts) => texts.join('') },
  {
    name: 'CONCAT_WS',
    parameters: ['String'],
    rest: 'String',
    returns: 'String',
    call: (separator: string, ...texts) => texts.join(separator),
  },
  { name: 'LOWER', parameters: ['String'], returns: 'String', call: (text: string) => text.toLowerCase() },
  { name: 'UPPER', parameters: ['String'], returns: 'String', call: (text: string) => text.toUpperCase() },
  { name: 'TRIM', parameters: ['String'], returns: 'String', call: trim },
  { name: 'LEFT', parameters: ['String', 'Integer'], returns: 'String', call: left },
  { name: 'RIGHT', parameters: ['String', 'Integer'], returns: 'String', call: right },
  {
    name: 'SUBSTRING',
    parameters: ['String', 'Integer'],
    returns: 'String',
    call: (text: string, position: number) => substring(text, position),
  },
  {
    name: 'SUBSTRING',
    parameters: ['String', 'Integer', 'Integer'],
    returns: 'String',
    call: (text: string, position: number, length: number) => substring(text, position, length),
  },
  // §3.5.2, math functions
  { name: 'ABS', parameters: ['Integer'], returns: 'Integer', call: absolute },
  // The casts: §3.7 and the conformance cases use them by these names; `IS_` is left from before 1.0 (CE-83).
  { name: 'INT', parameters: ['Any'], returns: 'Integer', call: castToInteger },
  { name: 'BOOL', parameters: ['Any'], returns: 'Boolean', call: castToBoolean },
  { name: 'STRING', parameters: ['Any'], returns: 'String', call: toText },
  { name: 'IS_INT', parameters: ['Any'], returns: 'Boolean', call: (value) => toInteger(value) !== undefined },
  { name: 'IS_BOOL', parameters: ['Any'], returns: 'Boolean', call: (value) => toBoolean(value) !== undefined },
]

/** The functions that the specification has. */
export const BUILT_IN_FUNCTIONS: Functions = functionsWith([])

/** INT, BOOL and STRING, by what they cast to: what calls them can do without a call. */
export const CAST_FUNCTIONS: ReadonlyMap<CesqlFunction, CesqlType> = new Map(
  (['Integer', 'Boolean', 'String'] as const).map((type) => [
    BUILT_IN_FUNCTIONS.find({ Integer: 'INT', Boolean: 'BOOL', String: 'STRING' }[type], 1)!,
    type,
  ]),
)

/** Characters of a text: code points, where a pair of surrogates is one. */
export function lengthOf(text: string): number {
  let pairs = 0
  for (let i = 1; i < text.length; i++) if (isPair(text, i - 1)) pairs++
  return text.length - pairs
}

/** The index, in UTF-16 units, of the character with this number, counted from 0; the length where there is none. */
function indexOf(text: string, character: number): number {
  let i = 0
  for (let passed = 0; passed < character && i < text.length; passed++) i += isPair(text, i) ? 2 : 1
  return i
}

function isPair(text: string, i: number): boolean {
  return (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00
}

function trim(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isWhiteSpace(text.charCodeAt(start))) start++
  while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

/** Unicode's White_Space, which is not what JavaScript trims: with U+0085, without U+FEFF. */
function isWhiteSpace(unit: number): boolean {
  if (unit <= 0x20) return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d)
  if (unit < 0x1680) return unit === 0x85 || unit === 0xa0
  return (
    unit === 0x1680 ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000
  )
}

function left(text: string, count: number): string | FunctionFailure {
  if (count < 0) return negative('LEFT', count, text)
  return text.slice(0, indexOf(text, count))
}

function right(text: string, count: number): string | FunctionFailure {
  if (count < 0) return negative('RIGHT', count, text)
  return text.slice(indexOf(text, Math.max(0, lengthOf(text) - count)))
}

function negative(name: string, count: number, text: string): FunctionFailure {
  return { kind: 'functionEvaluation', message: `${name} of ${count} characters`, value: text }
}

function substring(text: string, position: number, length?: number): string | FunctionFailure {
  const characters = lengthOf(text)
  if (position > characters || position < -characters) {
    return {
      kind: 'functionEvaluation',
      message: `SUBSTRING from ${position}, of a text of ${characters} characters`,
    }
  }
  if (length !== undefined && length < 0) {
    return { kind: 'functionEvaluation', message: `SUBSTRING of ${length} characters` }
  }
  if (position === 0) return ''
  const first = position > 0 ? position - 1 : characters + position
  const start = indexOf(text, first)
  return length === undefined ? text.slice(start) : text.slice(start, indexOf(text, first + length))
}

function absolute(integer: number): number | FunctionFailure {
  const result = Math.abs(integer)
  if (isInteger(result)) return result
  return { kind: 'math', message: `ABS of ${integer} is no Integer`, value: result - 1 }
}

function castToInteger(value: CesqlValue): number | FunctionFailure {
  return toInteger(value) ?? { kind: 'cast', message: `${quote(String(value))} is no Integer` }
}

function castToBoolean(value: CesqlValue): boolean | FunctionFailure {
  return toBoolean(value) ?? { kind: 'cast', message: `${quote(String(value))} is no Boolean` }
}
