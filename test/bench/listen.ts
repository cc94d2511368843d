// Every server of the benchmark listens on a free port of the loopback.

import { once } from 'node:events'
import type { Server } from 'node:net'

/** Has the server listen, and resolves with its base address, such as `http://127.0.0.1:43210`. */
export async function listenOnLoopback(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return `http://127.0.0.1:${address.port}`
}
