// Getting to the subscriber, or not: the address guard at work, names, ports, TLS.

import type { LookupAddress } from 'node:dns'
import { readFileSync } from 'node:fs'
import { createServer, type LookupFunction } from 'node:net'
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls'
import { manualClock } from '@sluice/clock'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { explain } from '../src/explain.ts'
import { attempt, listen, rawSubscriber, subscriber, testDeliverer, turn } from './subscribers.ts'

/** A lookup that gives these answers, one after the other. */
function answers(...given: LookupAddress[][]): LookupFunction & { asked: string[] } {
  const asked: string[] = []
  const lookup: LookupFunction = (hostname, _options, found) => {
    asked.push(hostname)
    setImmediate(() => found(null, given[Math.min(asked.length, given.length) - 1]!))
  }
  return Object.assign(lookup, { asked })
}

const inTheOldForm: LookupFunction = (_hostname, _options, found) =>
  setImmediate(() => found(null, '169.254.169.254', 4))

const unknown: LookupFunction = (hostname, _options, found) => {
  const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' })
  setImmediate(() => found(error, '', 0))
}

const LOOPBACK = { address: '127.0.0.1', family: 4 }
const METADATA = { address: '169.254.169.254', family: 4 }

function named(url: string): string {
  return url.replace('127.0.0.1', 'subscriber.test')
}

describe('threat 1: a refused address', () => {
  test.each(['http://169.254.169.254/latest/meta-data/', 'http://[fe80::1]/', 'http://0/', 'http://224.0.0.1/'])(
    '%s is dead at once, with words, and is no pressure',
    async (url) => {
      const outcome = await attempt(testDeliverer(), url)
      expect(outcome).toMatchObject({ verdict: 'dead', status: 0, pressure: false })
      expect(outcome.error).toMatch(/is not connected to: .* Sluice never connects to these/)
    },
  )

  test('loopback is allowed unless targets are public, and then there is not even a connection', async () => {
    const { url, connections } = await subscriber()
    const outcome = await attempt(testDeliverer({ targets: 'public' }), url)
    expect(outcome).toMatchObject({ verdict: 'dead', status: 0, pressure: false })
    expect(outcome.error).toContain('--targets=public forbids these')
    expect(connections()).toBe(0)
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'delivered' })
  })

  test('a v4-mapped literal is judged by the address in it', async () => {
    const { url, connections } = await subscriber()
    const mapped = url.replace('127.0.0.1', '[::ffff:127.0.0.1]')
    expect(await attempt(testDeliverer({ targets: 'public' }), mapped)).toMatchObject({ verdict: 'dead' })
    expect(connections()).toBe(0)
  })
})

describe('threat 2: the guard judges what a name resolves to, at each connect', () => {
  test('a name that leads to the metadata address is refused', async () => {
    const lookup = answers([METADATA])
    const outcome = await attempt(testDeliverer({ lookup }), 'http://metadata.google.internal/')
    expect(outcome).toMatchObject({ verdict: 'dead', status: 0, pressure: false })
    expect(outcome.error).toContain('169.254.169.254 is in 169.254.0.0/16 (link-local, cloud metadata)')
  })

  test('of mixed answers, only the permitted ones are connected to', async () => {
    const { url, received } = await subscriber()
    const lookup = answers([METADATA, { address: 'fe80::1', family: 6 }, LOOPBACK])
    expect(await attempt(testDeliverer({ lookup }), named(url))).toMatchObject({ verdict: 'delivered' })
    expect(received).toHaveLength(1)
    expect(lookup.asked).toEqual(['subscriber.test'])
  })

  test('a name that changes its answer is refused from the next connection on', async () => {
    const { url, connections } = await subscriber((response) => response.writeHead(202, { connection: 'close' }).end())
    const lookup = answers([LOOPBACK], [METADATA])
    const sender = testDeliverer({ lookup })
    expect(await attempt(sender, named(url))).toMatchObject({ verdict: 'delivered' })
    expect(await attempt(sender, named(url))).toMatchObject({ verdict: 'dead' })
    expect(connections()).toBe(1)
  })

  test('a public name that turns out to be loopback is refused with public targets', async () => {
    const { url, connections } = await subscriber()
    const sender = testDeliverer({ targets: 'public', lookup: answers([LOOPBACK]) })
    expect(await attempt(sender, named(url))).toMatchObject({ verdict: 'dead' })
    expect(connections()).toBe(0)
  })

  test('the peer of the socket is judged last: a lie before that sends no byte', async () => {
    const { url, connections } = await rawSubscriber(() => {})
    let asked = 0
    const twoFaced = {
      family: 4,
      get address() {
        return asked++ === 0 ? '8.8.8.8' : '127.0.0.1'
      },
    }
    const sender = testDeliverer({ targets: 'public', lookup: answers([twoFaced]) })
    expect(await attempt(sender, named(url))).toMatchObject({ verdict: 'dead', status: 0 })
    await connections[0]?.closed
    expect(connections[0]?.socket.bytesRead).toBe(0)
  })

  test('a lookup that answers with one address in the old form is judged as well', async () => {
    expect(await attempt(testDeliverer({ lookup: inTheOldForm }), 'http://subscriber.test/')).toMatchObject({
      verdict: 'dead',
    })
  })
})

