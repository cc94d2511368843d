// An entry of the dead-letter box on the disk: the payload of a frame of @sluice/segments. Little endian.
//
//   byte 0        1 = a dead letter
//        1        why it is here: 0 undeliverable, 1 sink, 2 loop
//        2..3     HTTP status of the last try
//        4..7     tries that were made
//        8..15    when it came, wall-clock ms, a double
//       16..23    its id, a double; 0: the sequence number of this frame. Given where it was moved or replaced: of
//                 several frames with one id the last one counts
//       24..39    bytes of the trigger's uid, of the trigger's name, of what went wrong, of the answer (none: 2^32 - 1)
//       40..      these four, the first three in UTF-8
//       then      the event's record (event/src/record.ts)
//
//   byte 0        2 = entries are removed, wherever they stand
//        1..7     0
//        8..      their ids, a double each

import type { DeadLetter, NewDeadLetter } from '@sluice/channel'
import { SluiceError, decodeRecord, recordBytes, writeRecord } from '@sluice/event'

const ENTRY = 1
const REMOVAL = 2
const REASONS: readonly NewDeadLetter['reason'][] = ['undeliverable', 'sink', 'loop']
const HEAD = 40
const ID_AT = 16
const REMOVED_AT = 8
const ID_BYTES = 8
const NO_RESPONSE = 2 ** 32 - 1
const RESPONSE_BYTES_MAX = 1024

/** The entry's bytes. `id` 0: it is new, and the frame's sequence number names it. */
export function encodeEntry(entry: NewDeadLetter, time: number, id: number): Buffer {
  const { event, trigger, triggerId, reason, attempts, code, error } = entry
  const response = entry.response?.subarray(0, RESPONSE_BYTES_MAX)
  const texts = Buffer.from(triggerId + trigger + error)
  const start = HEAD + texts.length + (response?.length ?? 0)
  const bytes = Buffer.allocUnsafe(start + recordBytes(event))
  bytes[0] = ENTRY
  bytes[1] = REASONS.indexOf(reason)
  bytes.writeUInt16LE(code, 2)
  bytes.writeUInt32LE(attempts, 4)
  bytes.writeDoubleLE(time, 8)
  bytes.writeDoubleLE(id, ID_AT)
  bytes.writeUInt32LE(Buffer.byteLength(triggerId), 24)
  bytes.writeUInt32LE(Buffer.byteLength(trigger), 28)
  bytes.writeUInt32LE(Buffer.byteLength(error), 32)
  bytes.writeUInt32LE(response?.length ?? NO_RESPONSE, 36)
  texts.copy(bytes, HEAD)
  response?.copy(bytes, HEAD + texts.length)
  return bytes.subarray(0, writeRecord(event, bytes, start))
}

/** The entry of that id. Its event's data and its answer share `bytes`. */
export function decodeEntry(bytes: Buffer, id: number): DeadLetter {
  const uidEnd = HEAD + bytes.readUInt32LE(24)
  const nameEnd = uidEnd + bytes.readUInt32LE(28)
  const errorEnd = nameEnd + bytes.readUInt32LE(32)
  const responseBytes = bytes.readUInt32LE(36)
  const end = errorEnd + (responseBytes === NO_RESPONSE ? 0 : responseBytes)
  return {
    id: String(id),
    time: bytes.readDoubleLE(8),
    event: decodeRecord(bytes.subarray(end)),
    trigger: bytes.toString('utf8', uidEnd, nameEnd),
    triggerId: bytes.toString('utf8', HEAD, uidEnd),
    reason: REASONS[bytes[1]!]!,
    attempts: bytes.readUInt32LE(4),
    code: bytes.readUInt16LE(2),
    error: bytes.toString('utf8', nameEnd, errorEnd),
    response: responseBytes === NO_RESPONSE ? undefined : bytes.subarray(errorEnd, end),
  }
}

/** Makes `entry` another frame of the entry with that id. */
export function nameEntry(entry: Buffer, id: number): void {
  entry.writeDoubleLE(id, ID_AT)
}

export function timeOf(entry: Buffer): number {
  return entry.readDoubleLE(8)
}

export function encodeRemoval(ids: readonly number[]): Buffer {
  const bytes = Buffer.alloc(REMOVED_AT + ids.length * ID_BYTES)
  bytes[0] = REMOVAL
  for (let i = 0; i < ids.length; i++) bytes.writeDoubleLE(ids[i]!, REMOVED_AT + i * ID_BYTES)
  return bytes
}

/** What recovery has to know of a payload, from `start` to `end` of `bytes`: of an entry its id and trigger. */
export type Recovered = { readonly id: number; readonly trigger: string } | { readonly removed: readonly number[] }

/**
 * @param seq sequence number of the frame
 * @throws SluiceError `SLUICE_DATA_FORMAT` for what a later version wrote
 */
export function recoverPayload(bytes: Buffer, start: number, end: number, seq: number): Recovered {
  if (bytes[start] === ENTRY) {
    const nameAt = start + HEAD + bytes.readUInt32LE(start + 24)
    const trigger = bytes.toString('utf8', nameAt, nameAt + bytes.readUInt32LE(start + 28))
    return { id: bytes.readDoubleLE(start + ID_AT) || seq, trigger }
  }
  if (bytes[start] !== REMOVAL) {
    throw new SluiceError(
      'SLUICE_DATA_FORMAT',
      `The dead-letter box has an entry of kind ${bytes[start]}, which this version of Sluice doesn't know. Nothing ` +
        'was changed. Start the version that wrote it, or move the folder away.',
    )
  }
  const removed: number[] = []
  for (let at = start + REMOVED_AT; at < end; at += ID_BYTES) removed.push(bytes.readDoubleLE(at))
  return { removed }
}
