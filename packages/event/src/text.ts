// What text an attribute may hold. On the hot path (bench/codec.ts): every character of every attribute passes here.

/**
 * The index of the first character that no CloudEvents String may hold, or -1: control characters, noncharacters and
 * unpaired surrogates (CloudEvents 1.0, "Type System"). Linear; nothing is allocated.
 */
export function forbiddenAt(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x20 && unit < 0x7f) continue
    if (unit < 0xa0) return i
    if (unit < 0xd800) continue
    if (unit < 0xdc00) {
      const low = text.charCodeAt(i + 1)
      if (!(low >= 0xdc00 && low < 0xe000)) return i
      // The last two code points of every plane, U+xFFFE and U+xFFFF.
      if ((unit & 0x3f) === 0x3f && (low & 0x3ff) >= 0x3fe) return i
      i++
      continue
    }
    if (unit < 0xe000 || (unit >= 0xfdd0 && unit <= 0xfdef) || unit >= 0xfffe) return i
  }
  return -1
}

/** The longest attribute name that is accepted. CloudEvents advises 20 and sets no limit. */
export const ATTRIBUTE_NAME_LENGTH_MAX = 256

/**
 * Whether this may be the name of a context attribute: lower-case ASCII letters and digits, 1 to
 * {@link ATTRIBUTE_NAME_LENGTH_MAX} of them, and not `data` (CloudEvents 1.0, "Naming Conventions").
 */
export function isAttributeName(name: string): boolean {
  if (name.length === 0 || name.length > ATTRIBUTE_NAME_LENGTH_MAX) return false
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i)
    if (!((unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39))) return false
  }
  return name !== 'data'
}

/** Whether the number is a CloudEvents Integer: whole, and within 32 bits with sign. */
export function isInteger(value: number): boolean {
  return (value | 0) === value
}

/** The value as an error message may show it: in quotes, control characters escaped, cut after 64 characters. */
export function quote(value: string): string {
  return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}…` : value)
}
