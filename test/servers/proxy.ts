// A TCP proxy before a server, that cuts it off.

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Proxy {
  readonly port: number
  /** Where it goes to. Nothing is connected before this is called. */
  to(port: number): void
  /** Ends all connections, and takes no new ones. */
  cut(): void
  /** What the server answers stays here; what it is asked arrives. */
  holdAnswers(): void
  /** As it was before both; what was held is not delivered: those connections end. */
  mend(): void
  stop(): Promise<void>
}

/** On loopback and a free port. */
export async function startProxy(): Promise<Proxy> {
  const pairs = new Set<[Socket, Socket]>()
  let target: number | undefined
  let state: 'open' | 'cut' | 'held' = 'open'
  const server = createServer((client) => {
    if (target === undefined || state === 'cut') return void client.destroy()
    const upstream = connect(target, '127.0.0.1')
    const pair: [Socket, Socket] = [client, upstream]
    pairs.add(pair)
    client.on('data', (bytes) => upstream.write(bytes))
    upstream.on('data', (bytes) => state !== 'held' && client.write(bytes))
    for (const socket of pair) {
      socket.on('error', () => {})
      socket.on('close', () => {
        pairs.delete(pair)
        for (const other of pair) other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  function end(): void {
    for (const [client] of pairs) client.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    to: (port) => void (target = port),
    cut: () => {
      state = 'cut'
      end()
    },
    holdAnswers: () => void (state = 'held'),
    mend: () => {
      if (state === 'held') end()
      state = 'open'
    },
    stop: async () => {
      end()
      server.close()
      await once(server, 'close')
    },
  }
}
