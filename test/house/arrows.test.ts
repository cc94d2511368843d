// The arrows of DESIGN "Folders": who may depend on whom. pnpm links strictly, so what stands in no package.json
// can't be imported either; this test holds the package.json files to the picture.

import { readFileSync, readdirSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')

/** All that lies to the right of the server. */
const SERVER = [
  'api',
  'controller',
  'broker',
  'delivery',
  'target',
  'signature',
  'segments',
  'channel',
  'filter',
  'event',
  'clock',
  'resource',
  'source',
] as const
/** For each package, all that lies to its right. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  clock: [],
  event: [],
  filter: ['event'],
  segments: ['event', 'clock'],
  target: ['event'],
  signature: ['event'],
  channel: ['filter', 'event', 'clock'],
  source: ['event', 'clock'],
  delivery: ['target', 'signature', 'event', 'clock'],
  broker: ['delivery', 'target', 'signature', 'segments', 'channel', 'filter', 'event', 'clock'],
  resource: ['filter', 'target', 'source', 'event', 'clock'],
  controller: [
    'broker',
    'delivery',
    'target',
    'signature',
    'segments',
    'channel',
    'filter',
    'event',
    'clock',
    'resource',
    'source',
    'source-*',
    'channel-*',
  ],
  api: ['resource', 'filter', 'target', 'event', 'clock'],
  server: SERVER,
  cli: ['server', ...SERVER],
}
const SOURCE: readonly string[] = ['source', 'signature', 'event', 'clock']
const DRIVER: readonly string[] = ['channel', 'filter', 'event', 'clock', 'segments']

interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
}

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

function ours(folder: string): string[] {
  return Object.keys(manifest(folder).dependencies ?? {})
    .filter((name) => name.startsWith('@sluice/'))
    .map((name) => name.slice('@sluice/'.length))
}

function folders(under: string): string[] {
  const path = join(ROOT, under)
  return existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : []
}

test.each(folders('packages').map((folder) => [manifest(folder).name.slice('@sluice/'.length), folder]))(
  'package %s depends only on what lies to its right',
  (name, folder) => {
    const allowed = ALLOWED[name]
    expect(allowed, `${name} has no place in the picture yet`).toBeDefined()
    const wrong = ours(folder).filter((other) => !allowed?.some((each) => matches(each, other)))
    expect(wrong).toEqual([])
  },
)

test.each(folders('channels'))(
  'the driver in %s depends only on channel, filter, event, clock and segments',
  (folder) => {
    expect(ours(folder).filter((other) => !DRIVER.includes(other))).toEqual([])
  },
)

test.each(folders('sources'))('the source in %s depends only on source, signature, event and clock', (folder) => {
  expect(ours(folder).filter((other) => !SOURCE.includes(other))).toEqual([])
})

test.each([
  ['@sluice/channel-', 'packages/controller/src/drivers.ts'],
  ['@sluice/source-', 'packages/controller/src/sources.ts'],
])('a driver %s… is named in one file only, the controller’s table', (name, table) => {
  const naming = folders('packages')
    .flatMap((folder) => sources(join(folder, 'src')))
    .filter((file) => readFileSync(file, 'utf8').includes(name))
    .map((file) => file.slice(ROOT.length + 1))
  expect(naming).toEqual([table])
})

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file))
}