describe('fault 25: no way to the subscriber is tried again, and is pressure', () => {
  const noWay = { verdict: 'retry', status: 0, pressure: true, response: undefined }

  test('nothing listens', async () => {
    const outcome = await attempt(testDeliverer(), await abandonedUrl())
    expect(outcome).toMatchObject(noWay)
    expect(outcome.error).toMatch(/connect ECONNREFUSED 127\.0\.0\.1:\d+: nothing listens there; start the subscriber/)
  })

  test('nothing listens at any address of a name', async () => {
    const lookup = answers([LOOPBACK, { address: '127.0.0.2', family: 4 }])
    const outcome = await attempt(testDeliverer({ lookup }), named(await abandonedUrl()))
    expect(outcome).toMatchObject(noWay)
    expect(outcome.error).toMatch(/127\.0\.0\.1:\d+, connect ECONNREFUSED 127\.0\.0\.2:\d+: nothing listens/)
  })

  test('of three addresses of a name one is left: it is found', async () => {
    const { url, received } = await subscriber()
    const gone = ['127.0.0.3', '127.0.0.2'].map((address) => ({ address, family: 4 }))
    const sender = testDeliverer({ lookup: answers([...gone, LOOPBACK]) })
    expect(await attempt(sender, named(url))).toMatchObject({ verdict: 'delivered' })
    expect(received).toHaveLength(1)
  })

  test('the name does not exist', async () => {
    const outcome = await attempt(testDeliverer({ lookup: unknown }), 'http://subscriber.test/')
    expect(outcome).toMatchObject(noWay)
    expect(outcome.error).toContain('ENOTFOUND subscriber.test: there is no such host')
  })

  test('the DNS hangs: the time to connect is over, and the next attempt works', async () => {
    const { url } = await subscriber()
    let asked = 0
    const lookup: LookupFunction = (_hostname, _options, found) => {
      if (++asked > 1) setImmediate(() => found(null, [LOOPBACK]))
    }
    const sender = testDeliverer({ lookup, connectTimeoutMs: 50 })
    const outcome = await attempt(sender, named(url))
    expect(outcome).toMatchObject(noWay)
    expect(outcome.error).toContain('check address and firewalls')
    expect(await attempt(sender, named(url))).toMatchObject({ verdict: 'delivered' })
  })

  test('a name whose lookup hangs takes one of the threads that all lookups share, however many want to connect', async () => {
    const { url } = await subscriber()
    const clock = manualClock()
    let threads = 4
    const asked: string[] = []
    const waiting: (() => void)[] = []
    const lookup: LookupFunction = (hostname, _options, found) => {
      const run = (): void => {
        if (threads === 0) return void waiting.push(run)
        threads--
        asked.push(hostname)
        if (hostname === 'hanging.test') return
        setImmediate(() => {
          threads++
          found(null, [LOOPBACK])
          waiting.shift()?.()
        })
      }
      run()
    }
    const sender = testDeliverer({ lookup, clock })
    const hanging = Array.from({ length: 200 }, () => attempt(sender, 'http://hanging.test/', { timeoutMs: 60_000 }))
    for (let ms = 0; ms < 200; ms += 5) {
      clock.advance(5)
      await turn()
    }
    expect(await attempt(sender, named(url))).toMatchObject({ verdict: 'delivered' })
    expect(asked).toEqual(['hanging.test', 'subscriber.test'])
    clock.advance(60_000)
    for (const outcome of await Promise.all(hanging)) expect(outcome).toMatchObject(noWay)
  })

  test.each(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL'])(
    '%s, which is no fault of the subscriber: fewer connections are made, and it costs no tries',
    (code) => {
      const error = Object.assign(new Error(`connect ${code} 127.0.0.1:80`), { code })
      const explained = explain(error, 'http://127.0.0.1')
      expect(explained).toMatchObject({ verdict: 'retry', pressure: true })
      expect(explained.words).toMatch(/raise its limit|let it have more/)
    },
  )

  test('https at a port that speaks no TLS', async () => {
    const { url } = await rawSubscriber(({ socket }) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const outcome = await attempt(testDeliverer(), url.replace('http:', 'https:'))
    expect(outcome).toMatchObject(noWay)
    expect(outcome.error).toContain('TLS failed; check its certificate')
  })

  test('does not poison the origin: once the subscriber is there, it is reached', async () => {
    const sender = testDeliverer()
    const url = await abandonedUrl()
    for (let n = 0; n < 3; n++) expect(await attempt(sender, url)).toMatchObject(noWay)
    const server = createServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 202 Accepted\r\nconnection: close\r\n\r\n'))
    })
    await listen(server, Number(new URL(url).port))
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered' })
  })
})

