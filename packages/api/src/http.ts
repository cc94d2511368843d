// Requests and answers: what is asked for, in which form, and how large a body may be.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { finished } from 'node:stream'
import { SluiceError } from '@sluice/event'
import { parseResource } from '@sluice/resource'
import { stringify } from 'yaml'
import { badRequest, Refusal, unsupportedMediaType } from './errors.ts'
import { objectIn, PROTOBUF_TYPE } from './protobuf.ts'
import type { IncludedObject } from './table.ts'

/** Bounds of the API. */
export interface ApiLimits {
  /** Of a body. Default 3 MiB, as Kubernetes has it. */
  readonly bodyBytesMax: number
  /** Of all bodies that are being read at once. Default 64 MiB. */
  readonly readingBytesMax: number
  /** Watches at once. Default 1,000. */
  readonly watchesMax: number
  /** What waits for a watcher that doesn't read. Default 16 MiB; beyond, its watch ends. */
  readonly watchBytesMax: number
}

const MIB = 1024 * 1024

/** The defaults of {@link ApiLimits}. */
export const API_LIMITS: ApiLimits = {
  bodyBytesMax: 3 * MIB,
  readingBytesMax: 64 * MIB,
  watchesMax: 1000,
  watchBytesMax: 16 * MIB,
}

/** The form that an answer is wanted in. */
export interface Wanted {
  readonly form: 'json' | 'yaml'
  readonly as: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList' | undefined
  /** As it is answered. */
  readonly contentType: string
}

const JSON_TYPE = 'application/json'
const YAML_TYPE = 'application/yaml'

/**
 * The first of what Accept names that we have; parameters of quality are not weighed, as in Kubernetes.
 *
 * @throws Refusal 406 where there is none
 */
export function wantedOf(accept: string | undefined): Wanted {
  const clauses = (accept === undefined || accept.trim() === '' ? JSON_TYPE : accept).split(',')
  for (const clause of clauses) {
    const [type = '', ...parameters] = clause.split(';').map((part) => part.trim())
    const wanted = wantedAs(type.toLowerCase(), new Map(parameters.map((each) => split(each))))
    if (wanted !== undefined) return wanted
  }
  throw new Refusal(406, 'NotAcceptable', `only the following media types are accepted: ${JSON_TYPE}, ${YAML_TYPE}`)
}

function split(parameter: string): [string, string] {
  const [name = '', value = ''] = parameter.split('=')
  return [name.toLowerCase(), value]
}

function wantedAs(type: string, parameters: ReadonlyMap<string, string>): Wanted | undefined {
  const form = type === YAML_TYPE ? 'yaml' : [JSON_TYPE, 'application/*', '*/*'].includes(type) ? 'json' : undefined
  if (form === undefined) return undefined
  const [as, group, version] = [parameters.get('as'), parameters.get('g'), parameters.get('v')]
  const plain = form === 'json' ? JSON_TYPE : YAML_TYPE
  if (as === undefined) return { form, as, contentType: plain }
  const contentType = `${plain};g=${group};v=${version};as=${as}`
  const isMeta = group === 'meta.k8s.io' && version === 'v1'
  if (isMeta && (as === 'Table' || as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')) {
    return { form, as, contentType: plain }
  }
  const isDiscovery = group === 'apidiscovery.k8s.io' && version === 'v2' && as === 'APIGroupDiscoveryList'
  return isDiscovery ? { form, as, contentType } : undefined
}

/** What the rows of a table carry: the query `includeObject`. */
export function includedObject(query: URLSearchParams): IncludedObject {
  const include = query.get('includeObject') ?? 'Metadata'
  if (include === 'None' || include === 'Metadata' || include === 'Object') return include
  throw badRequest(`includeObject has to be None, Metadata or Object, not ${JSON.stringify(include.slice(0, 40))}`)
}

// --- Bodies ---

/** Bodies that are being read now, over all connections. */
export interface Reading {
  bytes: number
}

/**
 * The whole body, decoded as JSON or YAML by its Content-Type; `undefined` where there is none.
 *
 * @throws Refusal 413, 415, 429; 400 where it can't be read
 */
export async function readObject(
  request: IncomingMessage,
  reading: Reading,
  limits: ApiLimits,
  types: readonly string[] = [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE],
): Promise<{ value: unknown; contentType: string } | undefined> {
  const contentType = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  const bytes = await readBody(request, reading, limits)
  if (bytes.length === 0) return undefined
  // Strict: a page in a browser can send text/plain without asking first (threat 19).
  if (!types.includes(contentType)) throw unsupportedMediaType(contentType, types)
  if (contentType === PROTOBUF_TYPE) return { value: objectIn(bytes), contentType }
  const { value, fault } = parseResource(bytes, contentType.endsWith('yaml') ? 'yaml' : 'json')
  if (fault !== undefined) throw badRequest(`the body can't be read: ${fault}`)
  return { value, contentType }
}

async function readBody(request: IncomingMessage, reading: Reading, limits: ApiLimits): Promise<Buffer> {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new Refusal(
      415,
      'UnsupportedMediaType',
      `Content-Encoding is ${JSON.stringify(encoding.slice(0, 40))}; send it uncompressed`,
    )
  }
  if (Number(request.headers['content-length'] ?? 0) > limits.bodyBytesMax) throw tooLarge(limits)
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length
      reading.bytes += chunk.length
      if (bytes > limits.bodyBytesMax) throw tooLarge(limits)
      if (reading.bytes > limits.readingBytesMax) throw tooMany('bodies are being read')
      chunks.push(chunk)
    }
  } finally {
    reading.bytes -= bytes
  }
  return Buffer.concat(chunks, bytes)
}

