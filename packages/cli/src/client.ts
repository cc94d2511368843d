// How a word asks a running sluice, and what it says when that goes wrong: 1 for what was refused, 3 where nobody
// answers.

import { readFileSync } from 'node:fs'
import { readTokens } from '@sluice/server/token-file'
import { parseExact } from './exact-json.ts'
import { EXIT, exitWith } from './exit.ts'
import type { AccessFlags } from './flags.ts'
import { request, type Access, type Answer, type Message, type Method } from './request.ts'

/** Whom a word asks. */
export interface Client extends Access {
  /** The word, as messages begin with it: `sluice send`. */
  readonly word: string
  /** Base address of the API, without a slash at its end. */
  readonly server: string
}

/** Of a word with these flags. Ends the process where their files can't be read. */
export function clientOf(word: string, { server, tokenFile, caFile }: AccessFlags & { server: string }): Client {
  const token = tokenOf(word, tokenFile, 'SLUICE_TOKEN')
  return { word, server, ...(token !== undefined && { token }), ...caOf(word, caFile) }
}

/** The first token of a file, else what stands in this variable. */
export function tokenOf(word: string, file: string | undefined, variable: string): string | undefined {
  if (file === undefined) return process.env[variable] || undefined
  try {
    return readTokens(file)[0]
  } catch (error) {
    exitWith(EXIT.usage, `${word}: ${(error as Error).message}`)
  }
}

function caOf(word: string, file: string | undefined): { ca?: string } {
  if (file === undefined) return {}
  let ca: string
  try {
    ca = readFileSync(file, 'utf8')
  } catch (error) {
    exitWith(EXIT.usage, `${word}: --ca-file ${file} can't be read (${(error as NodeJS.ErrnoException).code}).`)
  }
  if (!ca.includes('-----BEGIN CERTIFICATE-----')) {
    exitWith(EXIT.usage, `${word}: --ca-file ${file} holds no certificate in PEM.`)
  }
  return { ca }
}

/** Asks the API at `path`, which begins with a slash, and returns its JSON. What is no 2xx ends the process. */
export async function ask<T>(client: Client, method: Method, path: string, body?: unknown): Promise<T> {
  if (body === undefined) return answerTo<T>(client, method, path)
  return askWith<T>(client, method, path, 'application/json', Buffer.from(JSON.stringify(body)))
}

/** As {@link ask}, with this body as it is. */
export function askWith<T>(client: Client, method: Method, path: string, type: string, body: Buffer): Promise<T> {
  return answerTo<T>(client, method, path, { headers: { 'content-type': type }, body })
}

async function answerTo<T>(client: Client, method: Method, path: string, message?: Message): Promise<T> {
  const { word, server } = client
  const answer = await reach(client, method, path, message)
  if (answer.status >= 200 && answer.status < 300) {
    const value = jsonOf(answer.body)
    if (value !== undefined) return value as T
  }
  exitWith(EXIT.failed, `${word}: ${whyRefused(server, path, answer)}`)
}

/** One request, whatever its answer; where there is none the process ends. */
export async function reach(client: Client, method: Method, path: string, message?: Message): Promise<Answer> {
  const url = client.server + path
  try {
    return await request(method, url, client, message)
  } catch (error) {
    exitWith(EXIT.unreachable, `${client.word}: ${whyUnreachable(url, error as Error)}`)
  }
}

/** Why nobody answers, and what to do. */
export function whyUnreachable(url: string, error: Error): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return `no answer from ${new URL(url).origin} (${/^E[A-Z]+$/.test(code) ? code : message.split(';')[0]}). ${hintFor(url, code)}`
}

function hintFor(url: string, code: string): string {
  const other = '--server or SLUICE_SERVER names another address.'
  if (code === 'EPROTO') return `It speaks no TLS: try http://. ${other}`
  if (/CERT|SIGNATURE/.test(code)) return 'Its certificate is not trusted: --ca-file names those that are.'
  if (code === 'ECONNRESET' && url.startsWith('http:'))
    return `If it speaks TLS, its address begins with https. ${other}`
  return `Is sluice up running there? ${other}`
}

/** What an answer that is no success says. Where it is not from the API of a sluice, that. */
export function whyRefused(server: string, path: string, { status, body }: Answer): string {
  const { code, message }: Refusal = jsonOf(body) ?? {}
  const hint = status === 401 ? ' --token-file names the file with it, or SLUICE_TOKEN has it.' : ''
  if (typeof message === 'string' && code !== 'SLUICE_PATH_UNKNOWN') return message + hint
  const said = typeof message === 'string' ? message : JSON.stringify(body.slice(0, 200))
  return `${server}${path} answered ${status}: ${said} --server or SLUICE_SERVER has to be the API of a sluice.`
}

/** As API and ingress say what is wrong: `{ code, message }`, or a Kubernetes Status. */
export function messageOf(body: string): string | undefined {
  const { message }: Refusal = jsonOf(body) ?? {}
  return typeof message === 'string' ? message : undefined
}

interface Refusal {
  readonly code?: unknown
  readonly message?: unknown
}

/** What `NAME` or `NAMESPACE/NAME` names; `undefined`: neither. */
export function namedIn(text: string, namespace: string): { namespace: string; name: string } | undefined {
  const [name = '', ns = namespace, ...more] = text.split('/').toReversed()
  return name === '' || ns === '' || more.length > 0 ? undefined : { namespace: ns, name }
}

/** A JSON text's object, its numbers as they were written; `undefined` where it is none. */
export function jsonOf(body: string): object | undefined {
  try {
    const value = parseExact(body)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
