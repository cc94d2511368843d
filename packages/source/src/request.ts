// A request to a source, whole: its body as the bytes that came.

import { SluiceError } from '@sluice/event'

/** Made by the server, and by tests. */
export class SourceRequest {
  /** In capitals. */
  readonly method: string
  /** As its sender has it: the public address with path and query. */
  readonly url: string
  readonly body: Buffer
  /** As they came: name, value, name, value. */
  readonly rawHeaders: readonly string[]
  #query: URLSearchParams | undefined

  constructor(method: string, url: string, rawHeaders: readonly string[], body: Buffer) {
    this.method = method
    this.url = url
    this.rawHeaders = rawHeaders
    this.body = body
  }

  /**
   * The value of a header, whose name is given in lower case.
   *
   * @throws SluiceError 400 where it is there more than once: two readers could take two of them (threat 10)
   */
  header(name: string): string | undefined {
    let found: string | undefined
    const { rawHeaders } = this
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const written = rawHeaders[i]!
      if (written.length !== name.length || written.toLowerCase() !== name) continue
      if (found !== undefined) throw repeated(name)
      found = rawHeaders[i + 1]!
    }
    return found
  }

  /** The first value of a parameter of the query. */
  query(name: string): string | undefined {
    const start = this.url.indexOf('?')
    if (start === -1) return undefined
    this.#query ??= new URLSearchParams(this.url.slice(start + 1))
    return this.#query.get(name) ?? undefined
  }
}

function repeated(name: string): SluiceError {
  return new SluiceError('SLUICE_REQUEST_HEADER_REPEATED', `Header ${name} is there more than once; send it once.`, {
    status: 400,
    subject: name,
  })
}
