// The yardstick of G6's second half, run as `node json-relay.ts UPSTREAM`: structured events in, binary events out, the
// way most programs do it: JSON.parse of the whole event, JSON.stringify of its data.

import { relay } from './relay.ts'

await relay(process.argv[2]!, (_, body) => {
  const event: Record<string, unknown> = JSON.parse(body.toString())
  const { data, ...attributes } = event
  const headers: string[] = []
  for (const [name, value] of Object.entries(attributes)) {
    headers.push(name === 'datacontenttype' ? 'content-type' : `ce-${name}`, String(value))
  }
  return { headers, body: Buffer.from(JSON.stringify(data)) }
})
