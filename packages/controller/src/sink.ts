// Where the events of a source go: into a Broker or channel of this process, or by HTTP to whatever else has an address.
//
// From: source.ts, for each emit. What the sink is now is looked up each time: a broker may come and go.

import type { Broker } from '@sluice/broker'
import { target, type Access, type Deliverer, type Outcome, type Receiver } from '@sluice/delivery'
import { SluiceError, type Event } from '@sluice/event'
import { groupOf, type Destination, type KReference, type Resolved } from '@sluice/resource'
import { hubPath, HUBS, type Addresses } from './addresses.ts'

/** Of {@link Sink}. */
export interface SinkOptions {
  readonly addresses: Addresses
  readonly deliverer: Pick<Deliverer, 'send'>
  /** The broker that takes events at this path now. */
  broker(path: string): Broker | undefined
  /** Why one that is declared takes none. */
  unavailable(path: string): SluiceError | undefined
}

const TIMEOUT_MS = 10_000

/** The sink of one source. */
export class Sink {
  readonly #destination: Destination
  readonly #namespace: string
  readonly #options: SinkOptions
  /** Of a broker that is reached without HTTP. */
  readonly #brokerPath: string | undefined
  /** By the CACerts of the destination. */
  #access: Access | undefined

  constructor(destination: Destination, namespace: string, options: SinkOptions) {
    this.#destination = destination
    this.#namespace = namespace
    this.#options = options
    const { ref, uri } = destination
    const isHere = ref !== undefined && (uri === undefined || uri === '') && isHubRef(ref)
    this.#brokerPath = isHere ? hubPath(ref.kind, ref.namespace ?? namespace, ref.name) : undefined
  }

  /** Where that is now, or why nowhere. */
  resolve(): Resolved {
    return this.#options.addresses.resolve(this.#destination, this.#namespace, 'subscriber')
  }

  /** Milliseconds until it makes sense to send so many bytes; 0: now. */
  room(bytes: number): number {
    return this.#broker()?.room(bytes) ?? 0
  }

  /** For more bytes there is never room. Infinity: no bound is known. */
  get roomMax(): number {
    return this.#broker()?.roomMax ?? Infinity
  }

  /** Resolves once all are stored there. Rejects with a SluiceError. */
  async take(events: readonly Event[]): Promise<void> {
    if (this.#brokerPath !== undefined) {
      const broker = this.#broker()
      if (broker === undefined) throw this.#options.unavailable(this.#brokerPath) ?? this.#unresolved()
      return broker.accept(events)
    }
    const { url, caCerts } = this.resolve()
    if (url === undefined) throw this.#unresolved()
    if (caCerts !== this.#access?.caCerts) this.#access = caCerts === undefined ? undefined : { caCerts }
    for (const event of events) await this.#post(event, { ...target(url), access: this.#access })
  }

  #broker(): Broker | undefined {
    return this.#brokerPath === undefined ? undefined : this.#options.broker(this.#brokerPath)
  }

  async #post(event: Event, receiver: Receiver): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const request = {
      target: receiver,
      event,
      timeoutMs: TIMEOUT_MS,
      format: 'binary',
      headers: ['Kn-Namespace', this.#namespace],
      reply: false,
    } as const
    this.#options.deliverer.send(request, resolve)
    const { verdict, error, retryAfterMs } = await promise
    if (verdict === 'delivered') return
    const isRetry = verdict === 'retry'
    throw new SluiceError('SLUICE_SINK_FAILED', `The sink did not take the event: ${error}. Nothing was stored.`, {
      status: isRetry ? 503 : 502,
      retryable: isRetry,
      ...(isRetry && { retryAfterMs: Math.max(1000, retryAfterMs) }),
    })
  }

  #unresolved(): SluiceError {
    const { message = 'it has no address' } = this.resolve()
    return new SluiceError('SLUICE_SINK_UNRESOLVED', `There is no sink now: ${message}. Nothing was stored.`, {
      status: 503,
      retryable: true,
      retryAfterMs: 5000,
    })
  }
}

function isHubRef({ apiVersion = '', group = groupOf(apiVersion), kind }: KReference): boolean {
  return HUBS.some((hub) => hub.group === group && hub.kind === kind)
}