function tooLarge({ bodyBytesMax }: ApiLimits): Refusal {
  return new Refusal(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${bodyBytesMax} bytes`)
}

/** Of something that has a bound. */
export function tooMany(what: string): Refusal {
  return new Refusal(429, 'TooManyRequests', `too many ${what} at once; try again`, { retryAfterSeconds: 1 })
}

// --- Answers ---

/** Answers with a value in the form that was wanted. */
export function send(
  response: ServerResponse,
  code: number,
  value: unknown,
  wanted: Pick<Wanted, 'form' | 'contentType'>,
  warnings: readonly string[] = [],
): void {
  if (response.headersSent || response.destroyed) return
  warn(response, warnings)
  const text = wanted.form === 'yaml' ? stringify(value, { lineWidth: 0 }) : `${JSON.stringify(value)}\n`
  const body = Buffer.from(text)
  response.writeHead(code, { 'content-type': wanted.contentType, 'content-length': body.length }).end(body)
}

/** `Warning` headers, as kubectl prints them; so many, and each of them so long. */
function warn(response: ServerResponse, warnings: readonly string[]): void {
  if (warnings.length === 0) return
  const told = warnings.slice(0, WARNINGS_MAX).map((text) => `299 - "${headerText(text)}"`)
  response.setHeader('warning', told)
}

const WARNINGS_MAX = 50
const WARNING_CHARACTERS_MAX = 500

/** A header has no line breaks, no quotes, and of other alphabets nothing. */
function headerText(text: string): string {
  return text
    .replaceAll(/[‘’]/g, "'")
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[^\u0020-\u007E]/g, '?')
    .replaceAll(/["\\]/g, String.raw`\$&`)
    .slice(0, WARNING_CHARACTERS_MAX)
}

/** Answers with why not. An error that is not ours is a bug, and says nothing of its inside. */
export function sendRefusal(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return
  const { code, status, retryAfter, warnings } = known(error)
  warn(response, warnings)
  if (retryAfter !== undefined) response.setHeader('retry-after', String(retryAfter))
  const rest = !request.complete && request.method !== 'GET'
  if (!rest) return send(response, code, status, JSON_ANSWER)
  // The connection is not closed before the rest was read and thrown away, else the sender might miss the answer.
  const body = Buffer.from(`${JSON.stringify(status)}\n`)
  response.writeHead(code, { 'content-type': JSON_TYPE, 'content-length': body.length }).write(body)
  finished(request.resume(), () => response.end())
}

/** Of an answer whose form nobody chose. */
export const JSON_ANSWER: Pick<Wanted, 'form' | 'contentType'> = { form: 'json', contentType: JSON_TYPE }

interface Known {
  readonly code: number
  readonly status: object
  readonly retryAfter?: number
  readonly warnings: readonly string[]
}

function known(error: unknown): Known {
  const refusal = error instanceof Refusal ? error : refusalOf(error)
  const { code, status, details, warnings } = refusal
  const retryAfter = details?.['retryAfterSeconds']
  return { code, status, warnings, ...(typeof retryAfter === 'number' && { retryAfter }) }
}

/** Of an error of Sluice's own, such as a disk that fails, its words; of a bug, none. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof SluiceError) {
    const { status, message, retryable, retryAfterMs = 1000 } = error
    const reason = status === 503 ? 'ServiceUnavailable' : status >= 500 ? 'InternalError' : 'BadRequest'
    const details = retryable ? { retryAfterSeconds: Math.ceil(retryAfterMs / 1000) } : undefined
    return new Refusal(status, reason, message, details)
  }
  process.emitWarning(error instanceof Error ? error : new Error(String(error)))
  return new Refusal(500, 'InternalError', 'A bug in Sluice; its log has the details.')
}
