// Addresses as people write them, and paths as senders do.

import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { isLoopback, parseAddress } from '@sluice/server'
import { eventPath } from '../src/ingress.ts'
import { isLocalName } from '../src/local-names.ts'
import { toOriginForm } from '../src/request-target.ts'

test.each([
  ['127.0.0.1:8080', '127.0.0.1', 8080],
  ['localhost:0', 'localhost', 0],
  ['[::1]:65535', '::1', 65_535],
  [':8080', '0.0.0.0', 8080],
  ['sluice.internal:80', 'sluice.internal', 80],
])('%s is an address', (text, host, port) => {
  expect(parseAddress(text)).toEqual({ host, port })
})

test.each([
  '',
  '8080',
  '127.0.0.1',
  '127.0.0.1:',
  '127.0.0.1:65536',
  '::1:80',
  '[::1]',
  'a b:1',
  'http://127.0.0.1:80',
])('%j is none, and the error says how to write one', (text) => {
  expect(() => parseAddress(text)).toThrow(
    expect.objectContaining({
      code: 'SLUICE_ADDRESS_INVALID',
      message: expect.stringContaining('127.0.0.1:8080') as string,
    }) as Error,
  )
})

test.each([
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.0.0.1.example.com', false],
  ['localhost.example.com', false],
  ['::ffff:127.0.0.1', false],
])('only this machine reaches %s: %s', (host, local) => {
  expect(isLoopback({ host, port: 1 })).toBe(local)
})

test.each([
  ['/default/default', 'default', 'default'],
  ['/a/b/', 'a', 'b'],
  ['/a/b?x=/y/z', 'a', 'b'],
  ['/a/b/?x', 'a', 'b'],
  ['/a/%62', 'a', '%62'],
])('%s is the path of a broker', (url, namespace, name) => {
  expect(eventPath(url, 'localhost')).toEqual({ kind: 'Broker', namespace, name })
})

test.each([
  ['/channels/a/b', 'localhost'],
  ['/channels/a/b/?x', undefined],
  ['/', 'b-kn-channel.a.svc.cluster.local'],
  ['/?x', 'b-kn-channel.a.svc:8080'],
  ['/', 'b-kn-channel.a'],
])('%s of host %s is the path of a channel', (url, host) => {
  expect(eventPath(url, host)).toEqual({ kind: 'Channel', namespace: 'a', name: 'b' })
})

test.each(['localhost', 'b.a.svc.cluster.local', '-kn-channel.a', 'b-kn-channel', 'b-kn-channelx.a', undefined])(
  '/ of host %s is none',
  (host) => {
    expect(eventPath('/', host)).toBeUndefined()
  },
)

test.each([
  '/',
  '',
  '//',
  '//b',
  '/a',
  '/a/',
  '/a//',
  '/a/b/c',
  '/a/b//',
  '/a?/b',
  '/channels/a',
  '/channels//b',
  '/channels/a/b/c',
  '/webhooks/a',
  '*',
])('%j is none', (url) => {
  expect(eventPath(url, 'localhost')).toBeUndefined()
})

test.each([
  ['http://b.example/a/b', '/a/b', 'b.example'],
  ['HTTPS://b.example:8443/a/b/?x=http://y/z', '/a/b/?x=http://y/z', 'b.example:8443'],
  ['http://[::1]:8080', '/', '[::1]:8080'],
  ['http://b.example?x', '/?x', 'b.example'],
])('spec 115: %s is %s at host %s (RFC 9112, 3.2.2)', (url, path, host) => {
  const request = { url, headers: { host: 'other' } } as IncomingMessage
  toOriginForm(request)
  expect(request).toEqual({ url: path, headers: { host } })
})

test.each(['*', 'http://', 'http:///a/b', 'http://user@b.example/a/b', 'ftp://b.example/a/b'])(
  '%s is no absolute form, and stays as it is',
  (url) => {
    const request = { url, headers: { host: 'other' } } as IncomingMessage
    toOriginForm(request)
    expect(request).toEqual({ url, headers: { host: 'other' } })
  },
)

test.each([
  ['127.0.0.1:8081', true],
  ['localhost', true],
  ['LOCALHOST:1', true],
  ['api.localhost:8081', true],
  ['[::1]:8081', true],
  ['192.168.1.1:8081', true], // an address can't be rebound
  ['evil.example:8081', false],
  ['localhost.evil.example', false],
  ['127.0.0.1.evil.example', false],
  ['evil.example:8081@localhost', false],
  ['', false],
])('threat 19: a page can have no name such as %s: %s', (host, local) => {
  expect(isLocalName(host)).toBe(local)
})
