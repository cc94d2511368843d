// The entries of the progress store. Hot path (bench/log.ts): one for every 50 ms in which anything has changed.
//
//   byte 0      flags: 4 = one of those that state everything anew, 1 = the first of them, 2 = the last
//        1..8   when it was saved, ms by the log's clock, a little-endian double
//        9..    varints: the next free subscription number, the last committed sequence number,
//               how many subscriptions are removed, and the number of each; how many are stated, and for each
//                 number, flags (1 = all of it, 2 = it judges, 4 = it missed some, 8 = waiting is at most that,
//                   16 = it missed several times),
//                 [1: length of its id, id in UTF-8], position, [2: judgesUntil],
//                 [16: how many times before the last one, for each  missed from, missed until],
//                 [4: missed from, missed until or 0 = until it is opened], waiting,
//                 [1: how many skipped, for each  seq],
//                 how many pending, for each  seq, offset, bytes, tries · 2 + (1 = parked),
//                                             [parked: due, length of its key + 1 or 0, key],
//                 how many settled, for each  seq

import type { Range } from './ranges.ts'
import type { SavedPending, SavedState, Unsaved } from './saved.ts'
import { readVarint, writeVarint, type Reader } from './varint.ts'

/** What stands at the beginning of each entry. */
export interface ProgressHead {
  /** Numbers below it have been given to subscriptions. */
  readonly nextNumber: number
  /** The last sequence number that was committed when it was saved. */
  readonly committed: number
  /** By the log's clock. */
  readonly savedAt: number
}

/** What an entry says. */
export interface ProgressEntry extends ProgressHead {
  /**
   * Where everything is stated anew, one of the entries that do so. It says nothing of those that it does not state; any
   * other entry says of those that they stand as they did, with `committed`.
   */
  readonly anew: { readonly isFirst: boolean; readonly isLast: boolean } | undefined
  /** Numbers of subscriptions. */
  readonly removed: readonly number[]
  readonly parts: readonly Unsaved[]
}

const FIRST = 1
const LAST = 2
const ANEW = 4

const ALL = 1
const JUDGES = 2
const MISSED = 4
const AT_MOST = 8
const MISSED_BEFORE = 16

const VARINT_MAX = 8
const HEAD_BYTES = 9 + 4 * VARINT_MAX
const PENDING_MAX = 6 * VARINT_MAX

export function encodeProgress({ anew, removed, parts, ...head }: ProgressEntry): Buffer {
  const most = parts.reduce((bytes, part) => bytes + partBytes(part), HEAD_BYTES + removed.length * VARINT_MAX)
  const target = Buffer.allocUnsafe(most)
  target[0] = anew === undefined ? 0 : ANEW + (anew.isFirst ? FIRST : 0) + (anew.isLast ? LAST : 0)
  target.writeDoubleLE(head.savedAt, 1)
  let at = writeVarint(target, 9, head.nextNumber)
  at = writeVarint(target, at, head.committed)
  at = writeNumbers(target, at, removed)
  at = writeVarint(target, at, parts.length)
  for (const part of parts) at = writePart(target, at, part)
  return target.subarray(0, at)
}

/** @throws RangeError for what is no entry */
export function decodeProgress(entry: Buffer): ProgressEntry {
  const reader: Reader = { bytes: entry, at: 9 }
  const nextNumber = readVarint(reader)
  const committed = readVarint(reader)
  const removed = readNumbers(reader)
  const parts: Unsaved[] = []
  for (let left = readVarint(reader); left > 0; left--) parts.push(readPart(reader))
  const flags = entry[0]!
  const anew = (flags & ANEW) === 0 ? undefined : { isFirst: (flags & FIRST) !== 0, isLast: (flags & LAST) !== 0 }
  return { anew, savedAt: entry.readDoubleLE(1), nextNumber, committed, removed, parts }
}

function partBytes({ id, pending, settled, skipped, missed }: Unsaved): number {
  let bytes = (11 + 2 * missed.length) * VARINT_MAX + (id === undefined ? 0 : Buffer.byteLength(id))
  bytes += (settled.length + skipped.length) * VARINT_MAX
  for (const { key } of pending) bytes += PENDING_MAX + (key === undefined ? 0 : Buffer.byteLength(key))
  return bytes
}

function writePart(target: Buffer, offset: number, part: Unsaved): number {
  const { number, id, position, judgesUntil, missed, waiting, isAtMost, skipped, pending, settled } = part
  const judges = judgesUntil > position
  const before = missed.slice(0, -1)
  const last = missed.at(-1)
  const missing = (last ? MISSED : 0) + (before.length > 0 ? MISSED_BEFORE : 0)
  const flags = (id ? ALL : 0) + (judges ? JUDGES : 0) + (isAtMost ? AT_MOST : 0) + missing
  let at = writeVarint(target, offset, number)
  at = writeVarint(target, at, flags)
  if (id !== undefined) at = writeText(target, at, id)
  at = writeVarint(target, at, position)
  if (judges) at = writeVarint(target, at, judgesUntil)
  if (before.length > 0) {
    at = writeVarint(target, at, before.length)
    for (const range of before) at = writeRange(target, at, range)
  }
  if (last !== undefined) at = writeRange(target, at, last)
  at = writeVarint(target, at, waiting)
  if (id !== undefined) at = writeNumbers(target, at, skipped)
  at = writeVarint(target, at, pending.length)
  for (const each of pending) at = writePending(target, at, each)
  return writeNumbers(target, at, settled)
}

