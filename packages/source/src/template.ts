// Texts with holes, which a request fills: attributes of events, and what a signature is made over.
//
//     com.github.{header.x-github-event}[.{body.action}]
//
// `{a|b|'text'}` is the first that is there, the text where none is. `[...]` is left out where something in it is missing.
// `{dots(a)}` has dots for slashes and colons, `{snake(a)}` is merge_request for MergeRequest, `{parent(a)}` is a URL without
// its last part, `{bare(a)}` one without what follows a #. A brace or bracket of its own is written twice.

import { SluiceError } from '@sluice/event'

/** A parsed template. */
export interface Template {
  /** The text, or `undefined` where something is missing that stands in no brackets. */
  fill(lookup: Lookup): string | undefined
  /** As {@link fill}, piece by piece: bytes stay bytes. */
  pieces(lookup: Lookup): (string | Buffer)[] | undefined
  /** Every name that stands in it, such as `['body', 'action']`. */
  readonly names: readonly (readonly string[])[]
}

/** Finds what a name stands for, such as `['header', 'x-id']`; `undefined`: it is not there. */
export type Lookup = (name: readonly string[]) => string | Buffer | undefined

type Part = string | Choice | Group
interface Choice {
  readonly choices: readonly Value[]
}
interface Group {
  readonly parts: readonly Part[]
}
type Value =
  | { readonly text: string }
  | { readonly name: readonly string[]; readonly change?: (text: string) => string }

const CHANGES: Readonly<Record<string, (text: string) => string>> = {
  dots: (text) => text.replaceAll(/[/:]/g, '.'),
  snake: (text) => text.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '_').toLowerCase(),
  parent: (text) => text.replace(/\/[^/]*\/?$/, ''),
  bare: (text) => text.replace(/#.*$/s, ''),
}

/** Longest text that is taken, in characters. */
const CHARACTERS_MAX = 1024

/**
 * Reads a template.
 *
 * @param roots the first words of names that may stand in it, such as `body`
 * @throws SluiceError `SLUICE_TEMPLATE_INVALID`: what is wrong, and where
 */
export function parseTemplate(text: string, roots: readonly string[]): Template {
  if (text.length > CHARACTERS_MAX) {
    throw invalid(`It has ${text.length} characters; ${CHARACTERS_MAX} is the most`)
  }
  const names: (readonly string[])[] = []
  let at = 0
  const parts = parseParts(false)
  return {
    names,
    fill: (lookup) => {
      const pieces: (string | Buffer)[] = []
      return fillInto(parts, lookup, pieces) ? pieces.map(String).join('') : undefined
    },
    pieces: (lookup) => {
      const pieces: (string | Buffer)[] = []
      return fillInto(parts, lookup, pieces) ? pieces : undefined
    },
  }

  function parseParts(isInGroup: boolean): Part[] {
    const found: Part[] = []
    let plain = ''
    const endPlain = (): void => {
      if (plain !== '') found.push(plain)
      plain = ''
    }
    while (at < text.length) {
      const sign = text[at]!
      if ('{}[]'.includes(sign) && text[at + 1] === sign) {
        plain += sign
        at += 2
      } else if (sign === '{') {
        endPlain()
        found.push(parseChoice())
      } else if (sign === '[') {
        if (isInGroup) throw invalid(`"[" at character ${at + 1} stands inside of brackets`)
        endPlain()
        const start = at++
        const inside = parseParts(true)
        if (text[at] !== ']') throw invalid(`"[" at character ${start + 1} is never closed`)
        at++
        found.push({ parts: inside })
      } else if (sign === ']' && isInGroup) break
      else if (sign === '}' || sign === ']') {
        throw invalid(`"${sign}" at character ${at + 1} closes nothing; one of its own is written "${sign}${sign}"`)
      } else {
        plain += sign
        at++
      }
    }
    endPlain()
    return found
  }

  function parseChoice(): Choice {
    const end = text.indexOf('}', at)
    if (end === -1) throw invalid(`"{" at character ${at + 1} is never closed`)
    const inside = text.slice(at + 1, end)
    at = end + 1
    return { choices: inside.split('|').map((each) => parseValue(each.trim())) }
  }

  function parseValue(word: string): Value {
    const quoted = /^'([^']*)'$/.exec(word)
    if (quoted !== null) return { text: quoted[1]! }
    const called = /^(\w+)\((.*)\)$/.exec(word)
    const change = called === null ? undefined : CHANGES[called[1]!]
    if (called !== null && (change === undefined || !Object.hasOwn(CHANGES, called[1]!))) {
      throw invalid(`there is no ${called[1]}(); there are ${Object.keys(CHANGES).join(', ')}`)
    }
    const name = (called?.[2] ?? word).trim().split('.')
    if (!name.every((step) => /^[\w$-]+$/.test(step)) || !roots.includes(name[0]!)) {
      throw invalid(`{${word}} is none of ${roots.map((root) => `{${root}}`).join(', ')}, or of what lies below`)
    }
    if (name[0] === 'header') name[1] = name[1]?.toLowerCase() ?? ''
    names.push(name)
    return change === undefined ? { name } : { name, change }
  }
}

function fillInto(parts: readonly Part[], lookup: Lookup, into: (string | Buffer)[]): boolean {
  for (const part of parts) {
    if (typeof part === 'string') into.push(part)
    else if ('parts' in part) {
      const length = into.length
      if (!fillInto(part.parts, lookup, into)) into.length = length
    } else {
      const found = firstOf(part.choices, lookup)
      if (found === undefined) return false
      into.push(found)
    }
  }
  return true
}

function firstOf(choices: readonly Value[], lookup: Lookup): string | Buffer | undefined {
  for (const value of choices) {
    if ('text' in value) return value.text
    const found = lookup(value.name)
    if (found !== undefined) return value.change === undefined ? found : value.change(String(found))
  }
  return undefined
}

function invalid(problem: string): SluiceError {
  return new SluiceError('SLUICE_TEMPLATE_INVALID', `${problem}.`, { status: 400 })
}
