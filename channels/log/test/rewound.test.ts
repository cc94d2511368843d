// What becomes of subscriptions whose progress is missing, and of those that only look like it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLogChannel, type OpenedLog } from '@sluice/channel-log'
import { newEvent } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'
import { expect, onTestFinished, test } from 'vitest'

const EVERYTHING = compileAttributes({})
const orders = (...ids: string[]) => ids.map((id) => newEvent({ type: 'order', source: '/shop', id }))

test('a subscription that is new begins with the next event, though the log is older than any subscription', async () => {
  const folder = await testFolder()
  const before = await open(folder)
  await before.channel.publish(orders('1', '2'), { lane: 'ingress' })
  await before.channel.close({ deadlineMs: 0 })

  const { channel, recovery } = await open(folder)
  expect(recovery.isRewound).toBe(false)
  expect(await handed(channel, 'new', orders('3'))).toEqual(['3'])
})

test('with the progress gone, subscriptions begin with the earliest event: again rather than never (fault 16)', async () => {
  const folder = await testFolder()
  const before = await open(folder)
  expect(await handed(before.channel, 'one', orders('1', '2'))).toEqual(['1', '2'])
  await before.channel.close({ deadlineMs: 0 })
  await rm(join(folder, 'progress'), { recursive: true })

  const { channel, recovery } = await open(folder)
  expect(recovery.isRewound).toBe(true)
  expect(await handed(channel, 'one', orders('3'))).toEqual(['1', '2', '3'])
})

async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-log-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function open(folder: string): Promise<OpenedLog> {
  const opened = await openLogChannel({ folder })
  onTestFinished(() => opened.channel.close({ deadlineMs: 0 }))
  return opened
}

/** Subscribes, publishes, and returns the ids of what was handed over up to the last of these events. */
async function handed(channel: OpenedLog['channel'], id: string, events: ReturnType<typeof orders>): Promise<string[]> {
  const ids: string[] = []
  const { promise: last, resolve } = Promise.withResolvers<void>()
  await channel.subscribe({ id, filter: EVERYTHING }, (delivery) => {
    ids.push(delivery.event.id)
    delivery.settle()
    if (delivery.event.id === events.at(-1)!.id) resolve()
  })
  await channel.publish(events, { lane: 'ingress' })
  await last
  return ids
}
