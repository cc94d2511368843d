// `sluice send`: one event to a broker, as any sender would send it.

import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import {
  BATCH_CONTENT_TYPE,
  STRUCTURED_CONTENT_TYPE,
  SluiceError,
  encodeBinary,
  encodeStructured,
  newEvent,
  type Event,
} from '@sluice/event'
import { EXIT, exitWith } from './exit.ts'

export interface SendOptions {
  type?: string
  source: string
  id?: string
  subject?: string
  ext?: string[]
  data?: string
  contentType?: string
  mode: 'binary' | 'structured'
  event?: string
  server: string
  namespace: string
}

/** A request as it goes out. */
interface Message {
  headers: [string, string][]
  body: Buffer | undefined
  /** What to tell of it. */
  what: string
}

export async function send(broker: string, options: SendOptions): Promise<void> {
  const message = options.event === undefined ? await eventOfFlags(options) : await eventOfFile(options.event)
  const url = await brokerUrl(broker, options)
  const response = await post(url, message)
  if (response.status === 202) {
    process.stdout.write(`accepted by ${url}: ${message.what}\n`)
    return
  }
  const body = await response.text()
  exitWith(EXIT.failed, `sluice send: ${url} answered ${response.status}: ${reason(body)}`)
}

async function eventOfFlags(options: SendOptions): Promise<Message> {
  if (options.type === undefined)
    exitWith(EXIT.usage, 'sluice send: --type is missing, such as --type com.example.order.created')
  const extensions = (options.ext ?? []).map((pair): [string, string] => {
    const at = pair.indexOf('=')
    if (at < 1) exitWith(EXIT.usage, `sluice send: --ext "${pair}" has to be name=value`)
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
  const data = options.data === undefined ? undefined : await dataOf(options.data)
  const contentType =
    options.contentType ?? (data === undefined ? undefined : isJson(data) ? 'application/json' : 'text/plain')
  try {
    const event = newEvent({
      type: options.type,
      source: options.source,
      extensions: Object.fromEntries(extensions),
      ...(options.id !== undefined && { id: options.id }),
      ...(options.subject !== undefined && { subject: options.subject }),
      ...(contentType !== undefined && { datacontenttype: contentType }),
      ...(data !== undefined && { data }),
    })
    return encoded(event, options.mode)
  } catch (error) {
    if (error instanceof SluiceError) exitWith(EXIT.failed, `sluice send: ${error.message}`)
    throw error
  }
}

function encoded(event: Event, mode: SendOptions['mode']): Message {
  const what = `id ${event.id}, type ${event.type}, source ${event.source}`
  if (mode === 'structured') {
    return { headers: [['content-type', STRUCTURED_CONTENT_TYPE]], body: encodeStructured(event), what }
  }
  const flat = encodeBinary(event)
  const headers: [string, string][] = []
  for (let i = 0; i < flat.length; i += 2) headers.push([flat[i] as string, flat[i + 1] as string])
  return { headers, body: event.data, what }
}

/** The file goes out as it is; the broker says what is wrong with it. */
async function eventOfFile(path: string): Promise<Message> {
  const body = await readInput(path)
  const batch = body.toString('utf8').trimStart().startsWith('[')
  return {
    headers: [['content-type', batch ? BATCH_CONTENT_TYPE : STRUCTURED_CONTENT_TYPE]],
    body,
    what: batch ? `the events of ${path}` : `the event of ${path}`,
  }
}

async function dataOf(data: string): Promise<Buffer> {
  return data.startsWith('@') ? readInput(data.slice(1)) : Buffer.from(data)
}

async function readInput(path: string): Promise<Buffer> {
  try {
    return path === '-' ? await buffer(process.stdin) : await readFile(path)
  } catch (error) {
    exitWith(EXIT.failed, `sluice send: can't read ${path}: ${(error as Error).message}`)
  }
}

function isJson(data: Buffer): boolean {
  try {
    JSON.parse(data.toString('utf8'))
    return true
  } catch {
    return false
  }
}

/** A whole URL is taken as it is; a name is looked up at the running Sluice. */
async function brokerUrl(broker: string, { server, namespace }: SendOptions): Promise<string> {
  if (/^https?:\/\//.test(broker) && URL.canParse(broker)) return broker
  const [name = '', ns = namespace, ...more] = broker.split('/').toReversed()
  if (name === '' || ns === '' || more.length > 0)
    exitWith(EXIT.usage, `sluice send: "${broker}" names no Broker. Write NAME, NAMESPACE/NAME, or a whole URL.`)
  const path = `${server.replace(/\/+$/, '')}/apis/eventing.knative.dev/v1/namespaces/${encodeURIComponent(ns)}/brokers/${encodeURIComponent(name)}`
  const response = await reach(path, { method: 'GET' })
  if (response.status === 404)
    exitWith(EXIT.failed, `sluice send: there is no Broker ${name} in namespace ${ns} at ${server}.`)
  if (!response.ok) exitWith(EXIT.failed, `sluice send: ${path} answered ${response.status}.`)
  const url = ((await response.json()) as { status?: { address?: { url?: string } } }).status?.address?.url
  if (url === undefined) exitWith(EXIT.failed, `sluice send: Broker ${ns}/${name} has no address yet; it is not ready.`)
  return url
}

function post(url: string, { headers, body }: Message): Promise<Response> {
  return reach(url, {
    method: 'POST',
    headers,
    redirect: 'manual',
    ...(body !== undefined && { body: new Uint8Array(body) }),
  })
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    const cause = (error as Error).cause ?? error
    exitWith(
      EXIT.unreachable,
      `sluice send: nothing answers at ${new URL(url).origin} (${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}). ` +
        'Is sluice up running there? --server or SLUICE_SERVER names another address.',
    )
  }
}

function reason(body: string): string {
  try {
    return (JSON.parse(body) as { message?: string }).message ?? body
  } catch {
    return body
  }
}
