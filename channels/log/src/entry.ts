// An event as an entry of the log. Hot path (bench/log.ts).
//
//   byte 0..7   when it was stored, wall-clock ms, a little-endian double
//        8..    varints: how many subscriptions it was judged to be for, and their numbers, in rising order of joining
//        then   the event's record (event/src/record.ts)

import { decodeRecord, recordBytes, writeRecord, type Event } from '@sluice/event'
import { readVarint, varintBytes, writeVarint, type Reader } from './varint.ts'

/** Who an event is for: the numbers of subscriptions. */
export interface Taker {
  readonly number: number
}

const TIME_BYTES = 8

/** Most bytes that the entry takes. */
export function entryBytes(recordSize: number, takers: readonly Taker[]): number {
  let bytes = TIME_BYTES + varintBytes(takers.length) + recordSize
  for (const { number } of takers) bytes += varintBytes(number)
  return bytes
}

/** Size of the event's own part. */
export const eventBytes: (event: Event) => number = recordBytes

/** Writes the entry at `at`; returns the offset after it. */
export function writeEntry(target: Buffer, at: number, time: number, takers: readonly Taker[], event: Event): number {
  target.writeDoubleLE(time, at)
  let end = writeVarint(target, at + TIME_BYTES, takers.length)
  for (const { number } of takers) end = writeVarint(target, end, number)
  return writeRecord(event, target, end)
}

/** Where the list of takers lies in an entry that begins at `at`: after the time, up to the event. */
export function takersEnd(bytes: Buffer, at: number): number {
  const reader: Reader = { bytes, at: at + TIME_BYTES }
  for (let left = readVarint(reader); left > 0; left--) readVarint(reader)
  return reader.at
}

/** The list of takers as a text, so that equal ones are one and the same key. */
export function takersKey(bytes: Buffer, at: number, end: number): string {
  return bytes.toString('latin1', at + TIME_BYTES, end)
}

/** The numbers in a key of {@link takersKey}. */
export function takersOf(key: string): Uint32Array {
  const reader: Reader = { bytes: Buffer.from(key, 'latin1'), at: 0 }
  const numbers = new Uint32Array(readVarint(reader))
  for (let i = 0; i < numbers.length; i++) numbers[i] = readVarint(reader)
  return numbers
}

export function timeOf(bytes: Buffer, at: number): number {
  return bytes.readDoubleLE(at)
}

/** The event of an entry. Its data shares `entry`. */
export function readEvent(entry: Buffer): Event {
  return decodeRecord(entry.subarray(takersEnd(entry, 0)))
}
