// What references to Secrets hold. `env:NAME` is read once, a file again when it has changed; values never leave by any
// other door than `get` (threats 7, 8).

import { readFileSync, statSync } from 'node:fs'
import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import { resourceKey, type Resource, type ResourceStore } from '@sluice/resource'
import type { SecretRef } from '@sluice/source'

const FILE_BYTES_MAX = 64 * 1024
/** So often a file is looked at, at most. */
const LOOK_MS = 1000
const KNOWN_MAX = 10_000

interface Known {
  /** What stands in the Secret. */
  readonly text: string
  readonly value: Buffer
  readonly file?: { readonly stamp: string; lookedMs: number }
}

export class Secrets {
  readonly #store: ResourceStore
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()

  constructor(store: ResourceStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /**
   * The bytes of one value: the same Buffer as long as it doesn't change.
   *
   * @throws SluiceError `SLUICE_SECRET_UNAVAILABLE`, 503; it names the reference, never what it holds
   */
  get(namespace: string, { name, key }: SecretRef): Buffer {
    const secretKey = resourceKey({ group: '', kind: 'Secret', namespace, name })
    const secret = this.#store.get(secretKey)
    if (secret === undefined) throw unavailable(namespace, name, key, 'there is no such Secret')
    const text = textOf(secret, key)
    if (text === undefined) throw unavailable(namespace, name, key, 'the Secret has no such key')
    const place = `${secretKey}/${key}`
    const known = this.#known.get(place)
    if (known?.text === text && this.#isFresh(known)) return known.value
    const isFromFile = this.#store.origin(secretKey) !== undefined
    const fresh = this.#read(text, known, (why) => unavailable(namespace, name, key, why), isFromFile)
    if (this.#known.size >= KNOWN_MAX) this.#known.clear()
    this.#known.set(place, fresh)
    return fresh.value
  }

  /** Every value of a Secret with its key, and what is wrong with those that can't be had. */
  all(namespace: string, name: string): { values: Map<string, Buffer>; problems: SluiceError[] } {
    const secret = this.describe(namespace, name)
    const values = new Map<string, Buffer>()
    const problems: SluiceError[] = []
    if (secret === undefined) problems.push(missing(namespace, name))
    for (const key of secret?.keys ?? []) {
      try {
        values.set(key, this.get(namespace, { name, key }))
      } catch (error) {
        problems.push(error as SluiceError)
      }
    }
    return { values, problems }
  }

  /** Another one than before where the Secret was written, or removed, since; files of values apart. */
  version(namespace: string, name: string): unknown {
    return this.#store.get(resourceKey({ group: '', kind: 'Secret', namespace, name }))
  }

  /** What a Secret is, without what it holds; `undefined`: there is none. */
  describe(namespace: string, name: string): SecretDescription | undefined {
    const secret = this.#store.get(resourceKey({ group: '', kind: 'Secret', namespace, name })) as WrittenSecret
    if (secret === undefined) return undefined
    const { type = 'Opaque', data = {}, stringData = {} } = secret
    return {
      type,
      keys: [...new Set([...Object.keys(data), ...Object.keys(stringData)])],
      isFixed: !Object.values(stringData).some((text) => text.startsWith('file:')),
    }
  }

  #isFresh({ file }: Known): boolean {
    return file === undefined || this.#clock.monotonic() - file.lookedMs < LOOK_MS
  }

  #read(text: string, known: Known | undefined, fail: (why: string) => SluiceError, isFromFile: boolean): Known {
    const [, scheme, rest = ''] = /^(env|file):(.*)$/s.exec(text) ?? []
    if (scheme === undefined) return { text, value: filled(valueOf(text), fail) }
    // Who may write Secrets through the API may not read this machine through them.
    if (!isFromFile) throw fail(`${scheme}: is for Secrets that stand in files`)
    if (scheme === 'env') return { text, value: filled(Buffer.from(process.env[rest] ?? ''), fail) }
    const lookedMs = this.#clock.monotonic()
    try {
      const stats = statSync(rest)
      if (!stats.isFile()) throw fail('its path is no regular file')
      if (stats.size > FILE_BYTES_MAX) throw fail(`its file has more than ${FILE_BYTES_MAX} bytes`)
      const stamp = `${stats.ino} ${stats.mtimeMs} ${stats.size}`
      if (known?.text === text && known.file?.stamp === stamp) {
        known.file.lookedMs = lookedMs
        return known
      }
      const written = readFileSync(rest)
      const end = written.at(-1) === 0x0a ? (written.at(-2) === 0x0d ? -2 : -1) : written.length
      return { text, value: filled(written.subarray(0, end), fail), file: { stamp, lookedMs } }
    } catch (error) {
      if (error instanceof SluiceError) throw error
      throw fail(`its file can't be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
    }
  }
}

/** Of {@link Secrets.describe}. */
export interface SecretDescription {
  readonly type: string
  readonly keys: readonly string[]
  /** Nothing but another apply changes what it holds: it names no file. */
  readonly isFixed: boolean
}

type WrittenSecret = { type?: string; stringData?: Record<string, string>; data?: Record<string, string> } | undefined

/** Marks what came as base64, so that text which begins with `env:` under `data` is that text. */
const BASE64 = 'base64:'

function textOf(secret: Resource, key: string): string | undefined {
  const { stringData, data } = secret as NonNullable<WrittenSecret>
  if (stringData !== undefined && Object.hasOwn(stringData, key)) {
    const text = stringData[key]!
    return text.startsWith(BASE64) ? `${BASE64}${Buffer.from(text).toString('base64')}` : text
  }
  return data !== undefined && Object.hasOwn(data, key) ? BASE64 + data[key]! : undefined
}

function valueOf(text: string): Buffer {
  return text.startsWith(BASE64) ? Buffer.from(text.slice(BASE64.length), 'base64') : Buffer.from(text)
}

function filled(value: Buffer, fail: (why: string) => SluiceError): Buffer {
  if (value.length === 0) throw fail('it is empty')
  return value
}

function missing(namespace: string, name: string): SluiceError {
  return cannotBeHad(`There is no Secret ${namespace}/${name}.`)
}

function unavailable(namespace: string, name: string, key: string, why: string): SluiceError {
  return cannotBeHad(`Key ${key} of Secret ${namespace}/${name} can't be had: ${why}.`)
}

function cannotBeHad(message: string): SluiceError {
  return new SluiceError('SLUICE_SECRET_UNAVAILABLE', message, { status: 503, retryable: true, retryAfterMs: 30_000 })
}
