// Sizes as people write them in Kubernetes: 1048576, 1Mi, 64K.

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
}

/** Reads a size in bytes; throws an Error that says how to write one. */
export function parseBytes(text: string): number {
  const match = /^(\d+)(|[kKMGT]|[KMGT]i)$/.exec(text)
  const bytes = match === null ? Number.NaN : Number(match[1]) * (UNITS[match[2] as string] as number)
  if (!Number.isSafeInteger(bytes) || bytes === 0)
    throw new Error(`"${text}" is no size. Write bytes, or a unit: 1048576, 512Ki, 1Mi, 2Gi.`)
  return bytes
}
