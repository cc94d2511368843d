// Who may send, and who may change things: tokens of Brokers, channels and the API (threat 17).

import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { dial, encode, exchange, type HttpAnswer } from '../support/exchange.ts'
import { folderOf, runSluice, startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, subscriber } from '../support/subscriber.ts'

const OLD = 'canary-old-2f9c1d7a'
const NEW = 'canary-new-b81e604c'
const API = 'canary-api-77d0aa15'

function secret(values: Readonly<Record<string, string>>): string {
  return `---\napiVersion: v1\nkind: Secret\nmetadata: {name: senders}\nstringData: ${JSON.stringify(values)}\n`
}

function guarded(kind: 'Broker' | 'InMemoryChannel', name: string): string {
  const group = kind === 'Broker' ? 'eventing' : 'messaging'
  const annotations = '{sluice.dev/ingress-token-secret: senders}'
  return `---\napiVersion: ${group}.knative.dev/v1\nkind: ${kind}\nmetadata: {name: ${name}, annotations: ${annotations}}\n`
}

function send(url: string, authorization?: string, id = '1'): Promise<HttpAnswer> {
  return exchange(
    url,
    binary([['ce-id', id], ...(authorization === undefined ? [] : [['Authorization', authorization] as const])]),
  )
}

/** Asks the API. */
async function api(
  { api: base }: Sluice,
  path: string,
  init: { method?: string; body?: string } = {},
): Promise<Response> {
  const headers = {
    authorization: `Bearer ${API}`,
    ...(init.body !== undefined && { 'content-type': 'application/json' }),
  }
  return fetch(base + path, { ...init, headers })
}

