// The connection to the server, and everything that the client library is used for: a successor of it takes its place in
// this file alone. Publishes many messages at once, each with its answer, bounded in bytes and in time.
//
// From: channel.ts publishes, stream.ts and consumer.ts ask the server's API. Next: the server.

import { channelUnavailable } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import {
  connect,
  createInbox,
  credsAuthenticator,
  Events,
  nkeyAuthenticator,
  type ConnectionOptions,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from 'nats'

/** How the server knows who it is. */
export interface Credentials {
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** The seed of an nkey, `SU…`. */
  readonly nkey?: string
  /** The text of a credentials file: a JWT and its seed. */
  readonly creds?: string
  /** PEM texts. `ca`: whom to trust, beside the system's; `cert` and `key`: of this client. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}

/** A message as it came. */
export interface Message {
  readonly subject: string
  readonly reply: string | undefined
  readonly data: Buffer
  /** 0 where it is no status: 100, 404, 408, 409, 503. */
  readonly status: number
  readonly description: string
  readonly size: number
  /** Name, value, name, value. */
  headers(): string[]
}

/** What the server said to a publish. */
export interface PublishAck {
  readonly seq: number
  readonly duplicate?: boolean
}

/** An error of the server's API. */
export class ApiError extends Error {
  readonly code: number
  constructor(code: number, description: string) {
    super(description)
    this.code = code
  }
}

/** Nobody answers where JetStream, a stream or a consumer should. */
export const NO_RESPONDERS = -503
const [PUBLISH_BYTES_MAX, PUBLISH_COUNT_MAX] = [64 * 1024 * 1024, 16_384]
const SWEEP_MS = 250
const RETRY_AFTER_MS = 2000

interface Waiter {
  readonly until: number
  readonly bytes: number
  resolve(ack: PublishAck | Error): void
}

export class Connection {
  readonly #nc: NatsConnection
  readonly #clock: Clock
  readonly #address: string
  readonly #inbox = createInbox()
  readonly #waiting = new Map<string, Waiter>()
  #tokens = 0
  #bytes = 0
  #sweeper: { cancel(): void } | undefined
  /** Why it doesn't work now. */
  #trouble: string | undefined
  #probing = false
  #closed = false
  /** Told at every change, and when the server is there again. */
  changed: (trouble: string | undefined) => void = () => {}

  private constructor(nc: NatsConnection, clock: Clock, address: string) {
    this.#nc = nc
    this.#clock = clock
    this.#address = address
    nc.subscribe(`${this.#inbox}.*`, { callback: (_, msg) => this.#answered(msg) })
    void this.#watch()
  }

  /** Rejects with SLUICE_CHANNEL_UNAVAILABLE where there is no server, or it refuses. */
  static async open(
    servers: readonly string[],
    credentials: Credentials,
    name: string,
    clock: Clock,
  ): Promise<Connection> {
    const address = servers.map(withoutPassword).join(', ')
    try {
      const nc = await connect({
        ...authOf(credentials),
        servers: [...servers],
        name,
        timeout: 5000,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 500,
        reconnectJitter: 250,
        pingInterval: 5000,
        maxPingOut: 2,
        ignoreAuthErrorAbort: true,
      })
      const version = /^(\d+)\.(\d+)/.exec(nc.info?.version ?? '')
      if (version !== null && Number(version[1]) * 1000 + Number(version[2]) < 2010) {
        await nc.close()
        throw new Error(`it has version ${nc.info!.version}, and 2.10 or later is needed`)
      }
      return new Connection(nc, clock, address)
    } catch (error) {
      throw channelUnavailable(`NATS at ${address} can't be used: ${inWords(error)}.`, RETRY_AFTER_MS, error)
    }
  }

  /** Of one message, headers and payload together. */
  get payloadBytesMax(): number {
    return this.#nc.info?.max_payload ?? 1024 * 1024
  }

  get version(): string {
    return this.#nc.info?.version ?? ''
  }

  /** Why it doesn't work now, in words. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** Fire and forget: for what is done again where it got lost. */
  send(subject: string, payload = '', reply?: string): void {
    if (!this.#closed && !this.#nc.isClosed()) this.#nc.publish(subject, payload, reply === undefined ? {} : { reply })
  }

  /** Each message of `subject` until the returned function is called. */
  listen(subject: string, receive: (message: Message) => void): () => void {
    const subscription = this.#nc.subscribe(subject, { callback: (error, msg) => error ?? receive(messageOf(msg)) })
    return () => subscription.unsubscribe()
  }

  newInbox(): string {
    return createInbox()
  }

  /** Asks the JetStream API. Rejects with an {@link ApiError}, or SLUICE_CHANNEL_UNAVAILABLE. */
  async api<T>(name: string, body: object = {}): Promise<T> {
    const answer = await this.request(`$JS.API.${name}`, JSON.stringify(body))
    const value = JSON.parse(answer.data.toString()) as T & {
      error?: { err_code?: number; code: number; description: string }
    }
    if (value.error !== undefined) throw new ApiError(value.error.err_code ?? value.error.code, value.error.description)
    return value
  }

  async request(subject: string, payload: string): Promise<Message> {
    if (this.#closed) throw this.unavailable('The channel is closed.')
    if (this.#trouble !== undefined) throw this.unavailable(this.#trouble)
    try {
      return messageOf(await this.#nc.request(subject, payload, { timeout: 5000 }))
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === '503') throw new ApiError(NO_RESPONDERS, 'JetStream does not answer; is it switched on?')
      if (code === 'TIMEOUT') this.#stalled()
      throw this.unavailable(this.#trouble ?? inWords(error), error)
    }
  }

  /**
   * Publishes one message and resolves with the server's answer, or why there is none, `until` at the latest
   * (`clock.monotonic()`). Never rejects. At once where there is trouble, or too much is under way.
   */
  publish(
    subject: string,
    headers: Buffer,
    payload: Uint8Array,
    { until, signal }: { until: number; signal: AbortSignal | undefined },
  ): Promise<PublishAck | Error> {
    if (this.#closed) return Promise.resolve(this.unavailable('The channel is closed.'))
    if (this.#trouble !== undefined) return Promise.resolve(this.unavailable(this.#trouble))
    if (signal?.aborted === true) return Promise.resolve(this.unavailable('The sender has gone.'))
    const bytes = headers.length + payload.length
    if (this.#waiting.size >= PUBLISH_COUNT_MAX || this.#bytes + bytes > PUBLISH_BYTES_MAX) {
      return Promise.resolve(this.unavailable('More is on its way to it than it takes.'))
    }
    const token = (this.#tokens++).toString(36)
    return new Promise((resolve) => {
      this.#waiting.set(token, { until, bytes, resolve })
      this.#bytes += bytes
      this.#nc.publish(subject, payload, {
        reply: `${this.#inbox}.${token}`,
        headers: new HeaderBlock(headers) as unknown as MsgHdrs,
      })
      this.#sweeper ??= this.#clock.setTimer(SWEEP_MS, () => this.#sweep())
      signal?.addEventListener('abort', () => this.#end(token, this.unavailable('The sender has gone.')), {
        once: true,
      })
    })
  }

  unavailable(why: string, cause?: unknown): SluiceError {
    return channelUnavailable(`NATS at ${this.#address}: ${why} Nothing is known to be stored.`, RETRY_AFTER_MS, cause)
  }

  /** Resolves once the server has all that was sent. */
  async flush(): Promise<void> {
    await this.#nc.flush()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#sweeper?.cancel()
    for (const token of [...this.#waiting.keys()]) this.#end(token, this.unavailable('The channel is closed.'))
    await this.#nc.close()
  }

  #answered(msg: Msg): void {
    const token = msg.subject.slice(this.#inbox.length + 1)
    if (!this.#waiting.has(token)) return
    if (msg.data.length === 0 && msg.headers?.code === 503) {
      return this.#end(token, new ApiError(NO_RESPONDERS, 'No stream takes it.'))
    }
    const answer = JSON.parse(Buffer.from(msg.data).toString()) as {
      seq: number
      duplicate?: boolean
      error?: ApiFault
    }
    const { error } = answer
    this.#end(token, error === undefined ? answer : new ApiError(error.err_code ?? error.code, error.description))
  }

  #end(token: string, answer: PublishAck | Error): void {
    const waiter = this.#waiting.get(token)
    if (waiter === undefined) return
    this.#waiting.delete(token)
    this.#bytes -= waiter.bytes
    waiter.resolve(answer)
  }

  #sweep(): void {
    this.#sweeper = undefined
    const now = this.#clock.monotonic()
    for (const [token, { until }] of this.#waiting) {
      if (until > now) continue
      this.#stalled()
      this.#end(token, this.unavailable(this.#trouble!))
    }
    if (this.#waiting.size > 0 && !this.#closed) this.#sweeper = this.#clock.setTimer(SWEEP_MS, () => this.#sweep())
  }

  /** It has not answered in time. It is asked for a sign of life, and nothing else until that comes. */
  #stalled(): void {
    if (this.#trouble !== undefined || this.#probing || this.#closed) return
    this.#probing = true
    this.#set('It does not answer.')
    this.#nc.flush().then(
      () => {
        this.#probing = false
        if (this.#trouble === 'It does not answer.') this.#set(undefined)
      },
      () => (this.#probing = false), // the connection broke: its end and its return are told by #watch
    )
  }

  #set(trouble: string | undefined): void {
    if (this.#trouble === trouble || this.#closed) return
    this.#trouble = trouble
    this.changed(trouble)
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#nc.status()) {
      if (type === Events.Disconnect) {
        this.#set('There is no connection to it.')
        const gone = this.unavailable('The connection broke.')
        for (const token of [...this.#waiting.keys()]) this.#end(token, gone)
      } else if (type === Events.Reconnect) {
        this.#probing = false
        this.#set(undefined)
      }
    }
  }
}

interface ApiFault {
  readonly err_code?: number
  readonly code: number
  readonly description: string
}

/** Headers that are bytes already: the library's own take a walk through all of them for each one set. */
class HeaderBlock {
  readonly #bytes: Buffer
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }
  encode(): Uint8Array {
    return this.#bytes
  }
}

/** As they stand in a message. */
export function headerBlock(pairs: readonly string[]): Buffer {
  let text = 'NATS/1.0\r\n'
  for (let i = 0; i + 1 < pairs.length; i += 2) text += `${pairs[i]}: ${pairs[i + 1]}\r\n`
  return Buffer.from(`${text}\r\n`)
}

function messageOf(msg: Msg): Message {
  const { headers } = msg
  const data = Buffer.from(msg.data.buffer, msg.data.byteOffset, msg.data.byteLength)
  return {
    subject: msg.subject,
    reply: msg.reply,
    data,
    status: data.length === 0 ? (headers?.code ?? 0) : 0,
    description: headers?.description ?? '',
    size: data.length,
    headers: () => pairsOf(headers),
  }
}

function pairsOf(headers: MsgHdrs | undefined): string[] {
  const pairs: string[] = []
  if (headers !== undefined) for (const [name, values] of headers) for (const value of values) pairs.push(name, value)
  return pairs
}

function authOf({ user, password, token, nkey, creds, tls }: Credentials): ConnectionOptions {
  const encoder = new TextEncoder()
  return {
    ...(user !== undefined && { user, pass: password ?? '' }),
    ...(token !== undefined && { token }),
    ...(nkey !== undefined && { authenticator: nkeyAuthenticator(encoder.encode(nkey.trim())) }),
    ...(creds !== undefined && { authenticator: credsAuthenticator(encoder.encode(creds)) }),
    ...(tls !== undefined && { tls }),
  }
}

/** As it may stand in a message. */
function withoutPassword(server: string): string {
  return server.replace(/\/\/[^@/]*@/, '//')
}

function inWords(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string }
  if (code === 'CONNECTION_REFUSED') return 'nothing listens there'
  if (code === 'AUTHORIZATION_VIOLATION' || code === 'AUTHENTICATION_EXPIRED') {
    return 'it refuses the credentials; look at the Secret that holds them'
  }
  if (code === 'TIMEOUT' || code === 'CONNECTION_TIMEOUT') return 'it does not answer in time'
  return (message ?? String(error)).replace(/\.$/, '')
}
