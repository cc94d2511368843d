// JSON Pointers (RFC 6901): where in JSON data a filter looks. Hot path: `valueAt`.

/** What is wrong with a text that is no pointer. */
export interface PointerFault {
  readonly message: string
  readonly hint: string
}

/** The steps of a pointer, unescaped; none for the whole document. */
export function pointerSteps(pointer: string): readonly string[] | PointerFault {
  if (pointer !== '' && !pointer.startsWith('/')) {
    const meant = pointer.replace(/^\$?\.?/, '').replaceAll(/[.[\]]+/g, '/')
    return { message: 'a JSON Pointer begins with /', hint: `Such as /${meant.replace(/\/$/, '')}.` }
  }
  if (/~(?![01])/.test(pointer)) {
    return {
      message: 'a ~ in a JSON Pointer is followed by 0 or 1',
      hint: 'Write ~0 for ~, and ~1 for / within a name.',
    }
  }
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The value where the steps lead, or `undefined`; JSON has no such value. */
export function valueAt(document: unknown, steps: readonly string[]): unknown {
  let value = document
  for (let i = 0; i < steps.length; i++) {
    if (typeof value !== 'object' || value === null) return undefined
    const step = steps[i]!
    if (Array.isArray(value)) value = isIndex(step) ? value[Number(step)] : undefined
    else value = Object.hasOwn(value, step) ? (value as Record<string, unknown>)[step] : undefined
  }
  return value
}

/** RFC 6901 §4: digits without a leading zero. */
function isIndex(step: string): boolean {
  return /^(?:0|[1-9][0-9]*)$/.test(step)
}
