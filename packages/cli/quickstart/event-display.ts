// A subscriber that prints what it gets, as Knative's event_display does (KNATIVE.md 4.3). With `?reply=TYPE` in its
// address it answers with an event of that type, so that the quickstart shows a chain.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { decodeHttp, encodeBinary, newEvent, type Event } from '@sluice/event'

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
  const reply = newEvent({
    type,
    source: '/event-display',
    extensions: { correlationid: to.id },
    ...(to.data !== undefined && { datacontenttype: 'application/json', data: to.data }),
  })
  response.writeHead(200, encodeBinary(reply)).end(reply.data)
}

const CORE = ['specversion', 'type', 'source', 'subject', 'id', 'time', 'dataschema', 'datacontenttype']

/** The event as text: attributes, extensions, data; JSON is indented. */
export function describe(event: Event): string {
  const lines = ['☁️  cloudevents.Event', 'Context Attributes,']
  for (const name of CORE) {
    const value = event.text(name)
    if (value !== undefined) lines.push(`  ${name}: ${value}`)
  }
  const extensions = [...event.attributes.keys()].filter((name) => !CORE.includes(name)).toSorted()
  if (extensions.length > 0) lines.push('Extensions,')
  for (const name of extensions) lines.push(`  ${name}: ${event.text(name)}`)
  if (event.data !== undefined) lines.push('Data,', indent(dataText(event)))
  return `${lines.join('\n')}\n`
}

function dataText(event: Event): string {
  const json = event.json()
  return json === undefined ? (event.data as Buffer).toString('utf8') : JSON.stringify(json, null, 2)
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}
