// The value of an EventType's attribute: itself, or a template with parts that differ from event to event, such as
// `/apis/v1/namespaces/{namespace}/pingsources/{name}` (FL-21). A part in braces stands for one character or more.

/** What an attribute may be. */
export interface ValueTemplate {
  /** The only value, where no part is in braces. */
  readonly exact: string | undefined
  /** Takes time linear in the text for each part of the template. Never throws. */
  readonly matches: (text: string) => boolean
}

const VARIABLE = /\{[^{}]*\}/

/** Reads the value of an attribute definition. A brace without its partner stands for itself. */
export function valueTemplate(value: string): ValueTemplate {
  const literals = value.split(new RegExp(VARIABLE, 'g'))
  if (literals.length === 1) return { exact: value, matches: (text) => text === value }
  const [first = ''] = literals
  const last = literals.at(-1)!
  const between = literals.slice(1, -1)
  return {
    exact: undefined,
    matches(text) {
      if (!text.startsWith(first) || !text.endsWith(last)) return false
      const end = text.length - last.length
      let at = first.length
      for (const literal of between) {
        const found = text.indexOf(literal, at + 1) // the leftmost leaves most to what follows
        if (found === -1) return false
        at = found + literal.length
      }
      return at < end
    },
  }
}
