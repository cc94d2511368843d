// What comes through the API runs as what the files say, beside it, and after a restart as before.

import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import { dataDirectory } from '@sluice/controller'
import { formatProblems, identityOf, type Declared, type Resource, type Written } from '@sluice/resource'
import { faultyScene } from './faulty.ts'
import { temporaryFolder } from './folders.ts'
import { broker, condition, conditionOf, ofType, scene, subscriber, trigger, type Scene } from './scene.ts'

const NOWHERE = 'http://127.0.0.1:9/'

async function write({ controller }: Scene, { resource }: Declared): Promise<Written> {
  return controller.writer.write(identityOf(resource), () => resource)
}

async function remove({ controller }: Scene, { resource }: Declared): Promise<Written> {
  return controller.writer.write(identityOf(resource), () => undefined)
}

function processOn(folder: string): Scene & { end: () => Promise<void> } {
  const data = dataDirectory({ path: folder, clock: manualClock() })
  onTestFinished(() => data.close())
  const here = scene({ data, channel: 'log' })
  const end = async (): Promise<void> => {
    await here.controller.close({ deadlineMs: 1000 })
    await data.close()
  }
  return { ...here, end }
}

/** The status that was written by itself: nobody asks for it. */
function stored({ controller }: Scene, name: string): Resource | undefined {
  return controller.store.list({ group: 'eventing.knative.dev', kind: 'Trigger' }).find(({ metadata }) => metadata.name === name) // prettier-ignore
}

describe('a Trigger that comes through the API', () => {
  test('is subscribed, says so by itself, takes events, and stops when it is deleted', async () => {
    const here = scene()
    await here.apply(broker())
    const taker = await subscriber()
    await write(here, trigger('t', taker.url))
    await here.until(() => stored(here, 't')?.status !== undefined)
    expect(condition(stored(here, 't')!, 'Ready')).toBe('True')
    await here.send('a', '1')
    await here.until(() => taker.got.length === 1)
    await remove(here, trigger('t', taker.url))
    expect([...here.controller.broker('default', 'default')!.triggers()]).toEqual([])
    expect(stored(here, 't')).toBeUndefined()
  })

  test('comes before its Broker, and is Ready once that is there (spec 11)', async () => {
    const here = scene()
    await here.apply()
    await write(here, trigger('t', NOWHERE))
    expect(condition(here.trigger('t'), 'Ready')).toBe('False BrokerDoesNotExist')
    await write(here, broker())
    await here.until(() => condition(stored(here, 't')!, 'Ready') === 'True')
    await remove(here, broker())
    await here.until(() => condition(stored(here, 't')!, 'Ready') === 'False BrokerDoesNotExist')
  })

  test('is asked for alone: its channel hears nothing of the others', async () => {
    const here = faultyScene()
    const triggers = Array.from({ length: 20 }, (_, n) => trigger(`t${n}`, NOWHERE, ofType(`type${n}`)))
    await here.apply(broker(), ...triggers)
    const before = here.steps.length
    await write(here, trigger('one', NOWHERE, ofType('a')))
    await write(here, trigger('one', NOWHERE, ofType('b')))
    await here.until(() => here.steps.length >= before + 2)
    expect(here.steps.slice(before).map((step) => step.split(' ')[0])).toEqual(['subscribe', 'update'])
  })

  test('is not what an apply of files removes, and can’t be what a file declares', async () => {
    const here = scene()
    await here.apply(broker())
    await write(here, trigger('t', NOWHERE))
    await here.apply(broker())
    expect(condition(here.trigger('t'), 'Ready')).toBe('True')
    expect(formatProblems(await here.refused(broker(), trigger('t', NOWHERE)))).toMatch(/It belongs to the API already/)
  })
})

