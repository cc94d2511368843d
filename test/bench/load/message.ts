// Hot path of the load process: reads the HTTP/1.1 messages of one connection, requests at the sink and responses
// at the generator. It knows no more of HTTP than a benchmark needs, so that the load costs less than the program.

/** What a {@link MessageReader} tells its owner, in this order for each message: head, body (0 to n times), end. */
export interface MessageListener {
  /** The start line and headers, each line with its CRLF, the empty line left out. */
  head(head: string): void
  /** `bytes[start, end)` is the body from its byte `offset` on. Valid only during the call. */
  body(bytes: Buffer, start: number, end: number, offset: number): void
  end(): void
}

const IN_HEAD = 0
const IN_BODY = 1
const IN_CHUNK_SIZE = 2
const IN_CHUNK = 3
const IN_TRAILER = 4

const HEAD_END = Buffer.from('\r\n\r\n')
/** A longer head, or chunk-size line, is an error: nothing here sends one. */
export const HEAD_BYTES_MAX: number = 64 * 1024

/**
 * Splits a byte stream into messages. A body is as long as `content-length` says, or chunked; without either it is
 * empty (RFC 9112 section 6.3, for requests and for responses of servers that keep the connection).
 */
export class MessageReader {
  readonly #listener: MessageListener
  #state: number
  /** The start of a line or head whose rest has not come yet. */
  #carried: string
  #bodyLeft: number
  #bodyOffset: number

  constructor(listener: MessageListener) {
    this.#listener = listener
    this.#state = IN_HEAD
    this.#carried = ''
    this.#bodyLeft = 0
    this.#bodyOffset = 0
  }

  /** Takes the next `length` bytes of the connection. Throws on what is no HTTP/1.1. */
  read(bytes: Buffer, length: number): void {
    let at = 0
    while (at < length) {
      if (this.#state === IN_HEAD) at = this.#readHead(bytes, at, length)
      else if (this.#state === IN_BODY || this.#state === IN_CHUNK) at = this.#readBody(bytes, at, length)
      else at = this.#readLine(bytes, at, length)
    }
  }

  #readHead(bytes: Buffer, start: number, length: number): number {
    if (this.#carried !== '') return this.#readSplitHead(bytes, start, length)
    // The buffer is reused for every read: what lies behind `length` is left over from an earlier one.
    const end = bytes.indexOf(HEAD_END, start)
    if (end < 0 || end + 4 > length) {
      this.#carried = bytes.toString('latin1', start, length)
      return length
    }
    this.#beginBody(bytes.toString('latin1', start, end + 2))
    return end + 4
  }

  #readSplitHead(bytes: Buffer, start: number, length: number): number {
    const before = this.#carried.length
    const text = this.#carried + bytes.toString('latin1', start, length)
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) {
      if (text.length > HEAD_BYTES_MAX) throw new Error(`a head of more than ${HEAD_BYTES_MAX} bytes`)
      this.#carried = text
      return length
    }
    this.#carried = ''
    this.#beginBody(text.slice(0, end + 2))
    return start + end + 4 - before
  }

  #beginBody(head: string): void {
    this.#listener.head(head)
    this.#bodyOffset = 0
    const contentLength = /\r\ncontent-length: *(\d+)/i.exec(head)
    if (contentLength !== null) {
      this.#bodyLeft = Number(contentLength[1])
      if (this.#bodyLeft === 0) this.#finish()
      else this.#state = IN_BODY
    } else if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      this.#state = IN_CHUNK_SIZE
    } else {
      this.#finish()
    }
  }

  #readBody(bytes: Buffer, start: number, length: number): number {
    const end = Math.min(length, start + this.#bodyLeft)
    this.#listener.body(bytes, start, end, this.#bodyOffset)
    this.#bodyOffset += end - start
    this.#bodyLeft -= end - start
    if (this.#bodyLeft === 0) {
      if (this.#state === IN_BODY) this.#finish()
      else this.#state = IN_CHUNK_SIZE
    }
    return end
  }

  /** Chunk sizes, the empty line behind each chunk, and the trailer after the last (RFC 9112 section 7.1). */
  #readLine(bytes: Buffer, start: number, length: number): number {
    const newline = bytes.indexOf(10, start)
    if (newline < 0 || newline >= length) {
      this.#carried += bytes.toString('latin1', start, length)
      if (this.#carried.length > HEAD_BYTES_MAX) throw new Error(`a line of more than ${HEAD_BYTES_MAX} bytes`)
      return length
    }
    const line = (this.#carried + bytes.toString('latin1', start, newline)).trim()
    this.#carried = ''
    if (this.#state === IN_TRAILER) {
      if (line === '') this.#finish()
    } else if (line !== '') {
      this.#beginChunk(line)
    }
    return newline + 1
  }

  #beginChunk(sizeLine: string): void {
    const size = Number.parseInt(sizeLine, 16)
    if (Number.isNaN(size)) throw new Error(`"${sizeLine.slice(0, 40)}" where a chunk size was expected`)
    this.#bodyLeft = size
    this.#state = size === 0 ? IN_TRAILER : IN_CHUNK
  }

  #finish(): void {
    this.#state = IN_HEAD
    this.#listener.end()
  }
}

/** The status code of a response's head. */
export function statusOf(head: string): number {
  return (head.charCodeAt(9) - 48) * 100 + (head.charCodeAt(10) - 48) * 10 + head.charCodeAt(11) - 48
}

/** Which subscriber a delivery is for: the number that is its request's path, `/7`; -1 when it is none. */
export function subscriberOf(head: string): number {
  let subscriber = 0
  let at = head.indexOf(' ') + 2
  const first = at
  for (; ; at++) {
    const digit = head.charCodeAt(at) - 48
    if (!(digit >= 0 && digit <= 9)) break
    subscriber = subscriber * 10 + digit
  }
  return at === first ? -1 : subscriber
}

/** The number that the generator gave a delivered event as its id; -1 when there is none. */
export function eventNumberOf(head: string): number {
  const id = /\r\nce-id: *(\d+)/i.exec(head)
  return id === null ? -1 : Number(id[1])
}