describe('fault 25: TLS', () => {
  const trusted = getCACertificates('default')
  beforeAll(() => setDefaultCACertificates([...trusted, pem('valid'), pem('expired')]))
  afterAll(() => setDefaultCACertificates(trusted))
  const lookup = answers([LOOPBACK])

  test('a certificate of the right name, signed by somebody trusted, is let in', async () => {
    const url = named(await tlsSubscriber('valid'))
    expect(await attempt(testDeliverer({ lookup }), url)).toMatchObject({ verdict: 'delivered', status: 202 })
  })

  test.each([
    ['has expired', 'expired', 'subscriber.test', 'certificate has expired'],
    ['is for another host', 'valid', 'other.test', "does not match certificate's altnames"],
  ])('a certificate that %s is tried again, for it can be mended', async (_, certificate, host, words) => {
    const url = named(await tlsSubscriber(certificate)).replace('subscriber.test', host)
    const outcome = await attempt(testDeliverer({ lookup }), url)
    expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
    expect(outcome.error).toContain(words)
    expect(outcome.error).toContain('TLS failed; check its certificate')
  })

  test('a certificate that nobody vouches for is tried again', async () => {
    setDefaultCACertificates(trusted)
    const outcome = await attempt(testDeliverer({ lookup }), named(await tlsSubscriber('valid')))
    expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
    expect(outcome.error).toMatch(/self-signed certificate.*: TLS failed/)
  })
})

describe('attempts that ended while they waited for a connection', () => {
  test('are not sent when it comes at last, and it serves the next one', async () => {
    const clock = manualClock()
    const { url, received, connections } = await subscriber()
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>()
    const lookup: LookupFunction = (_hostname, _options, found) => void answered.then(() => found(null, [LOOPBACK]))
    const sender = testDeliverer({ clock, lookup })
    const outcome = attempt(sender, named(url), { timeoutMs: 1000 })
    clock.advance(1000)
    expect(await outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
    answer()
    while (connections() === 0) await turn()
    expect(await attempt(sender, named(url))).toMatchObject({ verdict: 'delivered' })
    expect(received).toHaveLength(1)
  })

  test('are not connected for', async () => {
    const clock = manualClock()
    const waiting: Parameters<LookupFunction>[2][] = []
    const lookup: LookupFunction = (_hostname, _options, found) => void waiting.push(found)
    const sender = testDeliverer({ clock, lookup, connectionsPerOrigin: 1 })
    const five = Array.from({ length: 5 }, () => attempt(sender, 'http://subscriber.test/', { timeoutMs: 1000 }))
    clock.advance(1000)
    for (const outcome of await Promise.all(five)) expect(outcome).toMatchObject({ verdict: 'retry' })
    expect(waiting).toHaveLength(1)
    waiting[0]!(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), '', 0)
    for (let turns = 0; turns < 20; turns++) await turn()
    expect(waiting).toHaveLength(1)
  })
})

/** A URL at which something has listened, and no more. */
async function abandonedUrl(): Promise<string> {
  const server = createServer()
  const url = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return url
}

/** Speaks TLS, by a certificate for subscriber.test that has signed itself. */
async function tlsSubscriber(certificate: string): Promise<string> {
  const server = createTlsServer({ key: pem('key'), cert: pem(certificate) }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 202 Accepted\r\nconnection: close\r\n\r\n'))
  })
  server.on('tlsClientError', () => {})
  return (await listen(server)).replace('http:', 'https:')
}

function pem(name: string): string {
  return readFileSync(new URL(`certificates/${name}.pem`, import.meta.url), 'utf8')
}
