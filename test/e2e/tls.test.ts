// TLS on the listeners (threat 20): who trusts them gets in, and certificates are exchanged under load.

import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { broker } from '../support/events.ts'
import { authority, type Issued } from '../support/certificates.ts'
import { HAS_KUBECTL, kubectl } from '../support/kubectl.ts'
import { readResource } from '../support/ops.ts'
import { folderOf, runSluice, startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, subscriber } from '../support/subscriber.ts'

const CA = authority()
const TOKEN = 'canary-token-0a44'

interface Secured {
  readonly sluice: Sluice
  /** Of the files of its certificates. */
  readonly folder: string
  readonly ca: string
  put(issued: Partial<Issued>): void
}

async function secured(): Promise<Secured> {
  const { certificate, key } = CA.issue('first')
  const folder = folderOf({ 'tls.crt': certificate, 'tls.key': key, ca: CA.certificate, token: TOKEN })
  const flags = ['', 'api-'].flatMap((which) => [
    ...[`--${which}tls-cert-file`, join(folder, 'tls.crt')],
    ...[`--${which}tls-key-file`, join(folder, 'tls.key')],
  ])
  const words = [...flags, '--token-file', join(folder, 'token')]
  const sluice = await startSluice({ 'a.yaml': broker() }, words)
  const put = (issued: Partial<Issued>): void => {
    for (const [name, text] of [['tls.crt', issued.certificate] as const, ['tls.key', issued.key] as const]) {
      if (text === undefined) continue
      writeFileSync(join(folder, `${name}.new`), text)
      renameSync(join(folder, `${name}.new`), join(folder, name))
    }
  }
  return { sluice, folder, ca: join(folder, 'ca'), put }
}

/** Ingress and API each read it, and each say so. */
const TWICE =
  /The certificate of \S+tls\.crt is another, and holds[^]*The certificate of \S+tls\.crt is another, and holds/

/** A connection, and the name in the certificate that it was secured by. */
async function handshake(url: string, options: object = {}): Promise<{ socket: TLSSocket; name: string }> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), ca: CA.certificate, ...options })
  await once(socket, 'secureConnect')
  return { socket, name: String(socket.getPeerCertificate().subject.CN) }
}

async function nameOf(url: string): Promise<string> {
  const { socket, name } = await handshake(url)
  socket.destroy()
  return name
}

async function send(url: string, agent: Agent): Promise<{ status: number; socket: unknown }> {
  const headers = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' }
  const sent = request(url, { method: 'POST', headers, agent }).end()
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
  const { socket } = response
  response.resume()
  await once(response, 'end')
  return { status: response.statusCode ?? 0, socket }
}