async function accepted(sluice: Sluice): Promise<number> {
  const text = await (await api(sluice, '/metrics')).text()
  return [...text.matchAll(/^sluice_events_accepted_total\{.*\} (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0)
}

const PATH = '/apis/eventing.knative.dev/v1/namespaces/default/brokers'

describe('threat 17: a Broker that asks for a token', () => {
  test.each(['Broker', 'InMemoryChannel'] as const)(
    'a %s takes what comes with one of its tokens, and answers all else 401 with nothing stored',
    async (kind) => {
      const tokens = folderOf({ api: `# of ops\n${API}\n` })
      const yaml = secret({ old: OLD, new: NEW }) + guarded(kind, 'default') + broker('open')
      const sluice = await startSluice({ 'a.yaml': yaml }, ['--token-file', join(tokens, 'api')])
      const url = kind === 'Broker' ? sluice.broker : `${sluice.ingress}/channels/default/default`

      for (const token of [OLD, NEW]) {
        expect((await send(url, `Bearer ${token}`)).status).toBe(202)
        expect((await send(url, `bearer  ${token} `)).status).toBe(202)
        expect((await send(`${url}?access_token=${token}`)).status).toBe(202)
      }
      expect(await accepted(sluice)).toBe(6)
      const wrong = [
        ...['Bearer', 'Bearer ', `Basic ${btoa(`:${OLD}`)}`, OLD, `Bearer ${API}`],
        ...[OLD.slice(0, -1), `${OLD}0`, OLD.toUpperCase(), `${OLD},${NEW}`, 'x'.repeat(60_000)].map(
          (t) => `Bearer ${t}`,
        ),
      ]
      const missing = await send(url)
      expect(missing).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer realm="sluice"' } })
      expect(missing.json()).toMatchObject({ code: 'SLUICE_TOKEN_MISSING' })
      for (const each of wrong) {
        const answer = await send(url, each)
        expect(answer.status, each.slice(0, 40)).toBe(401)
        expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="sluice"/)
        expect(answer.body.toString()).not.toMatch(/canary/)
      }
      expect((await send(`${url}?access_token=${OLD}x`)).status).toBe(401)
      expect((await send(`${url}?access_token=`)).status).toBe(401)
      expect((await send(`${url}?access_token=${OLD}`, 'Bearer x')).status).toBe(401) // the header counts
      expect(await accepted(sluice)).toBe(6)
      expect((await send(`${sluice.ingress}/default/open`)).status).toBe(202)
    },
  )

  test('is answered before a byte of the body is asked for', async () => {
    const sluice = await startSluice({ 'a.yaml': secret({ old: OLD }) + guarded('Broker', 'default') })
    const connection = await dial(sluice.broker)
    const message = binary([['Expect', '100-continue']], Buffer.alloc(100_000))
    connection.write(encode(sluice.broker, message).subarray(0, -100_000))
    await connection.closed
    expect(connection.answers().map(({ status }) => status)).toEqual([401])
  })

  test('changes of tokens count at once: in the file of a value, in the Secret, and where the annotation is added', async () => {
    const folder = folderOf({ token: `${OLD}\n` })
    const yaml = secret({ old: `file:${join(folder, 'token')}` }) + guarded('Broker', 'default')
    const sluice = await startSluice({ 'a.yaml': yaml })
    expect((await send(sluice.broker, `Bearer ${OLD}`)).status).toBe(202)
    writeFileSync(join(folder, 'next'), NEW)
    renameSync(join(folder, 'next'), join(folder, 'token'))
    while ((await send(sluice.broker, `Bearer ${NEW}`)).status !== 202);
    expect((await send(sluice.broker, `Bearer ${OLD}`)).status).toBe(401)

    writeFileSync(join(sluice.folder, 'a.yaml'), secret({ old: OLD }) + guarded('Broker', 'default'))
    while ((await send(sluice.broker, `Bearer ${OLD}`)).status !== 202);
    expect((await send(sluice.broker, `Bearer ${NEW}`)).status).toBe(401)

    writeFileSync(join(sluice.folder, 'a.yaml'), secret({ old: OLD }) + broker())
    while ((await send(sluice.broker)).status !== 202);
    writeFileSync(join(sluice.folder, 'a.yaml'), secret({ old: OLD }) + guarded('Broker', 'default'))
    while ((await send(sluice.broker)).status !== 401);
  })

  test('whose Secret is not there lets nobody in, and says so; one value that can’t be had takes nothing from the others', async () => {
    const sluice = await startSluice({ 'a.yaml': guarded('Broker', 'default') })
    await sluice.stderr.until(/There is no Secret default\/senders/)
    const refused = await send(sluice.broker, 'Bearer ')
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '30' } })
    expect(refused.json().code).toBe('SLUICE_TOKENS_UNAVAILABLE')
    expect(refused.json().message).not.toContain('senders') // its status says that (threat 23)
    const conditions = async (): Promise<string> => await (await fetch(`${sluice.api}${PATH}/default`)).text()
    expect(await conditions()).toContain(
      '"reason":"TokensUnavailable","message":"Nobody can send to it: There is no Secret',
    )

    const values = { gone: 'file:/nowhere/token', 'two-words': 'two words', good: NEW }
    writeFileSync(join(sluice.folder, 'b.yaml'), secret(values))
    while ((await send(sluice.broker, `Bearer ${NEW}`)).status !== 202);
    expect((await send(sluice.broker, 'Bearer two words')).status).toBe(401)
    expect(await conditions()).toMatch(/"type":"Ready","status":"True"/)
    expect(await conditions()).toMatch(/"reason":"TokenUnavailable","message":"Key gone .*Key two-words .* is no token/)
  })
})

