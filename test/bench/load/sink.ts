// Hot path of the load process: the subscriber. It reads deliveries, compares their data with what was sent, tells
// the generator which event arrived, and answers (or, dead, does not).

import { createServer, type Socket } from 'node:net'
import { listenOnLoopback } from '../listen.ts'
import { eventNumberOf, MessageReader, subscriberOf, type MessageListener } from './message.ts'

/**
 * What a sink does with a delivery once it has read it: 200 without a body, a 503, never an answer, or a 500 to each event
 * whose number is a multiple of {@link POISON_OF}, and 200 to the others.
 */
export type SinkMode = 'answer' | 'refuse' | 'hang' | 'poison'

/** One event in so many is poison. */
export const POISON_OF = 5

/** A running sink. Its subscribers are the paths `/0`, `/1`, ... below `url`. */
export interface Sink {
  readonly url: string
  mode: SinkMode
  /** What every delivery has to carry, byte for byte; set by each run. */
  expected: Buffer
  /** Called at each delivery with the event's number and its subscriber's. */
  onDelivery: (eventNumber: number, subscriber: number) => void
  /** Deliveries whose data or id was not what had been sent. */
  damaged: number
  /** Deliveries read since the sink opened, whatever its mode. */
  deliveries: number
  close(): void
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
const FAILED = 'HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n'
const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n'

/** Opens a sink on a free port of the loopback. */
export async function openSink(mode: SinkMode): Promise<Sink> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    const reader = new MessageReader(new SinkConnection(socket, sink))
    socket.on('data', (bytes: Buffer) => reader.read(bytes, bytes.length))
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  const sink: Sink = {
    url: await listenOnLoopback(server),
    mode,
    expected: Buffer.alloc(0),
    onDelivery: () => {},
    damaged: 0,
    deliveries: 0,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
  return sink
}

class SinkConnection implements MessageListener {
  readonly #socket: Socket
  readonly #sink: Sink
  #eventNumber: number
  #subscriber: number
  #bytes: number
  #intact: boolean

  constructor(socket: Socket, sink: Sink) {
    this.#socket = socket
    this.#sink = sink
    this.#eventNumber = -1
    this.#subscriber = -1
    this.#bytes = 0
    this.#intact = true
  }

  head(head: string): void {
    this.#eventNumber = eventNumberOf(head)
    this.#subscriber = subscriberOf(head)
    this.#bytes = 0
    this.#intact = this.#eventNumber >= 0 && this.#subscriber >= 0
  }

  body(bytes: Buffer, start: number, end: number, offset: number): void {
    const { expected } = this.#sink
    this.#bytes = offset + end - start
    if (this.#bytes > expected.length || bytes.compare(expected, offset, this.#bytes, start, end) !== 0) {
      this.#intact = false
    }
  }

  end(): void {
    const sink = this.#sink
    sink.deliveries++
    const isPoison = sink.mode === 'poison' && this.#eventNumber % POISON_OF === 0
    const isTaken = sink.mode === 'answer' || (sink.mode === 'poison' && !isPoison)
    if (isTaken) this.#socket.write(OK, 'latin1')
    else if (isPoison) this.#socket.write(FAILED, 'latin1')
    else if (sink.mode === 'refuse') this.#socket.write(UNAVAILABLE, 'latin1')
    if (!this.#intact || this.#bytes !== sink.expected.length) sink.damaged++
    else if (isTaken) sink.onDelivery(this.#eventNumber, this.#subscriber)
  }
}
