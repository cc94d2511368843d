// No secret in any output (threats 5, 7, 17, 21, 23): a run in which every sort of secret is used, refused, missing and
// written back by hostile receivers; then everything that came out is searched for them.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { sign } from '@octokit/webhooks-methods'
import { expect, test } from 'vitest'
import { authority } from '../support/certificates.ts'
import { binary } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { runSluice, startSluice, type Sluice } from '../support/sluice.ts'
import { subscriber, type Answer, type Received } from '../support/subscriber.ts'

const clients = authority('Clients')
const me = clients.issue('sluice')

/** Each is in use somewhere below. */
const CANARIES = {
  bearer: 'canary-bearer-31c07e',
  password: 'canary-password-8a3b',
  header: 'canary-header-55d2c1',
  oauthSecret: 'canary-oauth-secret-9e41',
  oauthToken: 'canary-oauth-token-77ab',
  hmac: Buffer.from('canary-hmac-of-thirty-two-bytes!').toString('base64'),
  malformed: 'canary-malformed-0f0f',
  ingress: 'canary-ingress-c4c4',
  webhook: 'canary-webhook-d1d1',
  api: 'canary-api-e2e2',
  unused: 'canary-unused-a9a9',
  ofEnvironment: 'canary-environment-b8b8',
  key: me.key.split('\n')[1]!,
}

function resource(apiVersion: string, kind: string, name: string, rest: object): string {
  const { annotations, ...more } = rest as { annotations?: object }
  const metadata = { name, ...(annotations !== undefined && { annotations }) }
  return `---\n${JSON.stringify({ apiVersion, kind, metadata, ...more })}\n`
}

function secret(name: string, type: string, stringData: Readonly<Record<string, string>>): string {
  return resource('v1', 'Secret', name, { type, stringData })
}

function trigger(name: string, uri: string, credentials: string, more: object = {}, spec: object = {}): string {
  const annotations = { 'sluice.dev/credentials-secret': credentials, ...more }
  const delivery = { retry: 1, backoffDelay: 'PT0.01S', format: 'json' }
  const all = { broker: 'default', subscriber: { uri }, delivery, ...spec }
  return resource('eventing.knative.dev/v1', 'Trigger', name, { annotations, spec: all })
}

/** Writes back all that it was shown, in every place where something of an answer is kept. */
function echo({ rawHeaders, path, body }: Received, n: number): Answer {
  const seen = JSON.stringify({ rawHeaders, path, body: body.toString() })
  const headers = ['Location', `http://127.0.0.1:9/${encodeURI(rawHeaders.join())}`, 'X-Seen', encodeURI(seen)]
  return { status: [500, 401, 302, 400][n % 4]!, headers, body: seen }
}

test('nothing that comes out of a run shows a secret that it was given', async () => {
  const hostile = await subscriber(echo)
  const sink = await subscriber()
  const idp = await subscriber((request, n) =>
    n % 2 === 0
      ? echo(request, n)
      : { status: 200, body: JSON.stringify({ access_token: CANARIES.oauthToken, expires_in: 1 }) },
  )
  const refused = authority('Other').issue('subscriber')
  const tls = await subscriber(() => 202, { tls: { key: refused.key, cert: refused.certificate } })
  const hub = { annotations: { 'sluice.dev/ingress-token-secret': 'senders' }, spec: {} }
  const yaml = [
    resource('eventing.knative.dev/v1', 'Broker', 'default', hub),
    trigger('bearer', hostile.url, 'bearer', { 'sluice.dev/signing-secret': 'signing' }),
    trigger('basic', hostile.url, 'basic'),
    trigger('header', hostile.url, 'header', {}, { delivery: { retry: 0, deadLetterSink: { uri: sink.url } } }),
    trigger('oauth', hostile.url, 'oauth'),
    trigger('environment', hostile.url, 'environment', { 'sluice.dev/webhook-handshake': 'prefer' }),
    trigger('certificate', tls.url, 'certificate'),
    trigger('malformed', hostile.url, 'malformed', { 'sluice.dev/signing-secret': 'malformed-signing' }),
    trigger('clash', hostile.url, 'bearer, basic'),
    trigger('untyped', hostile.url, 'signing'),
    secret('bearer', 'sluice.dev/bearer', { token: CANARIES.bearer }),
    secret('basic', 'kubernetes.io/basic-auth', { username: 'sluice', password: CANARIES.password }),
    secret('header', 'sluice.dev/header', { name: 'X-Api-Key', value: CANARIES.header }),
    secret('oauth', 'sluice.dev/oauth2', {
      ...{ tokenUrl: `${idp.url}token`, clientId: 'me', clientSecret: CANARIES.oauthSecret },
    }),
    secret('environment', 'sluice.dev/bearer', { token: 'env:CANARY' }),
    secret('certificate', 'kubernetes.io/tls', { 'tls.crt': me.certificate, 'tls.key': me.key }),
    secret('malformed', 'sluice.dev/bearer', { token: `${CANARIES.malformed}\nX-Evil: 1` }),
    secret('malformed-signing', 'Opaque', { now: `whsec_${CANARIES.malformed}` }),
    secret('signing', 'Opaque', { now: `whsec_${CANARIES.hmac}` }),
    secret('senders', 'Opaque', { token: CANARIES.ingress }),
    secret('github', 'Opaque', { secret: CANARIES.webhook }),
    secret('unused', 'Opaque', { of: CANARIES.unused }),
    resource('sources.sluice.dev/v1alpha1', 'WebhookSource', 'github', {
      spec: {
        preset: 'github',
        secretRefs: [{ name: 'github', key: 'secret' }],
        sink: { ref: { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name: 'default' } },
      },
    }),
  ].join('')
  const sluice = await startSluice({ 'sluice.yaml': yaml, token: '' }, ['--log-level', 'debug'], {
    env: { CANARY: CANARIES.ofEnvironment },
  })
  await send(sluice, `Bearer ${CANARIES.ingress}`)
  await send(sluice, `Bearer ${CANARIES.api}`) // another one's
  await webhook(sluice)
  await untilBoxed(sluice, ['bearer', 'basic', 'oauth'])
  await sink.received(1)

  const outputs = new Map<string, string>()
  const shown = [...(await apiOutputs(sluice)), ...(await commandOutputs(sluice, yaml))]
  for (const [what, text] of shown) outputs.set(what, text)
  outputs.set(
    'dead letters at their sink',
    sink.all.map((each) => each.rawHeaders.join() + each.body.toString()).join(),
  )
  await sluice.stop()
  outputs.set('standard output', sluice.stdout.soFar())
  outputs.set('the log', sluice.stderr.soFar())
  for (const [path, text] of filesOf(sluice)) outputs.set(path, text)

  // The run was what it is meant to be, or nothing is proved: failures are kept, with what was written back.
  expect(outputs.get('/sluice/v1/dead-letters')).toContain('(hidden)')
  expect(outputs.get('/metrics')).toContain('sluice_deliveries_total')
  const found: string[] = []
  for (const [what, text] of outputs) {
    for (const [name, canary] of Object.entries(CANARIES)) {
      const forms = [canary, Buffer.from(canary).toString('base64').replace(/=+$/, ''), encodeURIComponent(canary)]
      if (forms.some((form) => text.includes(form))) found.push(`${name} in ${what}`)
    }
  }
  expect(found).toEqual([])
}, 120_000)

