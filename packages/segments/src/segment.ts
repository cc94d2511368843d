// One file of a store, and the frame that begins it.

import { SluiceError } from '@sluice/event'
import { FRAME_HEAD, KIND_HEAD, frameBytes, sealFrame } from './frame.ts'

/** The version of the format that is written. Another one is refused. */
export const FORMAT = 1

/** A segment: a file of frames, whose sequence numbers rise from `first` on. */
export interface Segment {
  /** Rises with each segment of a store; it names the file. */
  readonly number: number
  readonly path: string
  /** The sequence number of its first entry. */
  readonly first: number
  /** Wall-clock ms. */
  readonly created: number
  /** That of all its frames. */
  readonly salt: number
  /** Bytes that are written and durable; for a segment found on the disk and not scanned yet, the size of the file. */
  bytes: number
  /** Bytes that it is to have. */
  readonly size: number
}

/** What the head of a segment says. */
export interface SegmentHead {
  readonly format: number
  /** Which store it belongs to, such as `events`. */
  readonly store: string
  readonly segment: number
  readonly created: number
}

export function fileName(number: number): string {
  return `${String(number).padStart(10, '0')}.seg`
}

/** The number in a segment's file name; `undefined` for other names. */
export function numberOf(name: string): number | undefined {
  return /^\d{10}\.seg$/.test(name) ? Number(name.slice(0, 10)) : undefined
}

/** The frame that a segment begins with. */
export function headFrame(head: SegmentHead, first: number, salt: number): Buffer {
  const payload = Buffer.from(JSON.stringify(head))
  const frame = Buffer.alloc(frameBytes(payload.length))
  payload.copy(frame, FRAME_HEAD)
  sealFrame(frame, 0, payload.length, first, 0, salt, KIND_HEAD)
  return frame
}

/** @throws SluiceError `SLUICE_DATA_FORMAT` for another format, or another store's segment. */
export function readHead(payload: Buffer, store: string, path: string): SegmentHead {
  const head = JSON.parse(payload.toString()) as SegmentHead
  if (head.format !== FORMAT) {
    throw new SluiceError(
      'SLUICE_DATA_FORMAT',
      `${path} has format ${head.format}, and this version of Sluice knows only ${FORMAT}. Nothing was changed. ` +
        'Start the version that wrote it, or move the folder away.',
    )
  }
  if (head.store !== store) {
    throw new SluiceError(
      'SLUICE_DATA_FORMAT',
      `${path} belongs to a store of ${head.store}, not of ${store}: a file was moved. Nothing was changed. Put it back.`,
    )
  }
  return head
}
