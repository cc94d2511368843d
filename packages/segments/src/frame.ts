// One entry on the disk: a frame with a checksum, a sequence number and its place in the write that brought it. Hot
// path (bench/append.ts).
//
//   byte  0..3   CRC-32 of all that follows, up to the end of the payload; little endian, as all numbers here
//         4..7   bytes of the payload, 1 or more: zeros are where nothing was written
//         8..13  sequence number
//        14      kind: 1 = the head of a segment, 2 = an entry
//        15      0
//        16..19  place in its batch, from 0: a batch is what one write and one sync made durable
//        20..23  salt: a random number that all frames of a segment have, and nobody knows who sends events. So what
//                looks like a frame inside of an event's data is none, if ever the frame around it is broken
//        24..    payload, then zeros up to a multiple of 8

import { crc32 } from 'node:zlib'

export const FRAME_HEAD = 24
export const KIND_HEAD = 1
export const KIND_ENTRY = 2
/** A longer payload is damage: no event is larger than this, by far. */
export const PAYLOAD_BYTES_MAX: number = 256 * 1024 * 1024

/** Bytes of a frame with so long a payload. A multiple of 8, as is every frame's offset. */
export function frameBytes(payloadBytes: number): number {
  return (FRAME_HEAD + payloadBytes + 7) & ~7
}

/** Completes the frame at `at`, whose payload of `length` bytes stands in the buffer already. Returns the offset after it. */
export function sealFrame(
  buffer: Buffer,
  at: number,
  length: number,
  seq: number,
  place: number,
  salt: number,
  kind: number = KIND_ENTRY,
): number {
  buffer.writeUInt32LE(length, at + 4)
  buffer.writeUInt32LE(seq % TWO_32, at + 8)
  buffer.writeUInt16LE(Math.floor(seq / TWO_32), at + 12)
  buffer[at + 14] = kind
  buffer[at + 15] = 0
  buffer.writeUInt32LE(place, at + 16)
  buffer.writeUInt32LE(salt, at + 20)
  const payloadEnd = at + FRAME_HEAD + length
  buffer.writeUInt32LE(crc32(buffer.subarray(at + 4, payloadEnd)), at)
  const end = at + frameBytes(length)
  for (let i = payloadEnd; i < end; i++) buffer[i] = 0
  return end
}

/** What stands in a frame. Reading fills one and the same object again and again. */
export interface Frame {
  kind: number
  seq: number
  place: number
  salt: number
  /** Offset of the payload in the buffer that was read. */
  start: number
  /** Bytes of the payload. */
  length: number
  /** Offset after the frame. */
  end: number
}

export function newFrame(): Frame {
  return { kind: 0, seq: 0, place: 0, salt: 0, start: 0, length: 0, end: 0 }
}

/**
 * Reads the frame at `at` into `frame`. Returns false where there is none of that salt whose checksum holds, or not all
 * of it lies in `buffer`. `salt` undefined: any.
 */
export function readFrame(buffer: Buffer, at: number, frame: Frame, salt?: number): boolean {
  if (at + FRAME_HEAD > buffer.length) return false
  const length = announcedLength(buffer, at, salt)
  if (length === 0 || at + FRAME_HEAD + length > buffer.length) return false
  const end = at + FRAME_HEAD + length
  if (crc32(buffer.subarray(at + 4, end)) !== buffer.readUInt32LE(at)) return false
  frame.kind = buffer[at + 14]!
  frame.seq = buffer.readUInt32LE(at + 8) + buffer.readUInt16LE(at + 12) * TWO_32
  frame.place = buffer.readUInt32LE(at + 16)
  frame.salt = buffer.readUInt32LE(at + 20)
  frame.start = at + FRAME_HEAD
  frame.length = length
  frame.end = at + frameBytes(length)
  return true
}

/** How long a payload the frame at `at` says it has; 0 where none of that salt begins there. Its head must lie in `buffer`. */
export function announcedLength(buffer: Buffer, at: number, salt?: number): number {
  const length = buffer.readUInt32LE(at + 4)
  const kind = buffer[at + 14]!
  const isPlausible = length <= PAYLOAD_BYTES_MAX && kind >= KIND_HEAD && kind <= KIND_ENTRY && buffer[at + 15] === 0
  return isPlausible && (salt === undefined || buffer.readUInt32LE(at + 20) === salt) ? length : 0
}

const TWO_32 = 2 ** 32
