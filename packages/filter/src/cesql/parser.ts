// From the text of an expression to its tree, or to the first mistake in it with what to do (CloudEvents SQL 1.0 §2 and
// the precedences of §3.6). Operator precedence parsing: `parseOperators` climbs, `parseOperand` goes down.

import { hintForOperator, hintForUnquoted } from './hints.ts'
import { CesqlSyntaxError } from './errors.ts'
import { BUILT_IN_FUNCTIONS, type Functions } from './functions.ts'
import { tokensOf, type Token } from './lexer.ts'
import type { ArithmeticNode, ComparisonNode, Expression, LogicNode } from './syntax.ts'
import { isInteger } from './values.ts'

/** How an expression is read. */
export interface ParseOptions {
  /** Most bytes of its text in UTF-8. Default 4,096. */
  readonly maxBytes?: number
  /** Deepest nesting, both of what is written in each other and of operations on each other's results. Default 32. */
  readonly maxDepth?: number
  /** What it may call. Default: {@link BUILT_IN_FUNCTIONS}. */
  readonly functions?: Functions
}

/** The bounds that hold where none are given (threat 15). */
export const EXPRESSION_BYTES_MAX = 4096
export const EXPRESSION_DEPTH_MAX = 32

/**
 * Reads an expression. Throws a {@link CesqlSyntaxError} where it is none, or beyond a bound. A function that there is not is no
 * mistake of syntax: `problemsOf` finds it, and it evaluates to a missingFunction error.
 */
export function parse(text: string, options: ParseOptions = {}): Expression {
  const { maxBytes = EXPRESSION_BYTES_MAX, maxDepth = EXPRESSION_DEPTH_MAX, functions = BUILT_IN_FUNCTIONS } = options
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) {
    const problem = `the expression has ${bytes} bytes; it may have ${maxBytes}`
    throw new CesqlSyntaxError(text, 0, problem, 'Split it into several filters: all of a list have to match.', true)
  }
  if (!text.isWellFormed()) {
    throw new CesqlSyntaxError(text, /\p{Surrogate}/u.exec(text)!.index, 'half of a pair of surrogates is no character')
  }
  return new Parser(text, maxDepth, functions).parse()
}

/** What binds tighter is higher (§3.6). AND, OR and XOR are one level, from left to right (CE-72). */
const PRECEDENCE: Readonly<Record<string, number>> = {
  ...{ AND: 1, OR: 1, XOR: 1 },
  ...{ '=': 2, '!=': 2, '<>': 2, '<': 2, '<=': 2, '>': 2, '>=': 2 },
  ...{ '+': 3, '-': 3 },
  ...{ '*': 4, '/': 4, '%': 4 },
  IN: 5,
  LIKE: 6,
}

class Parser {
  readonly #text: string
  readonly #maxDepth: number
  readonly #functions: Functions
  readonly #tokens: readonly Token[]
  #at = 0
  /** How many parentheses, prefixes, calls and lists are open. */
  #open = 0
  readonly #heights = new Map<Expression, number>()

  constructor(text: string, maxDepth: number, functions: Functions) {
    this.#text = text
    this.#maxDepth = maxDepth
    this.#functions = functions
    this.#tokens = tokensOf(text)
  }

  parse(): Expression {
    const expression = this.#parseOperators(0)
    if (this.#token.kind === 'end') return expression
    throw this.#noOperator(expression)
  }

  get #token(): Token {
    return this.#tokens[this.#at]!
  }

