// Reading the body of a request, within bounds. Hot path: from ingress.ts and webhooks.ts, for every event.

import type { IncomingMessage } from 'node:http'
import { SluiceError } from '@sluice/event'
import type { ServerLimits } from './limits.ts'

/** Bodies that are being read now, over all connections. */
export interface Reading {
  bytes: number
  readonly bytesMax: number
}

/** What can be refused before a byte of the body is read. */
export function checkHead({ headers, rawHeaders }: IncomingMessage, limits: ServerLimits): void {
  if (rawHeaders.length > limits.headersMax * 2) {
    throw new SluiceError('SLUICE_REQUEST_HEADERS', `The request has more than ${limits.headersMax} header lines.`, {
      status: 431,
    })
  }
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new SluiceError(
      'SLUICE_REQUEST_CONTENT_ENCODING',
      `Content-Encoding is "${encoding}"; send the event uncompressed. Nothing was stored.`, // threat 12
      { status: 415 },
    )
  }
}

/** What Content-Length announces; 0 where the body comes in chunks. `setting`: what sets the most, for who is refused. */
export function announcedBytes(request: IncomingMessage, bytesMax: number, setting: string): number {
  const length = request.headers['content-length']
  if (length === undefined) return 0
  const bytes = Number(length)
  if (bytes > bytesMax) throw bodyTooLarge(bytesMax, setting)
  return bytes
}

/** How the reading of a body ends, unless its sender leaves. */
export interface BodyEnds {
  done: (body: Buffer | undefined) => void
  refused: (error: SluiceError) => void
}

/** Of {@link readBody}. */
export interface BodyBounds {
  readonly bytesMax: number
  /** What sets that, for who is refused. */
  readonly setting: string
  /** As of the limits of a listener. */
  readonly pieceBytesMin: number
}

/** Reads the body up to `bytesMax`, while no more than `reading.bytesMax` bytes are being read in all. */
export function readBody(
  request: IncomingMessage,
  { bytesMax, setting, pieceBytesMin }: BodyBounds,
  reading: Reading,
  { done, refused }: BodyEnds,
): void {
  let first: Buffer | undefined
  let more: Pieces | undefined
  let bytes = 0
  let over = false

  const end = (): void => {
    over = true
    reading.bytes -= bytes
  }
  const stop = (error: SluiceError): void => {
    end()
    refused(error)
  }
  request.on('data', (chunk: Buffer) => {
    if (over) return
    bytes += chunk.length
    reading.bytes += chunk.length
    if (bytes > bytesMax) return stop(bodyTooLarge(bytesMax, setting))
    if (reading.bytes > reading.bytesMax) return stop(tooManyBodies(reading.bytesMax))
    if (first === undefined) first = chunk
    else if ((more ??= new Pieces(first)).add(chunk) > PIECES_FREE && bytes < more.count * pieceBytesMin)
      stop(manyPieces(pieceBytesMin))
  })
  request.on('end', () => {
    if (over) return
    end()
    done(more === undefined ? first : more.whole())
  })
  request.on('close', () => {
    if (!over) end() // a sender that left in the middle of its body: nothing is stored (fault 35)
  })
}

/** So many may be as small as they like. */
const PIECES_FREE = 1000
/** So many stand beside each other before they are put together. */
const PIECES_APART = 32

/** A body in pieces. Many small ones take many times the memory of what is in them, so that they are put together as they come. */
class Pieces {
  count = 1
  #apart: Buffer[] | undefined
  #together: Buffer = NOTHING
  #bytes: number

  constructor(first: Buffer) {
    this.#apart = [first]
    this.#bytes = first.length
  }

  /** Returns how many there are now. */
  add(piece: Buffer): number {
    this.#bytes += piece.length
    this.count++
    if (this.#apart !== undefined) {
      this.#apart.push(piece)
      if (this.#apart.length > PIECES_APART) {
        this.#together = Buffer.concat(this.#apart, this.#bytes * 2)
        this.#apart = undefined
      }
      return this.count
    }
    if (this.#bytes > this.#together.length) this.#together = Buffer.concat([this.#together], this.#bytes * 2)
    piece.copy(this.#together, this.#bytes - piece.length)
    return this.count
  }

  whole(): Buffer {
    if (this.#apart !== undefined) return Buffer.concat(this.#apart, this.#bytes)
    return Buffer.from(this.#together.subarray(0, this.#bytes)) // it may wait for long: not beside as much of nothing
  }
}

const NOTHING = Buffer.alloc(0)

function manyPieces(pieceBytesMin: number): SluiceError {
  return new SluiceError(
    'SLUICE_REQUEST_CHUNKS',
    `The body comes in more than ${PIECES_FREE} pieces that have less than ${pieceBytesMin} bytes in the mean; write larger ones. Nothing was stored.`,
    { status: 400 },
  )
}

function bodyTooLarge(bytesMax: number, setting: string): SluiceError {
  return new SluiceError(
    'SLUICE_EVENT_TOO_LARGE',
    `The body has more than ${bytesMax} bytes (${setting}). Nothing was stored.`,
    { status: 413 },
  )
}

function tooManyBodies(bytesMax: number): SluiceError {
  return new SluiceError(
    'SLUICE_INGRESS_BUSY',
    `Bodies of more than ${bytesMax} bytes are being read at once. Nothing was stored.`,
    { status: 503, retryable: true, retryAfterMs: 1000 },
  )
}
