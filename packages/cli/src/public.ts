// What guards the listeners of `sluice up`: tokens and certificates. Refused is what strangers could reach and nothing would
// keep them from (DESIGN "Safe by default").

import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { Clock } from '@sluice/clock'
import {
  certificateIn,
  isLoopback,
  tokensIn,
  type Address,
  type ApiTokens,
  type CertificateFiles,
  type ListenerName,
  type LiveCertificate,
} from '@sluice/server'
import { EXIT } from './exit.ts'
import { fail, type Tell } from './tell.ts'

/** The flags of `sluice up` that are about it. */
export interface PublicFlags {
  listen: Address
  api: Address
  publicUrl?: string
  tokenFile?: string
  tlsCertFile?: string
  tlsKeyFile?: string
  apiTlsCertFile?: string
  apiTlsKeyFile?: string
  allowAnonymous?: boolean
}

/** What they come to. */
export interface Guards {
  /** Whether each Broker and channel has to ask for a token. */
  readonly tokensRequired: boolean
  readonly apiTokens?: ApiTokens
  readonly certificates: { readonly [Name in ListenerName]?: LiveCertificate }
}

/** Reads them, and tells of whatever takes their place. Ends the process where they are broken, or anybody could come in. */
export async function guardsOf(flags: PublicFlags, clock: Clock, tell: Tell): Promise<Guards> {
  refusePublicApi(flags, tell)
  const ingress = certificateFiles('tls', flags.tlsCertFile, flags.tlsKeyFile, tell)
  const api = certificateFiles('api-tls', flags.apiTlsCertFile, flags.apiTlsKeyFile, tell)
  const read = (files: CertificateFiles): Promise<LiveCertificate> => certificateOf(files, clock, tell)
  return {
    tokensRequired: !isLoopback(flags.listen) && flags.allowAnonymous !== true,
    ...(flags.tokenFile !== undefined && { apiTokens: apiTokensOf(flags.tokenFile, clock, tell) }),
    certificates: {
      ...(ingress !== undefined && { ingress: await read(ingress) }),
      ...(api !== undefined && { api: await read(api) }),
    },
  }
}

/** Ends the process where anybody could change anything. */
function refusePublicApi({ api, tokenFile, allowAnonymous }: PublicFlags, tell: Tell): void {
  if (isLoopback(api) || tokenFile !== undefined || allowAnonymous) return
  fail(
    `sluice up: --api ${api.host}:${api.port} can be reached from other machines, and anybody could change everything there. ` +
      'Add --token-file FILE, with a token a line (openssl rand -hex 32 makes one), or listen on 127.0.0.1; ' +
      'or add --allow-anonymous where the network keeps strangers out.',
    tell,
    EXIT.usage,
  )
}

/** Why it does not start where Brokers or channels ask for no token, of which each has been told by its place. */
export function ingressOpen({ host, port }: Address, open: number): string {
  const asked = open === 1 ? 'what is named above asks for no token' : `the ${open} named above ask for no token`
  return (
    `sluice up: --listen ${host}:${port} can be reached from other machines, and ${asked}; nothing was started. ` +
    'Have tokens asked for, or listen on 127.0.0.1; or add --allow-anonymous where the network keeps strangers out.'
  )
}

function certificateFiles(
  flag: string,
  certFile: string | undefined,
  keyFile: string | undefined,
  tell: Tell,
): CertificateFiles | undefined {
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile }
  if (certFile === undefined && keyFile === undefined) return undefined
  return fail(`sluice up: --${flag}-cert-file and --${flag}-key-file go together; name both.`, tell, EXIT.usage)
}

async function certificateOf(files: CertificateFiles, clock: Clock, tell: Tell): Promise<LiveCertificate> {
  try {
    const certificate = await certificateIn(files, {
      clock,
      changed(broken) {
        if (broken === undefined) tell.lines('info', [`The certificate of ${files.certFile} is another, and holds.`])
        else tell.lines('error', [`sluice up: ${broken} The one that was there before holds on.`])
      },
    })
    const { notAfterMs } = certificate.now
    if (notAfterMs < clock.now()) {
      const when = new Date(notAfterMs).toISOString()
      tell.lines('error', [`sluice up: the certificate of ${files.certFile} has expired on ${when}.`])
    }
    return certificate
  } catch (error) {
    fail(`sluice up: ${(error as Error).message}`, tell)
  }
}

function apiTokensOf(file: string, clock: Clock, tell: Tell): ApiTokens {
  try {
    return tokensIn(file, {
      clock,
      changed(broken) {
        if (broken === undefined) tell.lines('info', [`The tokens of ${file} are others, and hold.`])
        else tell.lines('error', [`sluice up: ${broken} The tokens that it had before hold on.`])
      },
    })
  } catch (error) {
    fail(`sluice up: ${(error as Error).message}`, tell)
  }
}

/** What is no mistake, and yet would keep people from coming in, or let others read what they bring. */
export function cautions(
  { listen, api, publicUrl }: PublicFlags,
  { certificates, apiTokens }: Guards,
  base: string,
): string[] {
  const lines: string[] = []
  const leaf = certificates.ingress?.now.leaf
  if (leaf !== undefined && base.startsWith('https:') && !isFor(leaf, base)) {
    lines.push(
      `The certificate of the ingress is not for ${hostOf(base)}, which is in the addresses of Brokers: --public-url names another (${namesOf(leaf.subjectAltName)}).`,
    )
  }
  if (!isLoopback(listen) && certificates.ingress === undefined && !publicUrl?.startsWith('https:')) {
    lines.push('Events and tokens come to the ingress without TLS, for all on the way to read: see --tls-cert-file.')
  }
  if (!isLoopback(api) && certificates.api === undefined && apiTokens !== undefined) {
    lines.push('Tokens come to the API without TLS, for all on the way to read: see --api-tls-cert-file.')
  }
  return lines
}

/** Who vouches for where Brokers are reached, where that is this process and it is no one whom all trust anyway. */
export function caCertsOf({ ingress }: Guards['certificates'], base: string): string | undefined {
  return ingress !== undefined && isFor(ingress.now.leaf, base) ? ingress.now.caCerts : undefined
}

function isFor(leaf: X509Certificate, base: string): boolean {
  const host = hostOf(base)
  return (isIP(host) ? leaf.checkIP(host) : leaf.checkHost(host)) !== undefined
}

function hostOf(base: string): string {
  return new URL(base).hostname.replace(/^\[|\]$/g, '')
}

function namesOf(names: string | undefined): string {
  return names?.slice(0, 200) ?? 'it has no names'
}