test('a status is written by itself when deliveries begin to fail, and when they work again', async () => {
  let attempts = 0
  const here = scene({ observer: { attempted: () => attempts++ } })
  const taker = await subscriber(503)
  await here.apply(broker(), trigger('t', taker.url, { delivery: { retry: 99, backoffDelay: 'PT1S' } }))
  for (const id of ['1', '2', '3']) await here.send('a', id)
  const shown = (): { state?: string; lastFailure?: string } => stored(here, 't')?.status?.['subscriber'] ?? {}
  await here.until(() => attempts === 3)
  here.clock.advance(1000)
  await here.until(() => shown().lastFailure !== undefined)
  expect(shown()).toMatchObject({ state: 'Down', lastFailure: expect.stringMatching(/503/) as string })
  taker.status = 202
  for (let answered = attempts; shown().state === 'Down'; answered = attempts) {
    here.clock.advance(1000) // the next probe, or the status
    await here.until(() => attempts > answered || shown().state !== 'Down')
  }
})

test('a Broker that came through the API keeps its events over a restart, with triggers of files and of the API', async () => {
  const folder = temporaryFolder()
  const paused = { 'sluice.dev/paused': 'true' }
  const before = processOn(folder)
  await before.apply(trigger('file', NOWHERE, {}, paused))
  await write(before, broker())
  await write(before, trigger('api', NOWHERE, {}, paused))
  await before.until(() => condition(before.trigger('file'), 'Ready') === 'True')
  await before.send('a')
  await before.end()

  const after = processOn(folder)
  await after.apply(trigger('file', NOWHERE, {}, paused))
  const waiting = [...after.controller.broker('default', 'default')!.triggers()]
  expect(waiting.map(({ name, status }) => [name.name, status.lag.events])).toEqual([
    ['api', 1],
    ['file', 1],
  ])
  await remove(after, broker())
  await after.until(() => existsSync(join(folder, 'trash')))
})

test('a file of the API that is damaged keeps everything from starting, and nothing is thrown away', async () => {
  const folder = temporaryFolder()
  const before = processOn(folder)
  await before.apply()
  await write(before, broker())
  await before.until(() => before.controller.broker('default', 'default') !== undefined)
  await before.end()
  const [file] = readdirSync(join(folder, 'resources'))
  writeFileSync(join(folder, 'resources', file!), '{')
  const after = processOn(folder)
  expect(formatProblems(await after.refused())).toMatch(
    /^SLUICE_RESOURCE_KEPT .*broker\.default\.default.*Mend it, or remove it/s,
  )
  expect(existsSync(join(folder, 'trash'))).toBe(false)
})

test('what a file and the API both declare at a start is told at the file, and neither runs', async () => {
  const folder = temporaryFolder()
  const before = processOn(folder)
  await before.apply()
  await write(before, broker())
  await before.end()
  const after = processOn(folder)
  expect(await after.refused(broker())).toMatchObject([{ code: 'SLUICE_RESOURCE_OWNED', file: 'test.yaml' }])
  expect(after.controller.store.list()).toEqual([])
})

test('a ConfigMap through the API may not give a running Broker another channel', async () => {
  const here = processOn(temporaryFolder())
  const template = (kind: string): Resource => ({
    ...broker('channel').resource,
    apiVersion: 'v1',
    kind: 'ConfigMap',
    data: { 'channel-template-spec': `apiVersion: messaging.knative.dev/v1\nkind: ${kind}\n` },
  })
  await here.apply(broker('default', { config: { apiVersion: 'v1', kind: 'ConfigMap', name: 'channel' } }))
  await write(here, { resource: template('InMemoryChannel') })
  await here.until(() => condition(here.broker(), 'Ready') === 'True')
  expect(conditionOf(here.broker(), 'Ready').message).toBeUndefined()
  const log = template('x')
  const data = { 'channel-template-spec': 'apiVersion: messaging.sluice.dev/v1alpha1\nkind: LogChannel\n' }
  const { problems } = await write(here, { resource: { ...log, data } })
  expect(problems?.map(({ code }) => code)).toEqual(['SLUICE_RESOURCE_IMMUTABLE'])
})
