// `POST /sluice/v1/webhooks/{namespace}/{name}/test`: an example of a request, signed here with the secret of its source and
// given to it as if its provider had sent it. Who asks sees neither secret nor signature.

import type { FastifyInstance } from 'fastify'
import { unknownSource, type Controller } from '@sluice/controller'
import { SluiceError, type Event } from '@sluice/event'
import type { Fixture } from '@sluice/source'

interface Route {
  Params: { namespace: string; name: string }
  Body: unknown
}

/** Bytes of the example, in base64, with its headers. */
const BODY_BYTES_MAX = 40 * 1024 * 1024

export function mountWebhookTest(routes: FastifyInstance, controller: Controller): void {
  void routes.register((own, _options, done) => {
    const reading = { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX } as const
    own.removeAllContentTypeParsers() // an example may be larger than what others take
    own.addContentTypeParser('application/json', reading, (_request, body, parsed) => parsed(null, body))
    own.post<Route>('/webhooks/:namespace/:name/test', async ({ params, body }) => {
      const { namespace, name } = params
      const source = controller.sources.mounted(namespace, name)
      if (source === undefined) throw unknownSource(namespace, name)
      const { http } = source
      if (http.sign === undefined) throw notSigned(namespace, name)
      const fixture = fixtureOf(body)
      if (fixture.body.length > http.bytesMax) throw tooLarge(http.bytesMax)
      const { status, body: answer = '', stored = [] } = await http.handle(http.sign(fixture))
      return { status, body: answer, events: stored.map(attributesOf), sinkUri: source.sinkUri() }
    })
    done()
  })
}

function fixtureOf(body: unknown): Fixture {
  try {
    const given = JSON.parse(Buffer.isBuffer(body) ? body.toString('utf8') : '') as Record<string, unknown>
    const { body: base64, headers = [], event } = given
    const isText = (each: unknown): each is string => typeof each === 'string'
    if (typeof base64 === 'string' && Array.isArray(headers) && headers.length % 2 === 0 && headers.every(isText)) {
      return { body: Buffer.from(base64, 'base64'), headers, ...(typeof event === 'string' && { event }) }
    }
  } catch {
    // said below
  }
  const form = '{ "body": base64, "headers": [name, value, ...], "event": text }'
  throw new SluiceError('SLUICE_REQUEST_INVALID', `The request has to be JSON: ${form}.`, { status: 400 })
}

function attributesOf(event: Event): object {
  return Object.fromEntries(event.attributes)
}

function notSigned(namespace: string, name: string): SluiceError {
  const what = `Source ${namespace}/${name} takes requests, and knows no example of one.`
  return new SluiceError('SLUICE_WEBHOOK_UNSIGNABLE', what, { status: 422 })
}

function tooLarge(bytesMax: number): SluiceError {
  return new SluiceError('SLUICE_EVENT_TOO_LARGE', `The source takes bodies of ${bytesMax} bytes at most.`, {
    status: 413,
  })
}
