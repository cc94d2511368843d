// How many connections a listener has at once, and how many of them one address: whoever takes all that it may leaves room
// for others (threat 11, fault 36).

import type { Server } from 'node:http'
import { isIPv6 } from 'node:net'
import type { ServerLimits } from './limits.ts'

/** Why a connection was closed as soon as it was open: there are so many, or so many of its address. */
export type Crowd = 'listener' | 'address'

/** Bounds the connections of a server. `refused` is told of each that is closed for it. */
export function boundConnections(
  server: Server,
  { connectionsMax, connectionsPerAddressMax }: ServerLimits,
  refused: (crowd: Crowd) => void,
): void {
  const open = new Map<string, number>()
  server.maxConnections = connectionsMax
  server.on('drop', () => refused('listener'))
  server.on('connection', (socket) => {
    const network = networkOf(socket.remoteAddress ?? '')
    const count = (open.get(network) ?? 0) + 1
    if (count > connectionsPerAddressMax) {
      refused('address')
      return void socket.destroy()
    }
    open.set(network, count)
    socket.once('close', () => {
      const left = open.get(network)! - 1
      if (left === 0) open.delete(network)
      else open.set(network, left)
    })
  })
}

/** An IPv4 address; of IPv6 the first 64 bits, which one subscriber of a provider has whole. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped !== null) return mapped[1]!
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0')
  return [...first, ...(tail === undefined ? [] : zeros), ...last].slice(0, 4).join(':')
}
