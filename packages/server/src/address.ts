// Addresses to listen on, as people write them.

import { SluiceError } from '@sluice/event'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Reads `host:port`, `[v6]:port` or `:port` (every interface); throws `SLUICE_ADDRESS_INVALID`. */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new SluiceError(
      'SLUICE_ADDRESS_INVALID',
      `"${text}" is no address to listen on. Write HOST:PORT, such as 127.0.0.1:8080; port 0 means a free one.`,
    )
  }
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port }
}

/** Whether only this machine can reach it. */
export function isLoopback({ host }: Address): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
