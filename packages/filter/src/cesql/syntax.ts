// The tree of an expression. From: parser.ts. Next: compile.ts for events, interpret.ts and format.ts for people.

import type { CesqlFunction } from './functions.ts'
import type { CesqlType, CesqlValue } from './values.ts'
import { typeOfValue } from './values.ts'

/** Where a part of an expression stands in its text: UTF-16 units, the end not included. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** `5`, `'text'`, `TRUE`. */
export interface LiteralNode extends Span {
  readonly kind: 'literal'
  readonly value: CesqlValue
}

/** An attribute of the event, by its lower-case name. */
export interface AttributeNode extends Span {
  readonly kind: 'attribute'
  readonly name: string
}

/** `EXISTS subject`. */
export interface ExistsNode extends Span {
  readonly kind: 'exists'
  readonly name: string
}

/** `NOT x`, `-x`. */
export interface UnaryNode extends Span {
  readonly kind: 'not' | 'negate'
  readonly of: Expression
}

/** `a AND b AND c`: one operator, at least two operands as the parser makes it, read from left to right. */
export interface LogicNode extends Span {
  readonly kind: 'logic'
  readonly operator: 'AND' | 'OR' | 'XOR'
  readonly of: readonly Expression[]
}

/** `a = b`; `<>` is `!=`. */
export interface ComparisonNode extends Span {
  readonly kind: 'comparison'
  readonly operator: '=' | '!=' | '<' | '<=' | '>' | '>='
  readonly left: Expression
  readonly right: Expression
}

/** `a + b`. */
export interface ArithmeticNode extends Span {
  readonly kind: 'arithmetic'
  readonly operator: '+' | '-' | '*' | '/' | '%'
  readonly left: Expression
  readonly right: Expression
}

/** `a LIKE 'x%'`, `a NOT LIKE 'x%'`. */
export interface LikeNode extends Span {
  readonly kind: 'like'
  readonly of: Expression
  readonly pattern: string
  readonly negated: boolean
}

/** `a IN (x, y)`, `a NOT IN (x, y)`. */
export interface InNode extends Span {
  readonly kind: 'in'
  readonly of: Expression
  readonly among: readonly Expression[]
  readonly negated: boolean
}

/** `UPPER(x)`. */
export interface CallNode extends Span {
  readonly kind: 'call'
  /** In upper case. */
  readonly name: string
  readonly of: readonly Expression[]
  /** `undefined` where there is none of this name and number of arguments: a missingFunction error when evaluated. */
  readonly definition: CesqlFunction | undefined
}

/** An expression, as a tree that is never changed. */
export type Expression =
  | LiteralNode
  | AttributeNode
  | ExistsNode
  | UnaryNode
  | LogicNode
  | ComparisonNode
  | ArithmeticNode
  | LikeNode
  | InNode
  | CallNode

/** The type that the expression has for every event; `undefined` for an attribute, which may have any. */
export function typeOf(expression: Expression): CesqlType | undefined {
  switch (expression.kind) {
    case 'literal':
      return typeOfValue(expression.value)
    case 'attribute':
      return undefined
    case 'negate':
    case 'arithmetic':
      return 'Integer'
    case 'call':
      return expression.definition?.returns ?? 'Boolean' // §3.2: unknown is Boolean
    default:
      return 'Boolean'
  }
}

/** The parts directly inside of it. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'literal':
    case 'attribute':
    case 'exists':
      return []
    case 'not':
    case 'negate':
      return [expression.of]
    case 'comparison':
    case 'arithmetic':
      return [expression.left, expression.right]
    case 'like':
      return [expression.of]
    case 'in':
      return [expression.of, ...expression.among]
    case 'logic':
    case 'call':
      return expression.of
  }
}

/** What every event has (CloudEvents 1.0, "REQUIRED Attributes"): EXISTS of them is true (§3.4.4). */
export const REQUIRED_ATTRIBUTES: ReadonlySet<string> = new Set(['id', 'source', 'specversion', 'type'])
