// The words of `explain`: what is asked, and values so that two that differ are seen to differ.

import { quote } from './errors.ts'
import type { DataTest } from './filter.ts'

/** A value as a sentence has it. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'string') return quote(value)
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value)
}

/** What was found and what was wanted, which is something else. */
export function difference(found: unknown, wanted: unknown): string {
  if (typeof found === 'string' && typeof wanted === 'string') return textDifference(found, wanted)
  // 5 and "5" look alike in a sentence.
  const isLike =
    typeof found !== typeof wanted && shown(found).replaceAll('"', '') === shown(wanted).replaceAll('"', '')
  const [a, b] = isLike ? [`the ${kindOf(found)} `, `the ${kindOf(wanted)} `] : ['', '']
  return `is ${a}${shown(found)}, wanted ${b}${shown(wanted)}`
}

function textDifference(found: string, wanted: string): string {
  let same = 0
  while (same < found.length && found[same] === wanted[same]) same++
  const from = same > SAME_SHOWN_MAX ? same - SAME_BEFORE : 0
  const cut = (text: string): string => (from === 0 ? quote(text) : quote(`…${text.slice(from)}`))
  const place = from === 0 ? '' : ` (they differ at character ${same + 1})`
  const letters = found.toLowerCase() === wanted.toLowerCase() ? ' (upper and lower case differ)' : ''
  return `is ${cut(found)}, wanted ${cut(wanted)}${letters || place}`
}

/** Texts that are the same for longer are cut so that the difference is seen. */
const SAME_SHOWN_MAX = 48
const SAME_BEFORE = 16

function kindOf(value: unknown): string {
  return typeof value === 'string' ? 'text' : typeof value
}

/** What a test asks of its subject, as words behind its name. */
export function asksText(test: DataTest): string {
  switch (test.kind) {
    case 'exists':
      return 'is there'
    case 'exact':
      return `is ${shown(test.value)}`
    case 'in':
      return `is ${oneOf(test.values)}`
    case 'prefix':
      return `begins with ${shown(test.value)}`
    case 'suffix':
      return `ends with ${shown(test.value)}`
    default:
      return `is ${ORDER_WORDS[test.kind]} ${shown(test.value)}`
  }
}

/** The same of a subject that is there and fails it. */
export function lacksText(test: DataTest): string {
  switch (test.kind) {
    case 'exists':
      return 'is missing'
    case 'prefix':
      return `does not begin with ${shown(test.value)}`
    case 'suffix':
      return `does not end with ${shown(test.value)}`
    default:
      return `is not ${asksText(test).slice('is '.length)}`
  }
}

const ORDER_WORDS = { gt: 'above', gte: 'at least', lt: 'below', lte: 'at most' } as const

function oneOf(values: readonly unknown[]): string {
  const more = values.length - VALUES_SHOWN_MAX
  const told = values.slice(0, VALUES_SHOWN_MAX).map(shown).join(', ')
  return values.length === 1 ? told : `one of ${told}${more > 0 ? ` and ${more} more` : ''}`
}

const VALUES_SHOWN_MAX = 8
