// Which addresses a subscriber may have (SECURITY.md threats 1 and 2). Asked for the IP literal in a URL when that is
// applied; before each connect for that and for every answer of a lookup; and once more for the peer of the socket.

import { BlockList, isIP, isIPv4 } from 'node:net'

/**
 * `any`: everything but link-local, cloud metadata, multicast, unspecified and broadcast addresses. `public`: no
 * loopback, private or otherwise special address either.
 */
export type AllowedTargets = 'any' | 'public'

/** Says in words why an address is refused, or `undefined` when it may be connected to. */
export type AddressGuard = (address: string) => string | undefined

/** Makes the guard for one setting of `--targets`. */
export function addressGuard(allowed: AllowedTargets): AddressGuard {
  const forbidden = allowed === 'public' ? [...NEVER, ...NOT_PUBLIC] : NEVER
  return (address) => {
    const bare = address.split('%', 1)[0]!
    if (isIP(bare) === 0) return `${JSON.stringify(address)} is no IP address`
    for (const form of [bare, ...embeddedV4(bare)]) {
      const found = forbidden.find(({ list }) => list.check(form, isIPv4(form) ? 'ipv4' : 'ipv6'))
      if (found !== undefined) return inWords(address, found)
    }
    return undefined
  }
}

/**
 * What the guard says of a host as a URL has it, with or without its brackets. Of a name, nothing: only what it resolves
 * to can tell.
 */
export function hostRefusal(guard: AddressGuard, host: string): string | undefined {
  const address = host.startsWith('[') ? host.slice(1, -1) : host
  return isIP(address) === 0 ? undefined : guard(address)
}

interface Range {
  readonly cidr: string
  readonly what: string
  readonly list: BlockList
}

function range(cidr: string, what: string): Range {
  const [address = '', prefix] = cidr.split('/')
  const list = new BlockList()
  list.addSubnet(address, Number(prefix), isIPv4(address) ? 'ipv4' : 'ipv6')
  return { cidr, what, list }
}

/** Addresses at which no subscriber can be meant, and behind some of which clouds keep credentials. */
const NEVER: readonly Range[] = [
  range('169.254.0.0/16', 'link-local, cloud metadata'),
  range('fe80::/10', 'link-local'),
  range('fd00:ec2::254/128', 'cloud metadata (AWS)'),
  range('fd20:ce::254/128', 'cloud metadata (Google)'),
  range('fd00:c1::a9fe:a9fe/128', 'cloud metadata (Oracle)'),
  range('100.100.100.200/32', 'cloud metadata (Alibaba)'),
  range('168.63.129.16/32', 'cloud metadata (Azure)'),
  range('192.0.0.192/32', 'cloud metadata (Oracle)'),
  range('224.0.0.0/4', 'multicast'),
  range('ff00::/8', 'multicast'),
  range('0.0.0.0/8', 'unspecified; this machine is 127.0.0.1'),
  range('::/128', 'unspecified; this machine is ::1'),
  range('255.255.255.255/32', 'broadcast'),
]

/** What the IANA special-purpose registries list as not globally reachable, and tunnels that may lead back inside. */
const NOT_PUBLIC: readonly Range[] = [
  range('127.0.0.0/8', 'loopback'),
  range('::1/128', 'loopback'),
  range('10.0.0.0/8', 'private'),
  range('172.16.0.0/12', 'private'),
  range('192.168.0.0/16', 'private'),
  range('fc00::/7', 'private (ULA)'),
  range('fec0::/10', 'private (site-local)'),
  range('100.64.0.0/10', 'carrier-grade NAT'),
  range('192.0.0.0/24', 'reserved (IETF)'),
  range('192.0.2.0/24', 'documentation'),
  range('198.51.100.0/24', 'documentation'),
  range('203.0.113.0/24', 'documentation'),
  range('2001:db8::/32', 'documentation'),
  range('3fff::/20', 'documentation'),
  range('198.18.0.0/15', 'benchmark'),
  range('192.88.99.0/24', '6to4 relay'),
  range('240.0.0.0/4', 'reserved'),
  range('::/96', 'reserved (IPv4-compatible)'),
  range('::ffff:0:0:0/96', 'IPv4-translated'),
  range('64:ff9b::/96', 'NAT64'),
  range('64:ff9b:1::/48', 'NAT64'),
  range('100::/64', 'discard'),
  range('2001::/23', 'reserved (IETF, Teredo, benchmark)'),
  range('2002::/16', '6to4'),
  range('5f00::/16', 'SRv6'),
]

/**
 * The IPv4 addresses that an IPv6 address stands for: v4-mapped, v4-compatible, v4-translated, NAT64, 6to4, and
 * both of Teredo. BlockList knows only the first of these.
 */
function embeddedV4(address: string): string[] {
  if (isIPv4(address)) return []
  const h = hextets(address)
  const leading = h.slice(0, 6).join()
  const last = v4(h[6]!, h[7]!)
  // Below 0.1.0.0 are the unspecified address and the loopback of IPv6 itself.
  if (leading === ZEROS) return h[6] === 0 ? [] : [last]
  if (V4_IN_THE_LAST_32_BITS.has(leading)) return [last]
  if (h[0] === 0x64 && h[1] === 0xff9b && h[2] === 1) return [last]
  if (h[0] === 0x2002) return [v4(h[1]!, h[2]!)]
  // RFC 4380, 4: the server, and the client with every bit inverted.
  if (h[0] === 0x2001 && h[1] === 0) return [v4(h[2]!, h[3]!), v4(h[6]! ^ 0xffff, h[7]! ^ 0xffff)]
  return []
}

const ZEROS = [0, 0, 0, 0, 0, 0].join()
const V4_IN_THE_LAST_32_BITS = new Set([
  [0, 0, 0, 0, 0, 0xffff].join(),
  [0, 0, 0, 0, 0xffff, 0].join(),
  [0x64, 0xff9b, 0, 0, 0, 0].join(),
])

function v4(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/** The eight numbers of an IPv6 address; URL writes every spelling of one in the same way. */
function hextets(address: string): number[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head, tail] = canonical.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const zeros = tail === undefined ? 0 : 8 - head!.length - tail.length
  return [...head!, ...Array<string>(zeros).fill('0'), ...(tail ?? [])].map((text) => Number.parseInt(text, 16))
}

function inWords(address: string, found: Range): string {
  const rule = NEVER.includes(found)
    ? 'Sluice never connects to these; give another address'
    : '--targets=public forbids these; give a public address, or allow it by --targets=any'
  return `${address} is in ${found.cidr} (${found.what}): ${rule}`
}