describe('threat 17: what strangers reach is open to none of them', () => {
  test('a public ingress with a Broker that asks for no token: 2, with its place and what to do; nothing is started', async () => {
    const folder = folderOf({ 'a.yaml': broker() + secret({ old: OLD }) + guarded('Broker', 'guarded') })
    const words = ['up', folder, '--listen', '0.0.0.0:0', '--api', '127.0.0.1:0']
    const ran = await runSluice(words)
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toMatch(/a\.yaml:2:1, Broker default\/default/)
    expect(ran.stderr).toMatch(/sluice\.dev\/ingress-token-secret.*--allow-anonymous/)
    expect(ran.stderr).toMatch(/\nsluice up: --listen 0\.0\.0\.0:0 can be reached .* no token; nothing was started\./)
    expect(ran.stderr).not.toMatch(/guarded|in the files/)
  })

  test('where the files have mistakes too, it is about those: 1', async () => {
    const folder = folderOf({ 'a.yaml': broker() + trigger('t', 'ftp://nowhere/') })
    const ran = await runSluice(['up', folder, '--listen', '0.0.0.0:0', '--api', '127.0.0.1:0'])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toMatch(/\nsluice up: \d errors? in the files; nothing was started\./)
  })

  test('a public API without tokens: 2, and how to make one', async () => {
    const words = ['up', folderOf({ 'a.yaml': broker() }), '--listen', '127.0.0.1:0', '--api', '0.0.0.0:0']
    const ran = await runSluice(words)
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toMatch(/--token-file FILE.*openssl rand -hex 32/)
  })

  test('a public one with tokens runs, and takes no Broker without one, from files or through the API', async () => {
    const yaml = secret({ old: OLD }) + guarded('Broker', 'default')
    const tokens = folderOf({ api: API })
    const words = ['--listen', '0.0.0.0:0', '--api', '0.0.0.0:0', '--token-file', join(tokens, 'api')]
    const sluice = await startSluice({ 'a.yaml': yaml }, words)
    await sluice.stderr.until(/without TLS, for all on the way to read: see --tls-cert-file/)
    expect((await send(sluice.broker, `Bearer ${OLD}`)).status).toBe(202)
    expect((await send(sluice.broker)).status).toBe(401)

    const body = JSON.stringify({ metadata: { name: 'open' } })
    const refused = await api(sluice, PATH, { method: 'POST', body })
    expect(refused.status).toBeGreaterThanOrEqual(400)
    expect(await refused.text()).toContain('sluice.dev/ingress-token-secret')
    writeFileSync(join(sluice.folder, 'b.yaml'), broker('open'))
    await sluice.stderr.until(/b\.yaml:2:1, Broker default\/open/)
    expect((await send(`${sluice.ingress}/default/open`)).status).toBe(404)
  })

  test('with --allow-anonymous it is as on a loopback address', async () => {
    const words = ['--listen', '0.0.0.0:0', '--api', '0.0.0.0:0', '--allow-anonymous']
    const sluice = await startSluice({ 'a.yaml': broker() }, words)
    expect((await send(sluice.broker)).status).toBe(202)
    expect((await fetch(`${sluice.api}${PATH}`)).status).toBe(200)
  })
})

