// Operations on triggers: a disk that fails, notes that can't be read, and what comes between them and an apply.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '@sluice/clock'
import { dataDirectory, type DataDirectory } from '@sluice/controller'
import { resourceUid } from '@sluice/resource'
import { temporaryFolder } from './folders.ts'
import { broker, scene, subscriber, trigger } from './scene.ts'

const TAKER = { namespace: 'default', name: 'taker' }
const UID = resourceUid({ group: 'eventing.knative.dev', kind: 'Trigger', ...TAKER })

function open(path = temporaryFolder()): DataDirectory {
  const data = dataDirectory({ path, clock: systemClock })
  onTestFinished(() => data.close())
  return data
}

function noteOf(data: DataDirectory): string {
  return join(data.operationsFolder, `${UID}.json`)
}

test('a pause is a file of the data directory that says whose it is, until the trigger is resumed or gone', async () => {
  const data = open()
  const at = scene({ data, channel: 'log' })
  await at.apply(broker(), trigger('taker', 'http://127.0.0.1:9/'))
  expect(await at.controller.operations.pause(TAKER)).toEqual({ isKept: true })
  expect(JSON.parse(readFileSync(noteOf(data), 'utf8'))).toMatchObject({ trigger: 'default/taker', paused: {} })
  await at.controller.operations.resume(TAKER)
  expect(existsSync(noteOf(data))).toBe(false)
  await at.controller.operations.pause(TAKER)
  await at.apply(broker())
  expect(readdirSync(data.operationsFolder)).toEqual([])
})

test('a note that can’t be read counts as a pause: what waits is not lost, and somebody will look', async () => {
  const data = open()
  mkdirSync(data.operationsFolder, { recursive: true })
  writeFileSync(noteOf(data), '{"trig')
  const to = await subscriber()
  const at = scene({ data, channel: 'log' })
  await at.apply(broker(), trigger('taker', to.url))
  await at.send('t', '1')
  expect(at.trigger('taker').status).toMatchObject({ paused: { by: 'operation' }, backlog: { events: 1 } })
  await at.controller.operations.resume(TAKER)
  await at.until(() => to.got.length === 1)
})

test('where the disk does not keep it, nothing is paused', async () => {
  const data = open()
  const at = scene({ data, channel: 'log' })
  await at.apply(broker(), trigger('taker', 'http://127.0.0.1:9/'))
  writeFileSync(data.operationsFolder, 'no folder')
  await expect(at.controller.operations.pause(TAKER)).rejects.toMatchObject({ code: 'SLUICE_DISK', status: 503 })
  expect(at.trigger('taker').status).not.toHaveProperty('paused')
})

test('a pause holds through applies that change the trigger, and through one that is made at the same time', async () => {
  const to = await subscriber()
  const at = scene()
  await at.apply(broker(), trigger('taker', to.url))
  const [, applied] = await Promise.all([
    at.controller.operations.pause(TAKER),
    at.refused(broker(), trigger('taker', to.url, {}, { 'sluice.dev/window': '7' })),
  ])
  expect(applied).toEqual([])
  await at.send('t', '1')
  expect(at.trigger('taker').status).toMatchObject({ paused: { by: 'operation' }, backlog: { events: 1, inFlight: 0 } })
  await at.controller.operations.resume(TAKER)
  await at.until(() => to.got.length === 1)
})