  /** Where what was read last ends. */
  get #end(): number {
    return this.#tokens[this.#at - 1]!.end
  }

  #is(symbol: string): boolean {
    return this.#token.kind === 'symbol' && this.#token.text === symbol
  }

  #take(symbol: string): boolean {
    if (!this.#is(symbol)) return false
    this.#at++
    return true
  }

  /** An operand and all operators behind it that bind at least so tight. */
  #parseOperators(precedence: number): Expression {
    const start = this.#token.start
    let left = this.#parseOperand()
    for (;;) {
      const negated = this.#is('NOT') && isNegatable(this.#tokens[this.#at + 1])
      const operator = this.#tokens[negated ? this.#at + 1 : this.#at]!
      const binding = operator.kind === 'symbol' ? PRECEDENCE[operator.text] : undefined
      if (binding === undefined || binding < precedence) return left
      this.#at += negated ? 2 : 1
      left = this.#parseOperator(operator.text, negated, left, start, binding)
    }
  }

  #parseOperator(operator: string, negated: boolean, left: Expression, start: number, binding: number): Expression {
    if (operator === 'LIKE') return this.#parsePattern(left, negated, start)
    if (operator === 'IN') return this.#parseSet(left, negated, start)
    const right = this.#parseOperators(binding + 1)
    const end = this.#end
    if (binding === PRECEDENCE['AND']) {
      const isSame = left.kind === 'logic' && left.operator === operator && left.start === start
      const of = isSame ? [...left.of, right] : [left, right]
      return this.#made({ kind: 'logic', operator: operator as LogicNode['operator'], of, start, end }, of)
    }
    if (binding === PRECEDENCE['=']) {
      const comparison = operator === '<>' ? '!=' : (operator as ComparisonNode['operator'])
      return this.#made({ kind: 'comparison', operator: comparison, left, right, start, end }, [left, right])
    }
    const arithmetic = operator as ArithmeticNode['operator']
    return this.#made({ kind: 'arithmetic', operator: arithmetic, left, right, start, end }, [left, right])
  }

  /** §3.4.3: the pattern is written out, so that what it means is known before any event. */
  #parsePattern(of: Expression, negated: boolean, start: number): Expression {
    const { kind, text: pattern } = this.#token
    if (kind !== 'text') throw this.#wrong('the pattern of LIKE has to be a text in quotes', "Such as LIKE 'abc%'.")
    this.#at++
    return this.#made({ kind: 'like', of, pattern, negated, start, end: this.#end }, [of])
  }

  #parseSet(of: Expression, negated: boolean, start: number): Expression {
    if (!this.#take('(')) throw this.#wrong('IN has to be followed by a list', "Such as IN ('a', 'b').")
    if (this.#is(')')) throw this.#wrong('the list of IN is empty', 'Put what it may be into it.')
    const among = this.#parseList()
    return this.#made({ kind: 'in', of, among, negated, start, end: this.#end }, [of, ...among])
  }

  /** Expressions with commas between, up to the closing parenthesis, which it takes. */
  #parseList(): Expression[] {
    const list: Expression[] = []
    this.#enter()
    do list.push(this.#parseOperators(0))
    while (this.#take(','))
    this.#leave(list.at(-1)!)
    return list
  }

  #parseOperand(): Expression {
    const { kind, text, start } = this.#token
    const next = this.#tokens[this.#at + 1]
    switch (kind) {
      case 'integer':
        return this.#parseInteger('', start)
      case 'text':
        this.#at++
        return this.#made({ kind: 'literal', value: text, start, end: this.#end }, [])
      case 'name':
        return next?.kind === 'symbol' && next.text === '(' ? this.#parseCall() : this.#parseAttribute()
      case 'symbol':
        return this.#parsePrefixed(text, start)
      case 'wrong':
      case 'end':
        throw this.#noOperand()
    }
  }

  #parsePrefixed(symbol: string, start: number): Expression {
    const next = this.#tokens[this.#at + 1]
    switch (symbol) {
      case 'TRUE':
      case 'FALSE':
        this.#at++
        return this.#made({ kind: 'literal', value: symbol === 'TRUE', start, end: this.#end }, [])
      case '(': {
        this.#at++
        this.#enter()
        const inside = this.#parseOperators(0)
        this.#leave(inside)
        return inside
      }
      case 'EXISTS':
        return this.#parseExists(start)
      case '+':
      case '-':
        // A sign and its digits are one literal, for -2147483648 has no positive counterpart (CE-69).
        if (next?.kind === 'integer' && next.start === this.#token.end) {
          this.#at++
          return this.#parseInteger(symbol, start)
        }
        if (symbol === '+') throw this.#noOperand()
        return this.#parseUnary('negate', start)
      case 'NOT':
        return this.#parseUnary('not', start)
      default:
        throw this.#noOperand()
    }
  }

  /** CE-71: prefixes bind tighter than every operator. */
  #parseUnary(kind: 'not' | 'negate', start: number): Expression {
    this.#at++
    this.#enter()
    const of = this.#parseOperand()
    this.#open--
    return this.#made({ kind, of, start, end: this.#end }, [of])
  }

  #parseExists(start: number): Expression {
    this.#at++
    const { kind, text } = this.#token
    if (kind !== 'name') {
      const hint =
        kind === 'text' || this.#is('(') ? 'Write it without quotes and parentheses: EXISTS subject.' : undefined
      throw this.#wrong('EXISTS has to be followed by the name of an attribute', hint ?? 'Such as EXISTS subject.')
    }
    const name = this.#nameOf(text)
    return this.#made({ kind: 'exists', name, start, end: this.#end }, [])
  }

  #parseInteger(sign: string, start: number): Expression {
    const digits = this.#token.text
    const value = Number(`${sign}${digits}`) + 0 // -0 is 0
    if (!isInteger(value)) {
      const hint = 'An Integer has 32 bits: from -2147483648 to 2147483647.'
      throw new CesqlSyntaxError(this.#text, start, `${sign}${digits} is no Integer`, hint)
    }
    this.#at++
    return this.#made({ kind: 'literal', value, start, end: this.#end }, [])
  }

  #parseAttribute(): Expression {
    const { text, start } = this.#token
    const name = this.#nameOf(text)
    return this.#made({ kind: 'attribute', name, start, end: this.#end }, [])
  }

  /** Takes the name of an attribute; they are written in any case, and are lower case (CE-66). */
  #nameOf(word: string): string {
    if (word.includes('_')) {
      const hint = `Such names are letters and digits; ${word.replaceAll('_', '').toLowerCase()} would be one.`
      throw this.#wrong(`${word} is no name of an attribute`, hint)
    }
    this.#at++
    return word.toLowerCase()
  }

  #parseCall(): Expression {
    const { text, start } = this.#token
    if (!/^[A-Za-z][A-Za-z_]*$/.test(text)) {
      throw this.#wrong(`${text} is no name of a function`, 'Such names are letters and _.')
    }
    this.#at += 2
    const of = this.#take(')') ? [] : this.#parseList()
    const name = text.toUpperCase()
    const definition = this.#functions.find(name, of.length)
    return this.#made({ kind: 'call', name, of, definition, start, end: this.#end }, of)
  }

  /** Goes one level down, if there may be one more. */
  #enter(): void {
    if (++this.#open > this.#maxDepth) throw this.#tooDeep()
  }

  /** Takes the closing parenthesis, and goes up. */
  #leave(inside: Expression): void {
    if (!this.#take(')')) throw this.#noOperator(inside)
    this.#open--
  }

  /** The node, if operations on results of operations don't nest too deep with it: what walks the tree is recursive. */
  #made<Node extends Expression>(node: Node, parts: readonly Expression[]): Node {
    let height = 1
    for (const part of parts) height = Math.max(height, this.#heights.get(part)! + 1)
    this.#heights.set(node, height)
    if (height > this.#maxDepth) throw this.#tooDeep()
    return node
  }

  #tooDeep(): CesqlSyntaxError {
    const problem = `the expression nests more than ${this.#maxDepth} deep`
    return new CesqlSyntaxError(this.#text, this.#token.start, problem, 'Split it into several filters.', true)
  }

  #wrong(problem: string, hint?: string): CesqlSyntaxError {
    return new CesqlSyntaxError(this.#text, this.#token.start, problem, hint)
  }

  #noOperand(): CesqlSyntaxError {
    const before = this.#tokens[this.#at - 1]
    if (this.#token.kind === 'wrong') return this.#wrongToken(before)
    if (this.#token.kind === 'end') {
      if (before === undefined) return this.#wrong('the expression is empty', "Such as type = 'com.example.order'.")
      return this.#wrong(`something has to follow ${this.#written(before)}`)
    }
    const token = this.#written(this.#token)
    if (this.#is('/') && before !== undefined && PRECEDENCE[before.text] === PRECEDENCE['=']) {
      return this.#wrong(`expected a value, got ${token}`, "Put the text in quotes: '/...'.")
    }
    const hint = this.#is(')') && before?.text === ',' ? 'Remove the comma before it.' : undefined
    return this.#wrong(`expected a value or the name of an attribute, got ${token}`, hint)
  }

  #noOperator(left: Expression): CesqlSyntaxError {
    const token = this.#token
    if (token.kind === 'wrong') return this.#wrongToken(this.#tokens[this.#at - 1])
    if (token.kind === 'end') return this.#wrong('a closing ) is missing')
    const before = this.#text.slice(left.start, left.end)
    const expected = this.#open > 0 ? 'an operator or )' : 'an operator or the end'
    return this.#wrong(`expected ${expected}, got ${this.#written(token)}`, hintForOperator(this.#text, token, before))
  }

  /** The mistake that the lexer found, unless what stands around it says more. */
  #wrongToken(before: Token | undefined): CesqlSyntaxError {
    const { start, text, hint } = this.#token
    const isNamed = (before?.kind === 'name' || before?.kind === 'integer') && before.end === start
    if (!isNamed || !'.:'.includes(this.#text[start]!)) return this.#wrong(text, hint)
    const comparison = this.#tokens[this.#at - 2]
    const isCompared = comparison?.kind === 'symbol' && PRECEDENCE[comparison.text] === PRECEDENCE['=']
    return this.#wrong(text, hintForUnquoted(this.#text, start, isCompared))
  }

  #written({ start, end }: Token): string {
    return this.#text.slice(start, end)
  }
}

function isNegatable(token: Token | undefined): boolean {
  return token?.kind === 'symbol' && (token.text === 'LIKE' || token.text === 'IN')
}
