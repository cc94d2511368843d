// JSON in which every number stays as it was written. JSON.parse rounds 12345678901234567890 and makes 1 of 1.0, so that
// somebody who looks at an event would see other data than its subscriber gets.

declare global {
  // ECMAScript 2025, "JSON.parse source text access"; not in TypeScript's library for ES2024.
  interface JSON {
    rawJSON(text: string): { readonly rawJSON: string }
    isRawJSON(value: unknown): value is { readonly rawJSON: string }
  }
}

/** As `JSON.parse`, but for a number that JavaScript would write otherwise: that is an object which `JSON.stringify` writes as it came. */
export function parseExact(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === 'number' && source !== undefined && source !== String(value) ? JSON.rawJSON(source) : value,
  )
}

/** For those who write no JSON: the number behind such an object, a whole one of any size exactly. */
export function plainNumber(value: unknown): unknown {
  if (!JSON.isRawJSON(value)) return value
  return /^-?\d+$/.test(value.rawJSON) ? BigInt(value.rawJSON) : Number(value.rawJSON)
}
