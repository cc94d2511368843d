// Hot path (bench/attempt.ts). One connection: undici's client, with what it lacks for us: the address guard, telling a
// stale kept-alive connection from a dead target, patience with 100 Continue, and a bound on all bytes of an answer.

import type { LookupAddress } from 'node:dns'
import type { LookupFunction, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { SluiceError } from '@sluice/event'
import { hostRefusal, type AddressGuard } from '@sluice/target'
import { buildConnector, Client, type Dispatcher } from 'undici'
import type { TlsIdentity } from './tls.ts'

/** Limits of the connections to one origin; see {@link DelivererOptions}. */
export interface ConnectionLimits {
  readonly connectionsPerOrigin: number
  readonly connectTimeoutMs: number
  readonly keepAliveMs: number
  readonly connectionAgeMaxMs: number
  readonly responseHeaderBytesMax: number
  /** Of all that comes in answer to one request, framing included, see {@link ANSWER_LONG}: where only its status counts, ... */
  readonly answerBytesMax: number
  /** ... and of a reply. */
  readonly replyAnswerBytesMax: number
}

/** Who wants to know on which connection its request went out. */
export interface Rider extends Dispatcher.DispatchHandler, Dispatcher.DispatchOptions {
  /** Monotonic. */
  readonly startedMs: number
  connection: Connection | undefined
  /** Whether undici is to close the connection after this request; it reads this in its options. */
  reset: boolean
  /** It has had its outcome. */
  readonly isOver: boolean
  /** The one that waits behind it. */
  next: Rider | undefined
}

/** Opens a socket, TLS included. */
export type Connector = buildConnector.connector

/**
 * Makes connections to one origin.
 *
 * @param reuse false: each request gets a connection of its own
 */
export function connectionMaker(
  origin: string,
  limits: ConnectionLimits,
  connect: Connector,
  reuse: boolean,
): () => Connection {
  const url = new URL(origin)
  const options: Client.Options = {
    // HTTP says that a POST is not pipelined (RFC 9112, 9.3.2); 0 is undici's word for no kept-alive connections.
    pipelining: reuse ? 1 : 0,
    // One slow answer on a shared HTTP/2 connection would stall all; and threat 10 wants it off unless tested.
    allowH2: false,
    // The deadline of an attempt is ours, and total. These two would only watch for silence.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: limits.keepAliveMs,
    maxHeaderSize: limits.responseHeaderBytesMax,
  }
  return () => new Connection(url, options, connect, limits)
}

/** One connection at a time, kept alive: undici's client, which knows what its present socket has been through. */
export class Connection extends Client {
  /** Answers that the present socket has brought to their end. More than 0: the request goes out on a reused one. */
  answered = 0
  /** Whom it was given to last, until it is free again. */
  rider: Rider | undefined = undefined
  /** 100 Continue lines passed over in the present answer. */
  continues = 0
  /** The next bytes to come are the head of an answer. */
  awaitsHead = false
  #held: Buffer | undefined = undefined
  #socket: Socket | undefined = undefined
  /** That came since the request was written. */
  #answerBytes = 0
  #answerBytesMax = 0
  /** When the first request went out on the present socket; Infinity before that, and without one. */
  #sinceMs = Infinity
  readonly #limits: ConnectionLimits

  constructor(url: URL, options: Client.Options, connect: Connector, limits: ConnectionLimits) {
    super(url, {
      ...options,
      connect: (to, connected) =>
        connect(to, (...result) => {
          if (result[0] === null) this.#board(result[1])
          connected(...result)
        }),
    })
    this.#limits = limits
    this.on('disconnect', () => {
      this.#sinceMs = Infinity
    })
  }

  /** Whether its rider is still on it. */
  get isTaken(): boolean {
    const { rider } = this
    return rider !== undefined && !rider.isOver && rider.connection === this
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Rider): boolean {
    handler.connection = this
    // An old connection takes one request more, so that names are looked up again under steady load too (fault 41).
    // undici's own clientTtl asks for the time once for every connection of the pool with each request.
    handler.reset = handler.startedMs - this.#sinceMs > this.#limits.connectionAgeMaxMs
    return super.dispatch(options, handler)
  }

  /** A request is written now. */
  begin(startedMs: number): void {
    if (this.#sinceMs === Infinity) this.#sinceMs = startedMs
    this.awaitsHead = true
    this.continues = 0
    this.#held = undefined
    this.#answerBytes = 0
    this.#answerBytesMax = this.#limits.answerBytesMax
  }

  /** The present answer is a reply, which may be longer. */
  expectReply(): void {
    this.#answerBytesMax = this.#limits.replyAnswerBytesMax
  }

  /**
   * An answer has come to its end. If it came before its request was read, what is left of that stands before the next
   * one, which would wait for whoever doesn't read.
   */
  end(): void {
    this.answered++
    if (this.#socket !== undefined && this.#socket.writableLength > 0) this.#socket.destroy()
  }

  /**
   * undici breaks a connection on which 100 Continue arrives, yet a client has to bear it unasked (RFC 9110, 15.2).
   * So it is taken out of what undici reads.
   */
  #board(socket: Socket): void {
    this.answered = 0
    this.awaitsHead = false
    this.#socket = socket
    socket.read = (size?: number): Buffer | null => {
      const chunk: Buffer | null = Readable.prototype.read.call(socket, size)
      if (chunk === null) return null
      this.#answerBytes += chunk.length
      if (this.#answerBytes > this.#answerBytesMax) return this.#breakOff(socket)
      // The 10th byte of `HTTP/1.1 100` tells interim answers from final ones.
      if (!this.awaitsHead) return chunk
      if (this.#held === undefined && chunk.length > 9 && chunk[9] !== DIGIT_ONE) {
        this.awaitsHead = false
        return chunk
      }
      return this.#passOverContinue(chunk)
    }
  }

  #breakOff(socket: Socket): null {
    socket.destroy(Object.assign(new Error('the answer has no end'), { code: ANSWER_LONG }))
    return null
  }

  #passOverContinue(chunk: Buffer): Buffer | null {
    let head = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = undefined
    while (this.continues < CONTINUES_MAX) {
      if (head.length === 0) return null
      const end = head.indexOf('\r\n\r\n')
      if (!CONTINUE.test(head.toString('latin1', 0, 12))) {
        if (head.length >= 12) break
        this.#held = head
        return null
      }
      if (end === -1) {
        if (head.length > CONTINUE_BYTES_MAX) break
        this.#held = head
        return null
      }
      this.continues++
      head = head.subarray(end + 4)
    }
    this.awaitsHead = false
    return head
  }
}

/**
 * The code of an answer without an end that nothing else bounds: undici passes over the reason phrase, extensions of
 * chunks, zeros before their sizes and empty lines before an answer, however many there are (fault 29).
 */
export const ANSWER_LONG = 'ANSWER_LONG'
const DIGIT_ONE = 0x31
const CONTINUE = /^HTTP\/1\.[01] 100/
/** More than this many in one answer is an attack (fault 29): undici sees the next one, and breaks off. */
const CONTINUES_MAX = 32
const CONTINUE_BYTES_MAX = 4096

/**
 * Every address is judged by the guard before a byte is sent: literals, the answers of the lookup, and the peer of the
 * socket in the end. A connector has its own TLS sessions, so that none is resumed under another identity.
 */
export function guardedConnector(
  guard: AddressGuard,
  lookup: LookupFunction,
  timeout: number,
  tls: TlsIdentity | undefined,
): Connector {
  const connect = buildConnector({
    allowH2: false,
    timeout,
    lookup: guardedLookup(guard, lookup),
    rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says (threat 20)
    ...(tls !== undefined && { secureContext: tls.context }),
  })
  return (to, connected) => {
    const refusal = hostRefusal(guard, to.hostname) // a lookup is not asked for literals
    if (refusal !== undefined) {
      queueMicrotask(() => connected(refused(to.hostname, refusal), null))
      return
    }
    connect(to, (...result) => {
      if (result[0] !== null) return connected(...result)
      // A socket without a peer has lost it already: whatever is written to it reaches nobody.
      const { remoteAddress } = result[1]
      const peer = remoteAddress === undefined ? undefined : guard(remoteAddress)
      if (peer === undefined) return connected(...result)
      result[1].destroy()
      connected(refused(to.hostname, peer), null)
    })
  }
}

/** Of all the answers of a lookup, those that the guard lets pass; an error where none is left. */
function guardedLookup(guard: AddressGuard, lookup: LookupFunction): LookupFunction {
  return (hostname, options, found) => {
    lookup(hostname, { ...options, all: true }, (error, answer, family) => {
      if (error !== null && error !== undefined) return found(error, '', 0)
      const all: LookupAddress[] = typeof answer === 'string' ? [{ address: answer, family: family ?? 4 }] : answer
      const passed = all.filter(({ address }) => guard(address) === undefined)
      const [first] = passed
      if (first === undefined) {
        return found(refused(hostname, guard(all[0]?.address ?? '') ?? 'it has no address'), '', 0)
      }
      if (options.all === true) found(null, passed)
      else found(null, first.address, first.family)
    })
  }
}

/** `SLUICE_DELIVERY_TARGET_REFUSED`: never to be tried again. */
function refused(hostname: string, why: string): SluiceError {
  return new SluiceError(TARGET_REFUSED, `${hostname} is not connected to: ${why}`)
}

/** The code of a refused target; see the README. */
export const TARGET_REFUSED = 'SLUICE_DELIVERY_TARGET_REFUSED'
