// Where events may be sent, and where never (SECURITY.md threat 1, C1).

import { describe, expect, test } from 'vitest'
import { addressGuard, hostRefusal, target } from '../src/index.ts'

const any = addressGuard('any')
const onlyPublic = addressGuard('public')

/** The address that a URL comes to. */
function hostOf(url: string): string {
  return new URL(target(url).url).hostname.replaceAll(/[[\]]/g, '')
}

describe('a target', () => {
  test('is parsed once: origin, path with its query, no fragment', () => {
    expect(target('http://Example.com:80/a b?c=d#e')).toEqual({
      url: 'http://example.com/a%20b?c=d',
      origin: 'http://example.com',
      path: '/a%20b?c=d',
    })
    expect(target('https://[::1]:8443')).toMatchObject({ origin: 'https://[::1]:8443', path: '/' })
  })

  test.each([
    ['not a url', 'is no URL'],
    ['/events', 'is no URL'],
    ['http://', 'is no URL'],
    ['http:///orders', 'has no host'],
    ['http://127.0.0.1:99999/', 'is no URL'],
    ['ftp://example.com/', 'scheme ftp; only http and https'],
    ['file:///etc/passwd', 'only http and https'],
    ['http://ann:secret@example.com/', 'take them out'],
    ['http://ann@example.com/', 'take them out'],
    ['http://ann:secret@exa mple/', 'is no URL'],
    [`http://example.com/${'x'.repeat(9000)}`, '8192 is the most'],
  ])('threat 1: %.40s is refused, with what is wrong', (url, words) => {
    const refusing = (): unknown => target(url)
    expect(refusing).toThrow(expect.objectContaining({ code: 'SLUICE_TARGET_INVALID', status: 400 }))
    expect(refusing).toThrow(words)
    expect(refusing).not.toThrow('secret')
  })
})

describe('threat 1: every way to write a loopback address (SECURITY.md C1)', () => {
  test.each([
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://①②⑦.0.0.1/',
    'http://127.0.0.1./',
    'http://%31%32%37.0.0.1/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::1]/',
    'http://[0:0:0:0:0:0:0:1]/',
    'http://[64:ff9b::127.0.0.1]/',
    'http://[64:ff9b:1::127.0.0.1]/',
    'http://[2002:7f00:1::]/',
    'http://[::127.0.0.1]/',
    'http://[::ffff:0:127.0.0.1]/',
  ])('%s is refused with --targets=public, and may be meant otherwise', (url) => {
    expect(onlyPublic(hostOf(url))).toMatch(/--targets=public forbids/)
    expect(any(hostOf(url))).toBeUndefined()
  })
})

describe('threat 1: addresses that are never connected to, first and last of each range', () => {
  test.each([
    '169.254.0.0',
    '169.254.169.254',
    '169.254.255.255',
    'fe80::',
    'fe80::1%eth0',
    'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    'fd00:ec2::254',
    'fd20:ce::254',
    'fd00:c1::a9fe:a9fe',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '224.0.0.0',
    '239.255.255.255',
    'ff00::',
    'ff02::1',
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    '0.0.0.0',
    '0.255.255.255',
    '::',
    '255.255.255.255',
    '::ffff:169.254.169.254',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '::169.254.169.254',
    '2001:0:a9fe:a9fe::',
    '2001:0:4136:e378:8000:63bf:5601:5601', // Teredo: the client, inverted, is 169.254.169.254
    'nonsense',
  ])('%s', (address) => {
    expect(any(address)).toBeDefined()
    expect(onlyPublic(address)).toBeDefined()
  })

  test('the numbers 0 and 0.0.0.0 are the unspecified address in a URL too', () => {
    expect(any(hostOf('http://0/'))).toContain('unspecified')
  })
})

describe('threat 1: the host of a URL', () => {
  test.each([
    'http://169.254.169.254/',
    'http://0xA9FEA9FE/',
    'http://[::ffff:169.254.169.254]:80/',
    'http://[fe80::1]/',
  ])('of %s is refused, in whatever way it is written', (url) => {
    expect(hostRefusal(any, new URL(url).hostname)).toContain('Sluice never connects to these')
  })

  test('is no matter while it is a name: what that resolves to is judged at each connect', () => {
    expect(hostRefusal(any, 'metadata.google.internal')).toBeUndefined()
    expect(hostRefusal(onlyPublic, 'localhost')).toBeUndefined()
  })
})

describe('threat 1: special ranges, which --targets=public forbids, first and last of each', () => {
  test.each([
    ['127.0.0.0', '127.255.255.255'],
    ['10.0.0.0', '10.255.255.255'],
    ['172.16.0.0', '172.31.255.255'],
    ['192.168.0.0', '192.168.255.255'],
    ['100.64.0.0', '100.127.255.255'],
    ['192.0.0.0', '192.0.0.255'],
    ['192.0.2.0', '192.0.2.255'],
    ['198.51.100.0', '198.51.100.255'],
    ['203.0.113.0', '203.0.113.255'],
    ['198.18.0.0', '198.19.255.255'],
    ['192.88.99.0', '192.88.99.255'],
    ['240.0.0.0', '255.255.255.254'],
    ['fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['64:ff9b::808:808', '64:ff9b::ffff:fffe'],
    ['64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:a00:1'],
    ['100::', '100::ffff:ffff:ffff:ffff'],
    ['2001::1', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2002:808:808::', '2002:dfff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['5f00::', '5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['::ffff:10.0.0.1', '::ffff:192.168.0.1'],
  ])('%s and %s', (first, last) => {
    expect(onlyPublic(first)).toBeDefined()
    expect(onlyPublic(last)).toBeDefined()
  })

  test.each([
    '126.255.255.255',
    '128.0.0.0',
    '9.255.255.255',
    '11.0.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '1.0.0.0',
    '8.8.8.8',
    '::ffff:8.8.8.8',
    '2606:4700::1111',
    '2001:200::',
    '2003::',
    '2a00:1450:4001:800::200e',
  ])('%s, just outside, passes', (address) => {
    expect(onlyPublic(address)).toBeUndefined()
  })
})
