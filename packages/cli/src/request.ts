// One HTTP request and its whole answer. Not by fetch: that refuses the ports which browsers block, such as 6000 and
// 6667, and on those a broker may listen as on any other.

import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

/** What is asked of it. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** An answer, read to its end. */
export interface Answer {
  readonly status: number
  readonly body: string
}

/** What a server is shown, and what is asked of it. */
export interface Access {
  /** Sent as bearer token. */
  readonly token?: string
  /** Certificates, in PEM, of whom its own has to be; default: those that Node trusts. */
  readonly ca?: string
}

/** A request with its headers and its body. */
export interface Message {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

/** Begins a request whose answer has no end of its own, and resolves with that. Throws as {@link request}. */
export async function requestStream(url: string, access: Access = {}): Promise<IncomingMessage> {
  return await new Promise<IncomingMessage>((resolve, reject) => {
    begin(url, access, {}, resolve).on('error', reject).end()
  })
}

function begin(
  url: string,
  { token, ca }: Access,
  options: { method?: Method; headers?: Readonly<Record<string, string>>; signal?: AbortSignal },
  answered: (response: IncomingMessage) => void,
): ClientRequest {
  const headers = { ...options.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  const all = { ...options, headers }
  if (!url.startsWith('https:')) return httpRequest(url, all, answered)
  return httpsRequest(url, { ...all, ...(ca !== undefined && { ca }) }, answered)
}

/** How long an answer may take, to its last byte. */
const ANSWER_MS_MAX = 60_000

/**
 * Sends a request and resolves with the answer, whatever its status; redirects are not followed.
 *
 * @throws an Error where there is none within a minute: of the system, with its `code`, or of HTTP or TLS
 */
export async function request(
  method: Method,
  url: string,
  access: Access = {},
  { headers = {}, body }: Message = {},
): Promise<Answer> {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX)
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      begin(url, access, { method, headers, signal }, resolve).on('error', reject).end(body)
    })
    return { status: response.statusCode ?? 0, body: await text(response) }
  } catch (error) {
    if (signal.aborted) throw new Error(`none within ${ANSWER_MS_MAX / 1000} s`, { cause: error })
    throw error
  }
}

/**
 * Sends a GET and yields the lines of its answer as they come, for as long as it takes.
 *
 * @throws an Error as {@link request} does, also where the answer breaks off; of an answer that is no 200, with its body
 */
export async function* lines(url: string, access: Access = {}): AsyncGenerator<string, void> {
  const response = await requestStream(url, access)
  if (response.statusCode !== 200) throw new Error(`it answered ${response.statusCode}: ${await text(response)}`)
  yield* createInterface({ input: response })
}
