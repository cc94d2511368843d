// A request as templates see it: what `{header.x}`, `{body.a.b}` and the like stand for.

import { isUtf8 } from 'node:buffer'
import { jsonTextFault, readMediaType, SluiceError } from '@sluice/event'
import type { SourceRequest } from '@sluice/source'

/** The first words of names in templates. */
export const ROOTS: readonly string[] = ['body', 'header', 'query', 'url', 'method', 'timestamp', 'sortedForm']

/** Throws a SluiceError 401 unless the request was sent by who has one of the secrets. */
export type Check = (scope: Scope, secrets: readonly Buffer[], nowMs: number) => void | Promise<void>

const FORM = 'application/x-www-form-urlencoded'
const DEPTH_MAX = 64

/** JSON that has been looked through. Many a template asks for headers alone: it is parsed once one asks for a field. */
class JsonBody {
  readonly text: Buffer
  #value: { readonly is: unknown } | undefined

  constructor(text: Buffer) {
    this.text = text
  }

  get value(): unknown {
    this.#value ??= { is: JSON.parse(this.text.toString('utf8')) as unknown }
    return this.#value.is
  }
}

export class Scope {
  readonly request: SourceRequest
  /** What `{url}` is: a check may try several spellings. */
  url: string
  /** What `{timestamp}` is, once it was found. */
  timestamp: string | undefined
  /** A field of a form that holds the JSON which is meant. */
  readonly #formField: string | undefined
  #form: URLSearchParams | null | undefined
  #json: JsonBody | null | undefined

  constructor(request: SourceRequest, formField?: string) {
    this.request = request
    this.url = request.url
    this.#formField = formField
  }

  /** For {@link Template.fill}. What is empty or null is missing. */
  readonly lookup = (name: readonly string[]): string | Buffer | undefined => {
    const [root, ...rest] = name as [string, ...string[]]
    switch (root) {
      case 'body':
        return rest.length === 0 ? this.request.body : this.#field(rest)
      case 'header':
        return filled(this.request.header(rest.join('.')))
      case 'query':
        return filled(this.request.query(rest.join('.')))
      case 'url':
        return this.url
      case 'method':
        return this.request.method
      case 'timestamp':
        return this.timestamp
      case 'sortedForm':
        return this.sortedForm()
      default:
        return undefined
    }
  }

  #field(path: readonly string[]): string | undefined {
    const json = this.json()
    if (json === undefined) return filled(this.form()?.get(path.join('.')) ?? undefined)
    let value = json.value
    for (const step of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined // threat 14
      value = (value as Record<string, unknown>)[step]
    }
    switch (typeof value) {
      case 'string':
        return filled(value)
      case 'number':
      case 'boolean':
        return String(value)
      default:
        return undefined
    }
  }

  /** The parameters of a body that is a form. */
  form(): URLSearchParams | undefined {
    if (this.#form === undefined) {
      const isForm = mediaType(this.request.header('content-type')) === FORM
      this.#form = isForm ? new URLSearchParams(this.request.body.toString('utf8')) : null
    }
    return this.#form ?? undefined
  }

  /**
   * The JSON of the body, whatever its sender calls it: SNS says text/plain. `undefined`: it has none.
   *
   * @throws SluiceError 400 where the content type says JSON and the body is none, or one that is nested too deep
   */
  json(): JsonBody | undefined {
    if (this.#json === undefined) this.#json = this.#readJson() ?? null
    return this.#json ?? undefined
  }

  #readJson(): JsonBody | undefined {
    const { body } = this.request
    const field = this.#formField === undefined ? undefined : (this.form()?.get(this.#formField) ?? undefined)
    if (field === undefined && this.form() !== undefined) return undefined
    const text = field === undefined ? body : Buffer.from(field)
    const first = text.find((byte) => byte > 0x20)
    const looksLikeJson = first === 0x7b || first === 0x5b // { [
    const type = this.request.header('content-type')
    const isCalledJson = field !== undefined || (type !== undefined && readMediaType(type)?.kind === 'json')
    if (!looksLikeJson && !isCalledJson) return undefined
    const isJson = isUtf8(text) && jsonTextFault(text, 0, DEPTH_MAX) === undefined
    if (isJson) return new JsonBody(text)
    if (!isCalledJson) return undefined
    throw new SluiceError(
      'SLUICE_WEBHOOK_BODY_INVALID',
      'The body is no JSON, or is nested too deep. Nothing was stored.',
      { status: 400, subject: 'body' },
    )
  }

  /** As Twilio signs forms: each name and value, sorted by name, without separators; nothing for another body. */
  sortedForm(): string {
    const form = this.form()
    if (form === undefined) return ''
    const pairs = [...form]
    const unique = new Map(pairs.map((pair) => [pair.join('\n'), pair]))
    return [...unique.values()]
      .toSorted(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
      .map(([name, value]) => name + value)
      .join('')
  }
}

function filled(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** The type and subtype of a content type, in lower case. */
function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()
}
