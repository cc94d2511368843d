// `sluice apply`, `diff`, `delete`, and `get -w` and `-A`: a running sluice whose resources come through its API.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { binary, broker, channel, subscription, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { folderOf, runSluice, startProgram, startSluice, type Ran, type Sluice } from '../support/sluice.ts'
import { subscriber } from '../support/subscriber.ts'

const NOWHERE = 'http://127.0.0.1:9/'
let sluice: Sluice

beforeAll(async () => {
  sluice = await startSluice({ 'own.yaml': broker('own') })
})

function run(...words: string[]): Promise<Ran> {
  return runSluice(words, { env: { SLUICE_SERVER: sluice.api } })
}

function fileOf(text: string): string {
  return join(folderOf({ 'shop.yaml': text }), 'shop.yaml')
}

test('what is applied runs, is said to be created, unchanged, configured, and is kept', async () => {
  const taker = await subscriber()
  const file = fileOf(broker('shop') + trigger('orders', taker.url, [], 'shop'))
  const dry = await run('apply', '-f', file, '--dry-run')
  expect(dry.stdout).toBe('broker.eventing.knative.dev/shop created (server dry run)\ntrigger.eventing.knative.dev/orders created (server dry run)\n') // prettier-ignore
  expect((await run('get', 'broker', 'shop')).code).toBe(1)

  const first = await run('apply', '-f', file)
  expect([first.code, first.stdout, first.stderr]).toEqual([0, 'broker.eventing.knative.dev/shop created\ntrigger.eventing.knative.dev/orders created\n', '']) // prettier-ignore
  const watching = startProgram(['get', 'trigger', 'orders', '-w'], { env: { SLUICE_SERVER: sluice.api } })
  await watching.stdout.until(/^orders .* True$/m)
  watching.process.kill()
  await watching.exited
  expect((await exchange(`${sluice.ingress}/default/shop`, binary())).status).toBe(202)
  await taker.received(1)

  expect((await run('apply', '-f', file)).stdout).toBe('broker.eventing.knative.dev/shop unchanged\ntrigger.eventing.knative.dev/orders unchanged\n') // prettier-ignore
  expect(await run('diff', '-f', file)).toMatchObject({ code: 0, stdout: '' })

  writeFileSync(file, broker('shop') + trigger('orders', taker.url, ['filter: {attributes: {type: x}}'], 'shop'))
  const diff = await run('diff', '-f', file)
  expect([diff.code, diff.stderr]).toEqual([1, ''])
  expect(diff.stdout).toMatch(/^--- live\/trigger\.eventing\.knative\.dev\/orders\n\+\+\+ \S+shop\.yaml:7\n@@/)
  expect(diff.stdout).toMatch(/^\+ +type: x$/m)
  expect((await run('apply', '-f', file)).stdout).toMatch(/shop unchanged\n.*orders configured\n/)

  const gone = await run('delete', '-f', file)
  expect(gone.stdout).toBe('trigger.eventing.knative.dev "orders" deleted\nbroker.eventing.knative.dev "shop" deleted\n') // prettier-ignore
  expect((await exchange(`${sluice.ingress}/default/shop`, binary())).status).toBe(404)
})

test('-n is the namespace of what names none, in every word', async () => {
  const file = fileOf(channel('ch') + subscription('s', 'ch', NOWHERE))
  expect((await run('apply', '-n', 'team', '-f', file)).code).toBe(0)
  expect((await run('get', 'channels', '-A')).stdout).toMatch(/^NAMESPACE +NAME .*\nteam +ch +LogChannel +http/)
  expect((await run('get', 'channels')).stderr).toBe('No channels found in namespace default.\n')
  expect((await run('delete', 'sub', 's', '-n', 'team')).stdout).toBe(
    'subscription.messaging.knative.dev "s" deleted\n',
  )
  expect((await run('delete', '-n', 'team', '-f', file, '--ignore-not-found')).code).toBe(0)
})

describe('what goes wrong', () => {
  test('a mistake in the files is told as anywhere, and nothing is sent', async () => {
    const ran = await run('apply', '-f', fileOf(broker('half') + trigger('t', NOWHERE, ['filtr: {}'])))
    expect(ran.code).toBe(1)
    expect(ran.stderr).toMatch(
      /shop\.yaml:13:3, Trigger default\/t\n {2}unknown field "spec.filtr". Did you mean filter\?/,
    )
    expect(ran.stderr).toContain('1 error in the files; nothing was sent.')
    expect((await run('get', 'broker', 'half')).code).toBe(1)
  })

  test('what the server refuses is told with its place in the file, and the rest is applied', async () => {
    const file = fileOf(trigger('fixed', NOWHERE, [], 'own'))
    await run('apply', '-f', file)
    writeFileSync(
      file,
      trigger('fixed', NOWHERE, [], 'other') + broker('own', '{delivery: {retry: 2}}') + broker('new'),
    )
    const ran = await run('apply', '-f', file)
    expect([ran.code, ran.stdout]).toEqual([1, 'broker.eventing.knative.dev/new created\n'])
    expect(ran.stderr).toMatch(/shop\.yaml:\d+:\d+, Trigger default\/fixed\n.*Immutable fields changed/)
    expect(ran.stderr).toMatch(/shop\.yaml:\d+:\d+, Broker default\/own\n.*own\.yaml:2/) // it belongs to a file
    expect(ran.stderr).toContain('2 of 3 could not be applied.')
  })

  test('what is not there can’t be deleted, and what a file declares neither', async () => {
    expect(await run('delete', 'trigger', 'nix')).toMatchObject({ code: 1, stderr: expect.stringContaining('not found') as string }) // prettier-ignore
    const own = await run('delete', 'broker/own')
    expect([own.code, own.stderr]).toEqual([1, expect.stringContaining('own.yaml')])
    expect((await run('delete', 'broker')).code).toBe(2)
  })
})

test('get -w shows what is there, then each change; its table grows by a row', async () => {
  const watching = startProgram(['get', 'triggers', '-w', '-n', 'watched'], { env: { SLUICE_SERVER: sluice.api } })
  const file = fileOf(trigger('w', NOWHERE, [], 'none'))
  await run('apply', '-n', 'watched', '-f', file)
  await watching.stdout.until(
    /^NAME +BROKER +SINK +AGE +CONDITIONS +READY +REASON\n(.*\n)*w +none .* False +BrokerDoesNotExist : /m,
  )
  await run('delete', 'trigger', 'w', '-n', 'watched')
  await watching.stdout.until(/^w .* Unknown +Deleted : it is gone$/m)
  watching.process.kill()
  await watching.exited
})

test('files of Knative’s first releases are applied as what they are today, again and again', async () => {
  const file = fileOf(`apiVersion: eventing.knative.dev/v1alpha1
kind: Channel
metadata: {name: old}
spec: {provisioner: {apiVersion: eventing.knative.dev/v1alpha1, kind: ClusterChannelProvisioner, name: in-memory-channel}}
`)
  expect((await run('apply', '-f', file)).stdout).toBe('channel.messaging.knative.dev/old created\n')
  expect((await run('apply', '-f', file)).stdout).toBe('channel.messaging.knative.dev/old unchanged\n')
  expect((await run('diff', '-f', file)).code).toBe(0)
  expect((await run('delete', '-f', file)).stdout).toContain('deleted')
})
