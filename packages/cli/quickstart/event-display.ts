// A subscriber that prints what it gets, as Knative's event_display does (KNATIVE.md 4.3). With `?reply=TYPE` in its
// address it answers with an event of that type, so that the quickstart shows a chain.

import { isUtf8 } from 'node:buffer'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { decodeHttp, encodeBinary, newEvent, type Event } from '@sluice/event'
import { parseExact } from '../src/exact-json.ts'
import { printableLines } from '../src/table.ts'

/** Listens on 127.0.0.1 and prints each event by `print`. Rejects where the port is taken. */
export async function eventDisplay(port: number, print: (text: string) => void): Promise<Server> {
  const server = createServer((request, response) => {
    void display(request, response, print)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function display(
  request: IncomingMessage,
  response: ServerResponse,
  print: (text: string) => void,
): Promise<void> {
  try {
    const [event] = decodeHttp(request.rawHeaders, await buffer(request))
    print(describe(event as Event))
    const reply = new URL(request.url ?? '/', 'http://display').searchParams.get('reply')
    if (reply === null) response.writeHead(200).end()
    else answer(response, reply, event as Event)
  } catch (error) {
    response.writeHead(400).end(`${(error as Error).message}\n`)
  }
}

function answer(response: ServerResponse, type: string, to: Event): void {
  const contentType = to.text('datacontenttype')
  const reply = newEvent({
    type,
    source: '/event-display',
    extensions: { correlationid: to.id },
    ...(contentType !== undefined && { datacontenttype: contentType }),
    ...(to.data !== undefined && { data: to.data }),
  })
  response.writeHead(200, encodeBinary(reply)).end(reply.data)
}

const CORE = ['specversion', 'type', 'source', 'subject', 'id', 'time', 'dataschema', 'datacontenttype']

/** The event as text: attributes, extensions, data; JSON is indented, its numbers as they came; what is no text is base64. */
export function describe(event: Event): string {
  const lines = ['☁️  cloudevents.Event', 'Context Attributes,']
  for (const name of CORE) {
    const value = event.text(name)
    if (value !== undefined) lines.push(`  ${name}: ${value}`)
  }
  const extensions = [...event.attributes.keys()].filter((name) => !CORE.includes(name)).toSorted()
  if (extensions.length > 0) lines.push('Extensions,')
  for (const name of extensions) lines.push(`  ${name}: ${event.text(name)}`)
  if (event.data !== undefined) lines.push(...dataLines(event, event.data))
  return `${lines.join('\n')}\n`
}

function dataLines(event: Event, data: Buffer): string[] {
  if (!isUtf8(data)) return ['Data (binary),', indent(data.toString('base64'))]
  const text = data.toString('utf8')
  return [
    'Data,',
    indent(event.json() === undefined ? printableLines(text) : JSON.stringify(parseExact(text), null, 2)),
  ]
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}