describe('threat 20: listeners that speak TLS', () => {
  test('say so in the ready line and in addresses, take who trusts their certificate, and nothing below 1.2', async () => {
    const { sluice, ca, folder } = await secured()
    expect(sluice.ingress).toMatch(/^https:\/\/127\.0\.0\.1:/)
    expect(sluice.api).toMatch(/^https:\/\/127\.0\.0\.1:/)
    for (const url of [sluice.ingress, sluice.api]) {
      for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const { socket } = await handshake(url, { minVersion: version, maxVersion: version })
        expect(socket.getProtocol()).toBe(version)
        socket.destroy()
      }
      const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
      await expect(handshake(url, old)).rejects.toThrow(/protocol version/)
      await expect(handshake(url, { ca: authority('Stranger').certificate })).rejects.toThrow(/certificate/)
      await expect(fetch(url.replace('https', 'http'))).rejects.toThrow()
    }
    const flags = ['--server', sluice.api, '--ca-file', ca, '--token-file', join(folder, 'token')]
    const got = await runSluice(['get', 'brokers', '-o', 'json', ...flags])
    expect(got.stdout).toContain(`"url": "${sluice.broker}"`)
    expect((await runSluice(['send', '--type', 't', ...flags])).stdout).toContain(`accepted by ${sluice.broker}`)

    const run = (words: string[]) => runSluice(['get', 'brokers', '--token-file', join(folder, 'token'), ...words])
    const untrusted = await run(['--server', sluice.api])
    expect(untrusted).toMatchObject({ code: 3, stdout: '' })
    expect(untrusted.stderr).toMatch(/certificate is not trusted: --ca-file/)
    expect((await run(['--server', sluice.api, '--ca-file', join(folder, 'token')])).code).toBe(2)
    expect((await run(['--server', sluice.api.replace('https', 'http')])).stderr).toMatch(/begins with https/)
  })

  test.runIf(HAS_KUBECTL)(
    'kubectl gets in by --certificate-authority and --token, and by neither alone (needs kubectl)',
    async () => {
      const { sluice, ca } = await secured()
      const run = kubectl(sluice.api)
      const trusting = ['--certificate-authority', ca]
      expect((await run([...trusting, '--token', TOKEN, 'get', 'brokers'])).stdout).toContain(sluice.broker)
      const wrong = await run([...trusting, '--token', `${TOKEN}x`, 'get', 'brokers'])
      expect(wrong.code).toBe(1)
      expect(wrong.stderr).toMatch(/You must be logged in to the server/)
      expect((await run(['--token', TOKEN, 'get', 'brokers'])).stderr).toMatch(
        /certificate signed by unknown authority/,
      )
    },
  )

  test('a certificate that takes the place of another holds for new connections; who is connected stays so, and no event is refused', async () => {
    const { sluice, put } = await secured()
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: CA.certificate })
    const before = await send(sluice.broker, agent)
    let isOver = false
    const statuses = new Set<number>()
    const sockets = new Set<unknown>([before.socket])
    const load = (async () => {
      while (!isOver) {
        const { status, socket } = await send(sluice.broker, agent)
        statuses.add(status)
        sockets.add(socket)
      }
    })()
    expect(await nameOf(sluice.ingress)).toBe('first')
    put(CA.issue('second'))
    sluice.process.kill('SIGHUP')
    await sluice.stderr.until(TWICE)
    for (const url of [sluice.ingress, sluice.api]) expect(await nameOf(url)).toBe('second')
    isOver = true
    await load
    agent.destroy()
    expect([...statuses]).toEqual([202])
    expect(sockets.size).toBe(1)
  })

  test('files that are exchanged are seen without a signal', async () => {
    const { sluice, put } = await secured()
    put(CA.issue('unasked'))
    await sluice.stderr.until(TWICE)
    expect(await nameOf(sluice.ingress)).toBe('unasked')
  })

  const other = CA.issue('other')
  test.each<[what: string, broken: Partial<Issued>, told: RegExp]>([
    ['of another key', { certificate: other.certificate }, /the key of \S+ is not that of/],
    ['that is none', { certificate: 'hello' }, /holds no certificate in PEM/],
    ['cut short', { certificate: other.certificate.slice(0, 300) }, /holds no certificate in PEM/],
    ['that has expired', CA.issue('late', { days: { from: -9, until: -2 } }), /has expired/],
    ['with a key that is none', { key: 'hello' }, /holds no private key in PEM/],
    [
      'with an encrypted key',
      { key: '-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END' },
      /store it without a passphrase/,
    ],
  ])('one %s changes nothing, is told, and is mended by the next', async (_what, broken, told) => {
    const { sluice, put } = await secured()
    put(broken)
    sluice.process.kill('SIGHUP')
    await sluice.stderr.until(told)
    await sluice.stderr.until(/The one that was there before holds on/)
    expect(await nameOf(sluice.ingress)).toBe('first')
    put(CA.issue('mended'))
    sluice.process.kill('SIGHUP')
    await sluice.stderr.until(TWICE)
    expect(await nameOf(sluice.ingress)).toBe('mended')
    expect(sluice.stderr.soFar()).not.toContain('PRIVATE KEY')
  })

  test.each<[string, Partial<Issued>, RegExp]>([
    ['of another key', { certificate: other.certificate }, /the key of \S+ is not that of/],
    ['that is none', { certificate: '' }, /holds no certificate in PEM/],
  ])('a start with one %s is none: 1, and why', async (_what, broken, told) => {
    const { certificate, key } = { ...CA.issue('first'), ...broken }
    const folder = folderOf({ 'a.yaml': broker(), crt: certificate, key })
    const files = ['--tls-cert-file', join(folder, 'crt'), '--tls-key-file', join(folder, 'key')]
    const ran = await runSluice([
      'up',
      join(folder, 'a.yaml'),
      '--listen',
      '127.0.0.1:0',
      '--api',
      '127.0.0.1:0',
      ...files,
    ])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toMatch(told)
  })

  test('one that is not for the address of Brokers is told of, with the flag that names another', async () => {
    const { certificate, key } = CA.issue('elsewhere', { hosts: ['events.example.com'] })
    const folder = folderOf({ crt: certificate, key })
    const files = ['--tls-cert-file', join(folder, 'crt'), '--tls-key-file', join(folder, 'key')]
    const sluice = await startSluice({ 'a.yaml': broker() }, files)
    await sluice.stderr.until(/not for 127\.0\.0\.1, .*--public-url names another \(DNS:events\.example\.com\)/)
    const named = await startSluice({ 'a.yaml': broker() }, [...files, '--public-url', 'https://events.example.com'])
    await named.stderr.until(/Ctrl-C stops/)
    expect(named.stderr.soFar()).not.toContain('is not for')
  })
})

