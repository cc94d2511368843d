// Who we are to a receiver by TLS, and who vouches for it (threat 20). Connections are shared only between attempts of one
// identity (threat 21).

import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { invalidCredential, type Access, type Credential } from './access.ts'

/** One identity. */
export interface TlsIdentity {
  /** Names it among all; nothing of a key can be told from it. */
  readonly name: string
  readonly context: SecureContext
}

type Certificate = Extract<Credential, { kind: 'certificate' }>

interface Known {
  readonly certificate: Certificate | undefined
  readonly identity: TlsIdentity
}

/** Each access has one at a time. */
const known = new WeakMap<Access, Known>()

/**
 * The identity of an access, with its certificate of now; `undefined`: it has neither that nor CACerts.
 *
 * @throws SluiceError `SLUICE_DELIVERY_INVALID_CREDENTIAL`
 */
export function tlsIdentity(access: Access, credentials: readonly Credential[]): TlsIdentity | undefined {
  const certificate = credentials.find((each) => each.kind === 'certificate')
  if (access.caCerts === undefined && certificate === undefined) return undefined
  const before = known.get(access)
  if (before !== undefined && before.certificate === certificate) return before.identity
  const identity = make(access.caCerts, certificate)
  known.set(access, { certificate, identity })
  return identity
}

function make(caCerts: string | undefined, certificate: Certificate | undefined): TlsIdentity {
  if (certificate !== undefined) check(certificate)
  const name = createHash('sha256')
  for (const part of [caCerts ?? '', certificate?.certificate ?? '', certificate?.key ?? '']) {
    name.update(String(part.length)).update('\0').update(part)
  }
  try {
    const context = createSecureContext({
      minVersion: 'TLSv1.2',
      ...(caCerts !== undefined && { ca: caCerts }),
      ...(certificate !== undefined && { cert: certificate.certificate, key: certificate.key }),
    })
    return { name: name.digest('base64url'), context }
  } catch {
    throw invalidCredential('the CACerts or the client certificate are no certificates in PEM') // threat 7: its own words stay out
  }
}

function check({ certificate, key }: Certificate): void {
  let read: X509Certificate
  try {
    read = new X509Certificate(certificate)
  } catch {
    throw invalidCredential('the client certificate is none in PEM')
  }
  let fits: boolean
  try {
    fits = read.checkPrivateKey(createPrivateKey(key))
  } catch {
    throw invalidCredential('the key of the client certificate is none in PEM, or asks for a passphrase')
  }
  if (!fits) throw invalidCredential("the key is not that of the client certificate's")
}