describe('threat 17: tokens of the API', () => {
  test('all but health asks for one, which may be exchanged while it runs; a broken file changes nothing', async () => {
    const folder = folderOf({ api: `${API}\n` })
    const file = join(folder, 'api')
    const sluice = await startSluice({ 'a.yaml': broker() }, ['--token-file', file])
    const status = async (path: string, token?: string): Promise<number> => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      return (await fetch(sluice.api + path, { headers })).status
    }
    for (const path of [
      '/metrics',
      '/version',
      PATH,
      '/sluice/v1/tail',
      '/openapi/v2',
      '/api/v1/secrets',
      '/nowhere',
      '/',
    ]) {
      expect(await status(path), path).toBe(401)
      expect(await status(path, `${API}0`), path).toBe(401)
    }
    for (const path of ['/healthz', '/livez', '/readyz']) expect(await status(path)).toBe(200)
    expect(await status(PATH, API)).toBe(200)

    writeFileSync(file, `${NEW}\n${API}\n`)
    while ((await status(PATH, NEW)) !== 200);
    expect(await status(PATH, API)).toBe(200)
    writeFileSync(file, '')
    const broken = sluice.stderr.until(/api has no token.* The tokens that it had before hold on/)
    while (!sluice.stderr.soFar().includes('hold on')) expect(await status(PATH, API)).toBe(200)
    await broken
    writeFileSync(file, NEW)
    while ((await status(PATH, API)) !== 401);
    expect(await status(PATH, NEW)).toBe(200)
  })

  test('where the files are broken, readyz says where to those alone who have a token (threat 23)', async () => {
    const folder = folderOf({ api: API })
    const sluice = await startSluice({ 'a.yaml': broker() }, ['--token-file', join(folder, 'api')])
    writeFileSync(join(sluice.folder, 'a.yaml'), 'kind: [')
    await sluice.stderr.until(/what ran before runs on/)
    expect(await (await api(sluice, '/readyz')).text()).toContain('a.yaml')
    for (const base of [sluice.api, sluice.ingress]) {
      expect(await (await fetch(`${base}/readyz`)).text()).toBe('ready\n')
    }
  })

  test('commands send it from a file or the environment, and the Broker’s own to the Broker alone (threat 21)', async () => {
    const taker = await subscriber()
    const folder = folderOf({ api: API, sender: OLD })
    const yaml = secret({ old: OLD }) + guarded('Broker', 'default') + trigger('t', taker.url)
    const sluice = await startSluice({ 'a.yaml': yaml }, ['--token-file', join(folder, 'api')])
    const run = (words: string[], env: NodeJS.ProcessEnv = {}) =>
      runSluice(words, { env: { SLUICE_SERVER: sluice.api, ...env } })

    const refused = await run(['get', 'brokers'])
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/--token-file names the file with it, or SLUICE_TOKEN has it/)
    expect((await run(['get', 'brokers', '--token-file', join(folder, 'api')])).stdout).toContain('default')
    expect((await run(['describe', 'broker', 'default'], { SLUICE_TOKEN: API })).stdout).toContain('default')
    expect((await run(['get', 'brokers', '--token-file', '/nowhere'])).code).toBe(2)

    const words = ['send', '--type', 't', '--id', 'sent']
    const withoutItsOwn = await run(words, { SLUICE_TOKEN: API })
    expect(withoutItsOwn.code).toBe(1)
    expect(withoutItsOwn.stderr).toMatch(/answered 401.*--ingress-token-file names the file/)
    const file = ['--ingress-token-file', join(folder, 'sender')]
    expect((await run([...words, ...file], { SLUICE_TOKEN: API })).code).toBe(0)
    expect(ceHeaders(await taker.next())['id']).toBe('sent')
    expect((await run([...words, sluice.broker], { SLUICE_INGRESS_TOKEN: OLD })).code).toBe(0)
    expect((await run([...words, taker.url], { SLUICE_TOKEN: API })).code).toBe(0) // a server that somebody names
    await taker.received(2)
    expect(JSON.stringify(taker.all)).not.toContain('canary')
  })
})

test('threat 7: no token is in any log, metric, answer or status, however it was sent', async () => {
  const folder = folderOf({ api: API })
  const yaml = secret({ old: OLD }) + guarded('Broker', 'default')
  const sluice = await startSluice({ 'a.yaml': yaml }, ['--token-file', join(folder, 'api'), '--log-level', 'trace'])
  const answers: string[] = []
  for (const [path, authorization] of [
    ['/default/default', `Bearer ${OLD}x`],
    ['/default/default', `Basic ${OLD}`],
    [`/default/default?access_token=${OLD}x`, undefined],
    [`/default/default?access_token=${OLD}`, undefined],
    [`/default/nobody?access_token=${OLD}`, undefined],
    [`/nowhere?access_token=${OLD}`, undefined],
    [`/a/b/c?access_token=${OLD}`, `Bearer ${OLD}`],
  ] as const) {
    const { body, headers } = await send(sluice.ingress + path, authorization)
    answers.push(body.toString(), JSON.stringify(headers))
  }
  for (const path of [
    '/metrics',
    PATH,
    '/api/v1/namespaces/default/secrets',
    '/sluice/v1/events',
    `/x?access_token=${API}`,
  ]) {
    answers.push(await (await api(sluice, path)).text())
    answers.push(await (await fetch(sluice.api + path, { headers: { authorization: `Bearer ${API}x` } })).text())
  }
  await sluice.stderr.until(/requests without a valid token were refused.*requests=1/)
  await sluice.stop()
  expect(answers.join('\n') + sluice.stderr.soFar() + sluice.stdout.soFar()).not.toMatch(/canary/)
})