test('from Broker to Broker to channel, events go by TLS, trust what the addresses say, and show the tokens that are asked for', async () => {
  const first = chainOf('first')
  const folder = folderOf({ 'tls.crt': first.certificate, 'tls.key': first.key })
  const taker = await subscriber()
  const sluice = await startSluice({ 'a.yaml': chain(taker.url) }, [
    ...['--tls-cert-file', join(folder, 'tls.crt')],
    ...['--tls-key-file', join(folder, 'tls.key')],
  ])
  const send = async (id: string, token: string, ca: string): Promise<number> => {
    const agent = new Agent({ ca })
    const headers = {
      'ce-specversion': '1.0',
      'ce-id': id,
      'ce-source': '/s',
      'ce-type': 't',
      authorization: `Bearer ${token}`,
    }
    const sent = request(sluice.broker, { method: 'POST', headers, agent }).end()
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
    response.resume()
    agent.destroy()
    return response.statusCode ?? 0
  }
  expect(await send('1', 'canary-a', first.certificate)).toBe(202)
  expect(ceHeaders(await taker.next())['id']).toBe('1')

  const second = chainOf('second')
  for (const [name, text] of [
    ['tls.crt', second.certificate],
    ['tls.key', second.key],
  ] as const) {
    writeFileSync(join(folder, name), text)
  }
  sluice.process.kill('SIGHUP')
  await sluice.stderr.until(/is another, and holds/)
  expect(await send('2', 'canary-a', second.certificate)).toBe(202)
  const taken = await taker.next()
  expect(ceHeaders(taken)['id']).toBe('2')
  expect(JSON.stringify(taken)).not.toContain('canary') // who is behind gets no token of ours
  const status = JSON.stringify(await readResource(sluice.api, 'brokers', 'default'))
  expect(status).toContain(`"CACerts":${JSON.stringify(second.root)}`)
})

/** A certificate with its authority behind it. */
function chainOf(name: string): Issued & { readonly root: string } {
  const itself = authority(`${name} CA`)
  const { certificate, key } = itself.issue(name)
  return { certificate: certificate + itself.certificate, key, root: itself.certificate }
}

/** Broker default sends to Broker second, whose dead letters go to a channel, and that to `url`; each asks for a token of its own. */
function chain(url: string): string {
  const secret = (name: string): string =>
    `---\napiVersion: v1\nkind: Secret\nmetadata: {name: ${name}}\nstringData: {token: canary-${name}}\n`
  const asking = (secretName: string): string => `annotations: {sluice.dev/ingress-token-secret: ${secretName}}`
  return `${secret('a')}${secret('b')}${secret('c')}---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, ${asking('a')}}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: second, ${asking('b')}}
---
apiVersion: messaging.knative.dev/v1
kind: InMemoryChannel
metadata: {name: dead, ${asking('c')}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: on}
spec: {broker: default, subscriber: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: second}}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: fails}
spec:
  broker: second
  subscriber: {uri: 'http://127.0.0.1:9/'}
  delivery: {retry: 0, deadLetterSink: {ref: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel, name: dead}}}
---
apiVersion: messaging.knative.dev/v1
kind: Subscription
metadata: {name: end}
spec:
  channel: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel, name: dead}
  subscriber: {uri: '${url}'}
`
}
