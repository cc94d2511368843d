// Hot path of the load process: one kept-alive connection of the generator, with one request under way at a time.

import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { MessageReader, statusOf, type MessageListener } from './message.ts'
import { writeId, type Payload } from './payload.ts'

/** One buffer for the reads of all connections: a read is parsed before the next one starts. */
const readBuffer = Buffer.allocUnsafe(64 * 1024)

/** A connection to the program under test. */
export class Connection implements MessageListener {
  /** From {@link send} until the answer is complete. */
  busy: boolean
  /** Called with the status of each answer; 0 when the connection broke instead. */
  onAnswer: (connection: Connection, status: number) => void
  readonly #socket: Socket
  readonly #request: Buffer
  readonly #idAt: number
  #status: number

  constructor(socket: Socket, payload: Payload) {
    this.busy = false
    this.onAnswer = () => {}
    this.#socket = socket
    // A copy, as its id is overwritten while other connections still write theirs.
    this.#request = Buffer.from(payload.request)
    this.#idAt = payload.idAt
    this.#status = 0
  }

  /** Posts the event of that number. Only while not {@link busy}. */
  send(eventNumber: number): void {
    this.busy = true
    writeId(this.#request, this.#idAt, eventNumber)
    this.#socket.write(this.#request)
  }

  close(): void {
    this.#socket.destroy()
  }

  head(head: string): void {
    this.#status = statusOf(head)
  }

  body(): void {}

  end(): void {
    this.busy = false
    this.onAnswer(this, this.#status)
  }

  /** The other side hung up, or the socket failed. */
  broke(): void {
    if (!this.busy) return
    this.busy = false
    this.onAnswer(this, 0)
  }
}

/** Opens `count` connections to the address that `payload` was made for. */
export async function openConnections(address: URL, payload: Payload, count: number): Promise<Connection[]> {
  return await Promise.all(Array.from({ length: count }, () => openConnection(address, payload)))
}

async function openConnection(address: URL, payload: Payload): Promise<Connection> {
  let reader: MessageReader | undefined
  const socket = connect({
    host: address.hostname,
    port: Number(address.port),
    noDelay: true,
    // Reads go into our own buffer: no stream, no allocation for each read.
    onread: {
      buffer: readBuffer,
      callback: (length) => {
        reader?.read(readBuffer, length)
        return true
      },
    },
  })
  await once(socket, 'connect')
  const connection = new Connection(socket, payload)
  reader = new MessageReader(connection)
  socket.on('error', () => {})
  socket.on('close', () => connection.broke())
  return connection
}
