// The entries of the progress store. Hot path (bench/log.ts): one for every 50 ms in which anything has changed.
//
//   byte 0   1 = progress, 2 = a subscription is removed
//   1: varints: the next free subscription number, the last committed sequence number, how many subscriptions; then
//      for each  number, flags (1 = all of it, 2 = it judges), [1: length of its id, id in UTF-8], position,
//                [2: judgesUntil], waiting,
//                how many pending, for each  seq, offset, bytes, tries, [tries > 0: due, length of its key + 1 or 0, key],
//                how many settled, for each  seq
//   2: varint: its number

import type { SavedPending, SavedState, Unsaved } from './saved.ts'
import { readVarint, varintBytes, writeVarint, type Reader } from './varint.ts'

export interface SavedProgress {
  /** Numbers below it have been given to subscriptions. */
  nextNumber: number
  /** The last sequence number that was committed when it was saved. */
  committed: number
  /** Entries are missing here: what follows counts only where it doesn't build on them. */
  isBroken: boolean
  readonly states: Map<number, SavedState>
}

const PROGRESS = 1
const REMOVED = 2
const ALL = 1
const JUDGES = 2

/** One entry. */
export function encodeProgress(nextNumber: number, committed: number, parts: readonly Unsaved[]): Buffer {
  const target = Buffer.allocUnsafe(parts.reduce((bytes, part) => bytes + partBytes(part), 1 + 3 * VARINT_MAX))
  target[0] = PROGRESS
  let at = writeVarint(target, 1, nextNumber)
  at = writeVarint(target, at, committed)
  at = writeVarint(target, at, parts.length)
  for (const part of parts) at = writePart(target, at, part)
  return target.subarray(0, at)
}

export function encodeRemoval(number: number): Buffer {
  const target = Buffer.allocUnsafe(1 + varintBytes(number))
  target[0] = REMOVED
  writeVarint(target, 1, number)
  return target
}

/** Applies an entry to what the ones before it have come to. */
export function applyEntry(saved: SavedProgress, entry: Buffer): void {
  const reader: Reader = { bytes: entry, at: 1 }
  if (entry[0] === REMOVED) {
    saved.states.delete(readVarint(reader))
    return
  }
  saved.nextNumber = readVarint(reader)
  saved.committed = readVarint(reader)
  for (let left = readVarint(reader); left > 0; left--) {
    const state = readPart(reader, saved)
    if (state !== undefined) saved.states.set(state.number, state)
  }
}

const VARINT_MAX = 8
const PENDING_MAX = 6 * VARINT_MAX

function partBytes({ id, pending, settled }: Unsaved): number {
  let bytes = 8 * VARINT_MAX + (id === undefined ? 0 : Buffer.byteLength(id)) + settled.length * VARINT_MAX
  for (const { key } of pending) bytes += PENDING_MAX + (key === undefined ? 0 : Buffer.byteLength(key))
  return bytes
}

function writePart(target: Buffer, offset: number, part: Unsaved): number {
  const { number, id, position, judgesUntil, waiting, pending, settled } = part
  const judges = judgesUntil > position
  let at = writeVarint(target, offset, number)
  at = writeVarint(target, at, (id === undefined ? 0 : ALL) + (judges ? JUDGES : 0))
  if (id !== undefined) at = writeText(target, at, id)
  at = writeVarint(target, at, position)
  if (judges) at = writeVarint(target, at, judgesUntil)
  at = writeVarint(target, at, waiting)
  at = writeVarint(target, at, pending.length)
  for (const each of pending) at = writePending(target, at, each)
  at = writeVarint(target, at, settled.length)
  for (const seq of settled) at = writeVarint(target, at, seq)
  return at
}

function writePending(
  target: Buffer,
  offset: number,
  { seq, offset: frame, bytes, tries, due, key }: SavedPending,
): number {
  let at = writeVarint(target, offset, seq)
  at = writeVarint(target, at, frame)
  at = writeVarint(target, at, bytes)
  at = writeVarint(target, at, tries)
  if (tries === 0) return at
  at = writeVarint(target, at, Math.max(0, Math.round(due)))
  if (key !== undefined) return writeText(target, at, key, 1)
  target[at] = 0
  return at + 1
}

function writeText(target: Buffer, at: number, text: string, more: number = 0): number {
  const start = writeVarint(target, at, Buffer.byteLength(text) + more)
  return start + target.write(text, start)
}

function readPart(reader: Reader, { states, isBroken }: SavedProgress): SavedState | undefined {
  const number = readVarint(reader)
  const flags = readVarint(reader)
  const isAll = (flags & ALL) !== 0
  const before = states.get(number)
  const id = isAll ? readText(reader, readVarint(reader)) : before?.id
  const position = readVarint(reader)
  const judgesUntil = (flags & JUDGES) === 0 ? 0 : readVarint(reader)
  const waiting = readVarint(reader)
  const isRewound = !isAll && (isBroken || before?.isRewound === true)
  const pending = isAll || before === undefined ? new Map<number, SavedPending>() : before.pending
  for (let left = readVarint(reader); left > 0; left--) {
    const each = readPending(reader)
    if (!isRewound) pending.set(each.seq, each)
  }
  for (let left = readVarint(reader); left > 0; left--) pending.delete(readVarint(reader))
  if (id === undefined) return undefined
  // What comes after a gap is done again from where the gap began; what is settled stays so.
  if (isRewound) return { ...before!, isRewound }
  return { number, id, position, judgesUntil, waiting, pending, isRewound }
}

function readPending(reader: Reader): SavedPending {
  const seq = readVarint(reader)
  const offset = readVarint(reader)
  const bytes = readVarint(reader)
  const tries = readVarint(reader)
  if (tries === 0) return { seq, offset, bytes, tries, due: 0, key: undefined }
  const due = readVarint(reader)
  const length = readVarint(reader)
  return { seq, offset, bytes, tries, due, key: length === 0 ? undefined : readText(reader, length - 1) }
}

function readText(reader: Reader, length: number): string {
  const { bytes, at } = reader
  reader.at += length
  return bytes.toString('utf8', at, at + length)
}
