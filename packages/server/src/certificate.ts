// The certificate of a listener and its key, in files that may be exchanged while it runs: connections that are open go
// on, and new ones get the new certificate. A broken one changes nothing (threat 20).
//
// From: cli/src/public.ts. Next: listener.ts, which listens by it.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Clock, Timer } from '@sluice/clock'
import { SluiceError } from '@sluice/event'

/** A certificate with its chain, and its key, both in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  /** The first of the chain, which names the server. */
  readonly leaf: X509Certificate
  /** The end of the chain, where that vouches for itself: others have to be told of it. */
  readonly caCerts: string | undefined
  /** When the leaf ends, in milliseconds since the epoch. */
  readonly notAfterMs: number
}

/** Where they stand. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** The certificate that holds now. */
export interface LiveCertificate {
  readonly now: Certificate
  /** `listener` is told of each that takes the place of the one before. */
  onChange(listener: (certificate: Certificate) => void): void
  /** Looks at the files now, whatever was seen of them. */
  reload(): Promise<void>
  /** Looks no more. */
  close(): void
}

/** Of {@link certificateIn}. */
export interface CertificateOptions {
  readonly clock: Clock
  /** There is another certificate, which holds from now on; or why what stands in the files can't be used: the one before holds on. */
  readonly changed: (broken: string | undefined) => void
}

/** So often the files are looked at. What is seen twice is no longer being written. */
const LOOK_MS = 2000
const FILE_BYTES_MAX = 1024 * 1024

/**
 * Reads them, and whatever takes their place. Kubernetes exchanges a link, ACME clients the files: both are seen.
 *
 * @throws SluiceError `SLUICE_TLS` where they can't be used; it never holds a key
 */
export async function certificateIn(files: CertificateFiles, options: CertificateOptions): Promise<LiveCertificate> {
  const stamp = await stampOf(files)
  return new Live(files, options, await readCertificate(files), stamp)
}

class Live implements LiveCertificate {
  now: Certificate
  readonly #files: CertificateFiles
  readonly #options: CertificateOptions
  readonly #listeners: ((certificate: Certificate) => void)[] = []
  /** Of what was read last, and of what was seen last. */
  #read: string
  #seen: string
  #timer: Timer | undefined
  #isClosed = false

  constructor(files: CertificateFiles, options: CertificateOptions, now: Certificate, stamp: string) {
    this.#files = files
    this.#options = options
    this.now = now
    this.#read = this.#seen = stamp
    this.#lookLater()
  }

  onChange(listener: (certificate: Certificate) => void): void {
    this.#listeners.push(listener)
  }

  #lookLater(): void {
    if (this.#isClosed) return
    this.#timer = this.#options.clock.setTimer(LOOK_MS, () => void this.#look().then(() => this.#lookLater()))
  }

  async #look(): Promise<void> {
    const stamp = await stampOf(this.#files)
    const isStill = stamp === this.#seen
    this.#seen = stamp
    if (isStill && stamp !== this.#read) await this.#take(stamp)
  }

  async reload(): Promise<void> {
    await this.#take(await stampOf(this.#files))
  }

  async #take(stamp: string): Promise<void> {
    this.#read = stamp
    try {
      const certificate = await readCertificate(this.#files)
      const { cert, key } = this.now
      if (this.#isClosed || (certificate.cert === cert && certificate.key === key)) return
      if (certificate.notAfterMs < this.#options.clock.now()) throw invalid(`${this.#files.certFile} has expired`)
      this.now = certificate
      for (const listener of this.#listeners) listener(certificate)
      this.#options.changed(undefined)
    } catch (error) {
      this.#options.changed((error as Error).message)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }
}

async function readCertificate({ certFile, keyFile }: CertificateFiles): Promise<Certificate> {
  const [cert, key] = await Promise.all([textOf(certFile), textOf(keyFile)])
  const leaf = parsed(`${certFile} holds no certificate in PEM`, () => new X509Certificate(cert))
  const isEncrypted = key.includes('ENCRYPTED')
  const why = isEncrypted ? 'is encrypted; store it without a passphrase' : 'holds no private key in PEM'
  const privateKey = parsed(`${keyFile} ${why}`, () => createPrivateKey(key))
  if (!leaf.checkPrivateKey(privateKey)) throw invalid(`the key of ${keyFile} is not that of ${certFile}`)
  parsed(`${certFile} can't be served`, () => createSecureContext({ cert, key }))
  return { cert, key, leaf, caCerts: selfIssued(cert), notAfterMs: Date.parse(leaf.validTo) }
}

/** The last certificate of a chain, where it is signed by itself. */
function selfIssued(chain: string): string | undefined {
  const last = chain.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)?.at(-1)
  const root = last && parsed("its chain can't be read", () => new X509Certificate(last))
  return root && root.checkIssued(root) && root.verify(root.publicKey) ? root.toString() : undefined
}

function parsed<T>(problem: string, parse: () => T): T {
  try {
    return parse()
  } catch {
    throw invalid(problem)
  }
}

async function textOf(path: string): Promise<string> {
  try {
    const stats = await stat(path)
    if (!stats.isFile()) throw invalid(`${path} is no regular file`)
    if (stats.size > FILE_BYTES_MAX) throw invalid(`${path} has more than ${FILE_BYTES_MAX} bytes`)
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof SluiceError) throw error
    throw invalid(`${path} can't be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
}

async function stampOf({ certFile, keyFile }: CertificateFiles): Promise<string> {
  const stamps = await Promise.all(
    [certFile, keyFile].map(async (path) => {
      const stats = await stat(path).catch(() => undefined)
      return stats === undefined ? '-' : `${stats.ino} ${stats.mtimeMs} ${stats.size}`
    }),
  )
  return stamps.join(' ')
}

function invalid(problem: string): SluiceError {
  return new SluiceError('SLUICE_TLS', `The certificate can't be used: ${problem}.`)
}