async function send({ broker: url }: Sluice, authorization: string): Promise<void> {
  await exchange(url, binary([['Authorization', authorization]], '{}'))
}

/** One that is signed, one by nobody. */
async function webhook({ ingress }: Sluice): Promise<void> {
  const body = JSON.stringify({ zen: 'Keep it logically awesome.', repository: { url: 'https://x/y' } })
  for (const signature of [await sign(CANARIES.webhook, body), `sha256=${CANARIES.webhook}`]) {
    await fetch(`${ingress}/webhooks/default/github`, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', 'x-github-event': 'push' },
        ...{ 'x-github-delivery': signature.slice(0, 20), 'x-hub-signature-256': signature },
      },
      body,
    })
  }
}

async function untilBoxed({ api }: Sluice, triggers: readonly string[]): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${api}/sluice/v1/dead-letters`)).text()
    if (triggers.every((name) => text.includes(`"trigger":"${name}"`))) return
  }
}

async function apiOutputs({ api }: Sluice): Promise<[string, string][]> {
  const namespace = 'namespaces/default'
  const paths = [
    ...['/metrics', '/healthz', '/readyz', '/openapi/v2', '/openapi/v3', '/version', '/api/v1/secrets'],
    `/api/v1/${namespace}/secrets`,
    `/api/v1/${namespace}/secrets/bearer`,
    `/apis/eventing.knative.dev/v1/${namespace}/brokers`,
    `/apis/eventing.knative.dev/v1/${namespace}/triggers`,
    `/apis/sources.sluice.dev/v1alpha1/${namespace}/webhooksources`,
    '/sluice/v1/dead-letters',
    '/sluice/v1/events',
    '/sluice/v1/triggers/default/bearer',
    '/sluice/v1/brokers/default/default',
  ]
  return await Promise.all(
    paths.map(async (path): Promise<[string, string]> => [path, await (await fetch(api + path)).text()]),
  )
}

async function commandOutputs({ api, folder }: Sluice, yaml: string): Promise<[string, string][]> {
  const server = ['--server', api]
  const broken = yaml.replaceAll('"stringData":{', '"stringDta":{').replace('"retry":1', '"retry":"x"')
  const commands: [string[], string?][] = [
    [['get', 'secrets', '-o', 'yaml', ...server]],
    [['get', 'triggers', '-o', 'json', ...server]],
    ...['bearer', 'oauth', 'certificate', 'malformed', 'clash', 'untyped'].map((name): [string[]] => [
      ['describe', 'trigger', name, ...server],
    ]),
    [['describe', 'secret', 'bearer', ...server]],
    [['describe', 'webhooksource', 'github', ...server]],
    [['dead-letters', 'list', '-o', 'json', ...server]],
    [['dead-letters', 'show', '1', ...server]],
    [['validate', folder]],
    [['validate', '-'], broken],
    [['diff', '-f', '-', ...server], broken],
    [['apply', '-f', '-', ...server], broken],
    [['apply', '-f', '-', ...server], yaml],
  ]
  const outputs: [string, string][] = []
  for (const [words, input] of commands) {
    const { stdout, stderr } = await runSluice(words, input === undefined ? {} : { input })
    outputs.push([`sluice ${words.join(' ')}`, stdout + stderr])
  }
  return outputs
}

/** Everything that the process has written to its disk. What stands in the YAML of somebody is not among it. */
function filesOf({ stdout }: Sluice): [string, string][] {
  const data = /data=(\S+)/.exec(stdout.soFar())![1]!
  return readdirSync(data, { recursive: true, encoding: 'utf8' })
    .map((path) => join(data, path))
    .filter((path) => statSync(path).isFile())
    .map((path) => [path, readFileSync(path, 'latin1')])
}
