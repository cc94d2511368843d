// Whole numbers from 0 to 2^53, in 7 bits a byte, the lowest first. Hot path (bench/log.ts).

/** Reads one after the other. */
export interface Reader {
  readonly bytes: Buffer
  at: number
}

/** Writes `value` at `at`; returns the offset after it. @throws RangeError for what is no such number */
export function writeVarint(target: Buffer, at: number, value: number): number {
  if (value > Number.MAX_SAFE_INTEGER) throw new RangeError(`${value} is no varint`)
  let rest = value
  let offset = at
  while (rest >= 0x80) {
    target[offset++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  target[offset++] = rest
  return offset
}

export function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

/** @throws RangeError past the end, or for what is no varint. */
export function readVarint(reader: Reader): number {
  let value = 0
  for (let scale = 1; scale < 2 ** 53; scale *= 0x80) {
    const byte = reader.bytes[reader.at++]
    if (byte === undefined) break
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return value
  }
  throw new RangeError('these bytes are no varint')
}