function writeRange(target: Buffer, at: number, { from, until }: Range): number {
  return writeVarint(target, writeVarint(target, at, from), until === Infinity ? 0 : until)
}

function writePending(target: Buffer, offset: number, pending: SavedPending): number {
  const { seq, offset: frame, bytes, tries, isParked, due, key } = pending
  let at = writeVarint(target, offset, seq)
  at = writeVarint(target, at, frame)
  at = writeVarint(target, at, bytes)
  at = writeVarint(target, at, tries * 2 + (isParked ? 1 : 0))
  if (!isParked) return at
  at = writeVarint(target, at, Math.max(0, Math.ceil(due)))
  if (key !== undefined) return writeText(target, at, key, 1)
  target[at] = 0
  return at + 1
}

function writeText(target: Buffer, at: number, text: string, more: number = 0): number {
  const start = writeVarint(target, at, Buffer.byteLength(text) + more)
  return start + target.write(text, start)
}

function writeNumbers(target: Buffer, offset: number, numbers: readonly number[]): number {
  let at = writeVarint(target, offset, numbers.length)
  for (const each of numbers) at = writeVarint(target, at, each)
  return at
}

function readPart(reader: Reader): Unsaved {
  const number = readVarint(reader)
  const flags = readVarint(reader)
  const isAll = (flags & ALL) !== 0
  const id = isAll ? readText(reader, readVarint(reader)) : undefined
  const position = readVarint(reader)
  const judgesUntil = (flags & JUDGES) === 0 ? 0 : readVarint(reader)
  const missed: Range[] = []
  if ((flags & MISSED_BEFORE) !== 0)
    for (let left = readVarint(reader); left > 0; left--) missed.push(readRange(reader))
  if ((flags & MISSED) !== 0) missed.push(readRange(reader))
  const waiting = readVarint(reader)
  const skipped = isAll ? readNumbers(reader) : []
  const pending: SavedPending[] = []
  for (let left = readVarint(reader); left > 0; left--) pending.push(readPending(reader))
  const settled = readNumbers(reader)
  const isAtMost = (flags & AT_MOST) !== 0
  return { number, id, position, judgesUntil, missed, waiting, isAtMost, skipped, pending, settled }
}

function readRange(reader: Reader): Range {
  const from = readVarint(reader)
  const until = readVarint(reader)
  return { from, until: until === 0 ? Infinity : until }
}

function readPending(reader: Reader): SavedPending {
  const seq = readVarint(reader)
  const offset = readVarint(reader)
  const bytes = readVarint(reader)
  const state = readVarint(reader)
  const tries = Math.floor(state / 2)
  if (state % 2 === 0) return { seq, offset, bytes, tries, isParked: false, due: 0, key: undefined }
  const due = readVarint(reader)
  const length = readVarint(reader)
  const key = length === 0 ? undefined : readText(reader, length - 1)
  return { seq, offset, bytes, tries, isParked: true, due, key }
}

function readText(reader: Reader, length: number): string {
  const { bytes, at } = reader
  reader.at += length
  return bytes.toString('utf8', at, at + length)
}

function readNumbers(reader: Reader): number[] {
  const numbers: number[] = []
  for (let left = readVarint(reader); left > 0; left--) numbers.push(readVarint(reader))
  return numbers
}

/** What the entries up to now have come to. */
export class SavedProgress {
  nextNumber = 1
  committed = 0
  /** Whoever is not stated with a later one stands with this last committed sequence number. */
  counted = 0
  savedAt = 0
  /** Some of it can't be read: what follows counts only where it doesn't build on that. */
  isBroken = true
  readonly states: Map<number, SavedState> = new Map()
  /** Subscriptions that are stated anew, since everything began to be. */
  #anew: Set<number> | undefined

  /** An entry is missing here, which may have stated any of them. */
  gap(): void {
    this.isBroken = true
    this.#anew = undefined
    for (const [number, state] of this.states) this.states.set(number, { ...state, isRewound: true })
  }

  apply({ anew, removed, parts, nextNumber, committed, savedAt }: ProgressEntry): void {
    this.nextNumber = Math.max(this.nextNumber, nextNumber)
    this.committed = Math.max(this.committed, committed)
    this.savedAt = savedAt
    if (anew === undefined) this.#anew = undefined
    else if (anew.isFirst) this.#anew = new Set()
    for (const number of removed) this.states.delete(number)
    for (const part of parts) this.#applyPart(part, committed)
    if (anew === undefined) this.counted = committed
    if (anew?.isLast !== true || this.#anew === undefined) return
    // Whatever is not stated by now is not there any more.
    for (const number of this.states.keys()) if (!this.#anew.has(number)) this.states.delete(number)
    this.#anew = undefined
    this.counted = committed
    this.isBroken = false
  }

  #applyPart({ id, settled, pending: changed, ...part }: Unsaved, committed: number): void {
    const { number } = part
    const before = this.states.get(number)
    if (id !== undefined) {
      this.#anew?.add(number)
      const pending = new Map(changed.map((each) => [each.seq, each]))
      this.states.set(number, { ...part, id, pending, committed, isRewound: false })
      return
    }
    if (before === undefined) return // it was stated where something is missing
    const { pending } = before
    // What comes after a gap is done again from where the gap began; what is settled stays so.
    const isRewound = before.isRewound || this.isBroken
    if (!isRewound) for (const each of changed) pending.set(each.seq, each)
    for (const seq of settled) pending.delete(seq)
    if (isRewound) this.states.set(number, { ...before, isRewound })
    else this.states.set(number, { ...part, id: before.id, skipped: before.skipped, pending, committed, isRewound })
  }
}
