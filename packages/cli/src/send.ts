// `sluice send`: one event to a broker, as any sender would send it.

import {
  BATCH_CONTENT_TYPE,
  STRUCTURED_CONTENT_TYPE,
  SluiceError,
  encodeBinary,
  encodeStructured,
  newEvent,
  type Event,
} from '@sluice/event'
import { clientOf, jsonOf, messageOf, namedIn, reach, tokenOf, whyRefused, type Client } from './client.ts'
import { EXIT, exitWith } from './exit.ts'
import type { ClientFlags } from './flags.ts'
import { readInput } from './input.ts'

export interface SendOptions extends ClientFlags {
  type?: string
  source: string
  id?: string
  subject?: string
  ext?: string[]
  data?: string
  contentType?: string
  mode: 'binary' | 'structured'
  event?: string
  ingressTokenFile?: string
}

const WORD = 'sluice send'

/** A request as it goes out. */
interface Message {
  headers: Record<string, string>
  body?: Buffer
  /** What to tell of it. */
  what: string
}

export async function send(broker: string, options: SendOptions): Promise<void> {
  const message = options.event === undefined ? await eventOfFlags(options) : await eventOfFile(options.event)
  const client = clientOf(WORD, options)
  const url = await brokerUrl(broker, client, options.namespace)
  const { status, body } = await reach(ingressOf(client, url, options), 'POST', '', message)
  if (status !== 202) {
    const why = messageOf(body) ?? JSON.stringify(body.slice(0, 200))
    const hint = status === 401 ? ' --ingress-token-file names the file with its token.' : ''
    exitWith(EXIT.failed, `${WORD}: ${url} answered ${status}: ${why}${hint}`)
  }
  process.stdout.write(`accepted by ${url}: ${message.what}\n`)
}

/** The Broker, which has a token of its own: that of the API is not for senders, and is not shown to any other server. */
function ingressOf({ word, ca }: Client, server: string, { ingressTokenFile }: SendOptions): Client {
  const token = tokenOf(word, ingressTokenFile, 'SLUICE_INGRESS_TOKEN')
  return { word, server, ...(ca !== undefined && { ca }), ...(token !== undefined && { token }) }
}

async function eventOfFlags(options: SendOptions): Promise<Message> {
  if (options.type === undefined)
    exitWith(EXIT.usage, `${WORD}: --type is missing, such as --type com.example.order.created`)
  const extensions = (options.ext ?? []).map((pair): [string, string] => {
    const at = pair.indexOf('=')
    if (at < 1) exitWith(EXIT.usage, `${WORD}: --ext "${pair}" has to be name=value`)
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
    if (error instanceof SluiceError) exitWith(EXIT.failed, `${WORD}: ${error.message}`)
    throw error
  }
}

function encoded(event: Event, mode: SendOptions['mode']): Message {
  const what = `id ${event.id}, type ${event.type}, source ${event.source}`
  if (mode === 'structured') {
    return { headers: { 'content-type': STRUCTURED_CONTENT_TYPE }, body: encodeStructured(event), what }
  }
  const flat = encodeBinary(event)
  const headers: Record<string, string> = {}
  for (let i = 0; i < flat.length; i += 2) headers[flat[i]!] = flat[i + 1]!
  return { headers, ...(event.data !== undefined && { body: event.data }), what }
}

/** The file goes out as it is; the broker says what is wrong with it. */
async function eventOfFile(path: string): Promise<Message> {
  const body = await readInput(WORD, path)
  const batch = body.toString('utf8').trimStart().startsWith('[')
  return {
    headers: { 'content-type': batch ? BATCH_CONTENT_TYPE : STRUCTURED_CONTENT_TYPE },
    body,
    what: batch ? `the events of ${path}` : `the event of ${path}`,
  }
}

async function dataOf(data: string): Promise<Buffer> {
  return data.startsWith('@') ? readInput(WORD, data.slice(1)) : Buffer.from(data)
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
async function brokerUrl(broker: string, client: Client, namespace: string): Promise<string> {
  const { server } = client
  if (/^https?:\/\//.test(broker) && URL.canParse(broker)) return broker
  const named = namedIn(broker, namespace)
  if (named === undefined)
    exitWith(EXIT.usage, `${WORD}: "${broker}" names no Broker. Write NAME, NAMESPACE/NAME, or a whole URL.`)
  const { namespace: ns, name } = named
  const path = `/apis/eventing.knative.dev/v1/namespaces/${encodeURIComponent(ns)}/brokers/${encodeURIComponent(name)}`
  const found = await reach(client, 'GET', path)
  const answer: BrokerAnswer | undefined = jsonOf(found.body)
  if (found.status === 404 && answer?.reason === 'NotFound')
    exitWith(EXIT.failed, `${WORD}: there is no Broker ${name} in namespace ${ns} at ${server}.`)
  if (found.status !== 200 || answer === undefined) exitWith(EXIT.failed, `${WORD}: ${whyRefused(server, path, found)}`)
  const url = answer.status?.address?.url
  if (url === undefined) exitWith(EXIT.failed, `${WORD}: Broker ${ns}/${name} has no address yet; it is not ready.`)
  return url
}

/** A Broker, or why not. */
interface BrokerAnswer {
  readonly status?: { readonly address?: { readonly url?: string } }
  readonly reason?: string
}
