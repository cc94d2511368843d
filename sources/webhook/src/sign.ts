// The request that a provider would send, signed: to try a wiring without the provider. The way of signature.ts, backwards.

import { hash, randomUUID } from 'node:crypto'
import { SluiceError } from '@sluice/event'
import { parseTemplate, SourceRequest, type Fixture } from '@sluice/source'
import type { Preset } from './preset.ts'
import { ROOTS, Scope } from './scope.ts'
import { hmac } from './signature.ts'
import type { HmacVerify, Verify } from './spec.ts'
import { isFor } from './verify.ts'

/** What {@link signedRequest} needs beside the example. */
export interface SignOptions {
  readonly ways: readonly Verify[]
  readonly secrets: readonly Buffer[]
  readonly example: Preset['example']
  readonly url: string
  readonly nowMs: number
}

/** Throws a SluiceError where nobody but the provider can sign. */
export function signedRequest({ body, headers, event }: Fixture, options: SignOptions): SourceRequest {
  const { ways, secrets, example, url, nowMs } = options
  const given = new Set(headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()))
  const added: string[] = []
  const add = (name: string, value: string): void => {
    if (!given.has(name)) added.push(name, value)
  }
  add('content-type', example.contentType)
  for (let i = 0; i < example.headers.length; i += 2) {
    const value = example.headers[i + 1]!.replace('{uuid}', randomUUID())
    if (!value.includes('{event}')) add(example.headers[i]!, value)
    else if (event !== undefined) add(example.headers[i]!, value.replace('{event}', event))
  }
  for (const way of ways) {
    const secret = secrets.find((each) => ways.length === 1 || isFor(each, way, ways))
    if (secret === undefined && way.scheme !== 'none') continue
    const all = [...headers, ...added]
    switch (way.scheme) {
      case 'hmac':
        return withHmac(way, secret!, new SourceRequest('POST', url, all, body), nowMs)
      case 'token':
        if (way.header !== undefined)
          return new SourceRequest('POST', url, [...all, way.header, secret!.toString()], body)
        return new SourceRequest('POST', withParameter(url, way.query!, secret!.toString()), all, body)
      case 'bearer':
        return new SourceRequest('POST', url, [...all, 'authorization', `Bearer ${secret!.toString()}`], body)
      case 'basic':
        return new SourceRequest('POST', url, [...all, 'authorization', `Basic ${secret!.toString('base64')}`], body)
      case 'none':
        return new SourceRequest('POST', url, all, body)
      case 'ed25519':
      case 'sns':
        continue
    }
  }
  throw new SluiceError(
    'SLUICE_WEBHOOK_UNSIGNABLE',
    'Only the provider can sign such a request: the source has its public key, or no secret at all.',
    { status: 422 },
  )
}

function withHmac(way: HmacVerify, secret: Buffer, unsigned: SourceRequest, nowMs: number): SourceRequest {
  const { timestamp, parse, prefix = '', encoding } = way
  const { method, body } = unsigned
  const headers = [...unsigned.rawHeaders]
  const time = String(timestamp?.unit === 'ms' ? nowMs : Math.floor(nowMs / 1000))
  if (timestamp !== undefined && timestamp.take === undefined) headers.push(timestamp.header, time)
  const isForm = new Scope(unsigned).form() !== undefined
  const url =
    way.bodyDigest === undefined || isForm
      ? unsigned.url
      : withParameter(unsigned.url, way.bodyDigest, hash('sha256', body, 'hex'))
  const scope = new Scope(new SourceRequest(method, url, headers, body))
  scope.timestamp = time
  const pieces = parseTemplate(way.content, ROOTS).pieces(scope.lookup)
  if (pieces === undefined) {
    throw new SluiceError(
      'SLUICE_WEBHOOK_UNSIGNABLE',
      `Headers that the signature covers are missing: ${way.content}`,
      {
        status: 422,
      },
    )
  }
  const signature = prefix + hmac(pieces, secret, way).toString(encoding)
  const taken = timestamp?.take === undefined ? [] : [`${timestamp.take}${parse?.pair ?? '='}${time}`]
  const text =
    parse === undefined ? signature : [...taken, `${parse.take}${parse.pair}${signature}`].join(parse.separator)
  return new SourceRequest(method, url, [...headers, way.header, text], body)
}

function withParameter(url: string, name: string, value: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(value)}`
}
