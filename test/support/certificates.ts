// Certificates made on the spot, for servers and clients of tests: X.509 v3 with P-256 keys (RFC 5280), written as DER.
// Nothing is kept, so that none is ever out of date.

import { createPrivateKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'

/** A certificate and its key, both in PEM. */
export interface Issued {
  readonly certificate: string
  readonly key: string
}

/** Of a certificate; each field has a default. */
export interface CertificateOptions {
  /** Names and addresses of a server. Default `127.0.0.1` and `localhost`. */
  readonly hosts?: readonly string[]
  /** Days from now. Default from yesterday until in a year. */
  readonly days?: { readonly from: number; readonly until: number }
}

/** Who issues certificates. */
export interface Authority extends Issued {
  issue(name: string, options?: CertificateOptions): Issued
}

/** An authority that vouches for itself. */
export function authority(name = 'Test CA'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const root = issue({ name, keys, issuer: name, issuerKey: keys.privateKey, isAuthority: true })
  return {
    ...root,
    issue: (subject, options) =>
      issue({
        name: subject,
        keys: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
        issuer: name,
        issuerKey: createPrivateKey(root.key),
        isAuthority: false,
        ...options,
      }),
  }
}

interface Request extends CertificateOptions {
  readonly name: string
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  readonly issuer: string
  readonly issuerKey: KeyObject
  readonly isAuthority: boolean
}

function issue({ name, keys, issuer, issuerKey, isAuthority, hosts, days }: Request): Issued {
  const { from = -1, until = 365 } = days ?? {}
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))), // v3
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ECDSA_SHA256,
    nameOf(issuer),
    sequence(time(from), time(until)),
    nameOf(name),
    keys.publicKey.export({ format: 'der', type: 'spki' }),
    tagged(0xa3, sequence(...(isAuthority ? [MAY_ISSUE] : [alternativeNames(hosts ?? ['127.0.0.1', 'localhost'])]))),
  )
  const signature = sign('sha256', body, issuerKey)
  const der = sequence(body, ECDSA_SHA256, tagged(0x03, Buffer.concat([Buffer.from([0]), signature])))
  const lines = der.toString('base64').replace(/.{64}/g, '$&\n')
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.trimEnd()}\n-----END CERTIFICATE-----\n`,
    key: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts))
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes)
}

/** As its bytes stand there. */
function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'))
}

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'))
/** basicConstraints: critical, a CA. */
const MAY_ISSUE = sequence(
  oid('551d13'),
  tagged(0x01, Buffer.from([255])),
  tagged(0x04, sequence(tagged(0x01, Buffer.from([255])))),
)

function nameOf(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(oid('550403'), tagged(0x0c, Buffer.from(commonName)))))
}

function time(days: number): Buffer {
  const text = new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-T:]|\.\d+/g, '')
  return tagged(0x18, Buffer.from(text))
}

function alternativeNames(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) =>
    /^[\d.]+$/.test(host) ? tagged(0x87, Buffer.from(host.split('.').map(Number))) : tagged(0x82, Buffer.from(host)),
  )
  return sequence(oid('551d11'), tagged(0x04, sequence(...names)))
}
