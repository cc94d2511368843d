// Brokers whose channel is a log: what outlives the process, and what becomes of what nobody declares any more.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import { channelUnavailable, type Channel } from '@sluice/channel'
import {
  dataDirectory,
  DRIVERS,
  type Discarded,
  type Drivers,
  type StorageProblem,
  type StorageRecovery,
} from '@sluice/controller'
import { systemDisk } from '@sluice/segments'
import { temporaryFolder } from './folders.ts'
import {
  broker,
  condition,
  conditionOf,
  ofType,
  nextCommit,
  scene,
  service,
  serviceRef,
  settle,
  subscriber,
  trigger,
  type Scene,
  type SceneOptions,
} from './scene.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const PAUSED = { 'sluice.dev/paused': 'true' }

/** What a process on a data directory told. */
interface Told {
  readonly discarded: [trigger: string, events: number][]
  readonly lost: [trigger: string, events: number][]
  readonly recovered: StorageRecovery[]
  readonly trashed: Discarded[]
  readonly unread: string[]
}

interface Process extends Scene, Told {
  /** Ends it in good order. */
  end(): Promise<void>
}

/** A process whose Brokers have logs in `folder`. */
function processOn(folder: string, options: SceneOptions = {}): Process {
  const told: Told = { discarded: [], lost: [], recovered: [], trashed: [], unread: [] }
  const data = dataDirectory({ path: folder, clock: manualClock() })
  onTestFinished(() => data.close())
  const here = scene({
    channel: 'log',
    data,
    observer: {
      discarded: ({ name }, events) => told.discarded.push([name, events]),
      lost: ({ name }, { events }) => told.lost.push([name, events]),
    },
    storage: {
      recovered: (_broker, recovery) => told.recovered.push(recovery),
      discarded: (discarded) => told.trashed.push(discarded),
      unread: (_broker, unread) => told.unread.push(unread),
    },
    ...options,
  })
  return {
    ...here,
    ...told,
    async end() {
      await here.controller.close({ deadlineMs: 1000 })
      await data.close()
    },
  }
}

function lag({ controller }: Scene, name: string): number | undefined {
  const triggers = controller.broker('default', 'default')?.triggers() ?? []
  return [...triggers].find((each) => each.name.name === name)?.status.lag.events
}

function uidOf(named: { resource: { metadata: { uid: string } } }): string {
  return named.resource.metadata.uid
}

describe('events of a Broker', () => {
  test('outlive the process, and what was found is told', async () => {
    const folder = temporaryFolder()
    const taker = await subscriber()
    const before = processOn(folder)
    await before.apply(broker(), trigger('t', taker.url, {}, PAUSED))
    for (const id of ['1', '2']) await before.send('t', id)
    expect(before.recovered).toEqual([])
    await before.end()

    const after = processOn(folder)
    await after.apply(broker(), trigger('t', taker.url))
    await after.until(() => taker.got.length === 2)
    expect(taker.got.map(({ id }) => id)).toEqual(['1', '2'])
    const toDeliver = { events: 2, bound: 'exact' }
    expect(after.recovered).toEqual([
      { events: 2, toDeliver, deadLetters: 0, tornBytes: 0, isRewound: false, problems: [] },
    ])
  })

  test('in the dead-letter box do so as well', async () => {
    const folder = temporaryFolder()
    const refusing = await subscriber(400)
    const before = processOn(folder)
    await before.apply(broker(), trigger('t', refusing.url))
    await before.send('t', 'dead')
    const { box } = before.controller.broker('default', 'default')!
    await before.until(() => box.usage().events === 1)
    await before.end()
    const after = processOn(folder)
    await after.apply(broker(), trigger('t', refusing.url))
    expect(after.recovered).toMatchObject([{ deadLetters: 1 }])
    const [entry] = await after.controller.broker('default', 'default')!.box.list()
    expect(entry).toMatchObject({ trigger: 'default/t', code: 400, attempts: 1, event: { id: 'dead' } })
    expect(existsSync(`${folder}/brokers/${uidOf(broker())}/dead-letters`)).toBe(true)
  })

  test('that were damaged are told, counted, and shown by the Broker and the trigger; what follows is delivered', async () => {
    const folder = temporaryFolder()
    const taker = await subscriber()
    const before = processOn(folder)
    await before.apply(broker(), trigger('t', taker.url, {}, PAUSED))
    for (const id of ['1', 'damaged', '3']) await before.send('t', id)
    await before.end()
    const segments = `${folder}/brokers/${uidOf(broker())}/segments`
    const path = join(
      segments,
      readdirSync(segments).find((name) => name.endsWith('.seg'))!,
    )
    const bytes = readFileSync(path)
    bytes[bytes.indexOf('damaged')]! ^= 1
    writeFileSync(path, bytes)

    const after = processOn(folder)
    await after.apply(broker(), trigger('t', taker.url))
    await after.until(() => taker.got.length === 2 && after.lost.length === 1)
    expect(taker.got.map(({ id }) => id)).toEqual(['1', '3'])
    expect(after.lost).toEqual([['t', 1]])
    expect(after.recovered).toMatchObject([{ problems: [{ path, what: /^damaged from byte \d+ to \d+$/, events: 1 }] }])
    expect(condition(after.broker(), 'Ready')).toBe('True')
    expect(conditionOf(after.broker(), 'EventsKept')).toMatchObject({
      status: 'False',
      severity: 'Warning',
      reason: 'EventsLost',
      message: expect.stringMatching(/^Up to 1 stored events can't be read any more \(.*: damaged from byte/),
    })
    expect(conditionOf(after.trigger('t'), 'EventsKept').message).toMatch(
      /^Up to 1 events were lost and will not be delivered; the last at 2026-01-01T.*, cause: damage\.$/,
    )
    expect(condition(after.trigger('t'), 'Ready')).toBe('True')
  })

  test('that were damaged where a start does not read are told the same way, once they are met', async () => {
    const folder = temporaryFolder()
    const taker = await subscriber()
    const segments = `${folder}/brokers/${uidOf(broker())}/segments`
    for (const ids of [['1', 'damaged', '3'], ['4']]) {
      const before = processOn(folder)
      await before.apply(broker(), trigger('t', taker.url, {}, PAUSED))
      for (const id of ids) await before.send('t', id)
      await before.end()
    }
    const path = `${segments}/0000000001.seg`
    const bytes = readFileSync(path)
    bytes[bytes.indexOf('damaged')]! ^= 1
    writeFileSync(path, bytes)

    const damaged: StorageProblem[] = []
    const after = processOn(folder, { storage: { damaged: (_broker, problem) => damaged.push(problem) } })
    await after.apply(broker(), trigger('t', taker.url))
    await after.until(() => taker.got.length === 3 && after.lost.length === 1)
    expect(taker.got.map(({ id }) => id)).toEqual(['1', '3', '4'])
    expect(damaged).toMatchObject([{ path, events: 1, lost: [2, 2] }])
    await after.until(() => conditionOf(after.broker(), 'EventsKept') !== undefined)
    expect(conditionOf(after.broker(), 'EventsKept').message).toContain(
      `Up to 1 stored events can't be read any more (${path}: `,
    )
  })

  test('wait where their channel is in memory now, and that is told', async () => {
    const folder = temporaryFolder()
    const before = processOn(folder)
    await before.apply(broker(), trigger('t', NOWHERE, {}, PAUSED))
    await before.send('t')
    await before.end()
    const inMemory = processOn(folder, { channel: 'memory' })
    await inMemory.apply(broker(), trigger('t', NOWHERE))
    expect(inMemory.unread).toEqual([`${folder}/brokers/${uidOf(broker())}`])
    await inMemory.end()
    const after = processOn(folder)
    await after.apply(broker(), trigger('t', NOWHERE, {}, PAUSED))
    expect(lag(after, 't')).toBe(1)
  })
})

test('a Broker in memory makes no data directory', async () => {
  const folder = join(temporaryFolder(), 'data')
  const here = processOn(folder, { channel: 'memory' })
  await here.apply(broker())
  await here.apply()
  await here.end()
  expect(existsSync(folder)).toBe(false)
})

describe('a trigger that was taken out of the files while no process ran', () => {
  async function leaveBacklogs(folder: string): Promise<void> {
    const before = processOn(folder)
    await before.apply(broker(), trigger('gone', NOWHERE, {}, PAUSED), trigger('stays', NOWHERE, {}, PAUSED))
    for (const id of ['1', '2', '3']) await before.send('t', id)
    await before.end()
  }

  test('is removed at the start; its backlog is discarded and counted, and that of the others stays', async () => {
    const folder = temporaryFolder()
    await leaveBacklogs(folder)
    const after = processOn(folder)
    await after.apply(broker(), trigger('stays', NOWHERE, {}, PAUSED))
    expect(after.discarded).toEqual([[uidOf(trigger('gone', NOWHERE)), 3]])
    const { channel } = after.controller.broker('default', 'default')!
    expect([...channel.subscriptions()]).toEqual([uidOf(trigger('stays', NOWHERE))])
    expect(lag(after, 'stays')).toBe(3)
    await after.apply(broker(), trigger('stays', NOWHERE, {}, PAUSED), trigger('gone', NOWHERE, {}, PAUSED))
    expect(lag(after, 'gone')).toBe(0) // it starts anew
    expect(after.discarded).toHaveLength(1)
  })

  test('is removed later where the channel refuses it for now, and before it comes back', async () => {
    const folder = temporaryFolder()
    await leaveBacklogs(folder)
    let refusals = 0
    const drivers: Partial<Drivers> = {
      log: async (settings) => {
        const storage = await DRIVERS.log(settings)
        const { remove } = storage.channel
        storage.channel.remove = (id): ReturnType<Channel['remove']> => {
          if (++refusals > 2) return remove.call(storage.channel, id)
          return Promise.reject(channelUnavailable('The disk is full.', 1000))
        }
        return storage
      },
    }
    const after = processOn(folder, { drivers })
    await after.apply(broker(), trigger('stays', NOWHERE, {}, PAUSED))
    expect([refusals, after.discarded]).toEqual([1, []])
    expect(after.controller.broker('default', 'default')).toBeDefined() // nobody waits for it
    after.clock.advance(1000)
    await after.until(() => refusals === 2)
    await settle()
    after.clock.advance(2000)
    await after.until(() => after.discarded.length === 1)
    expect(refusals).toBe(3)
  })

  test('and comes back while it is being removed starts anew', async () => {
    const folder = temporaryFolder()
    await leaveBacklogs(folder)
    const removed = Promise.withResolvers<void>()
    const drivers: Partial<Drivers> = {
      log: async (settings) => {
        const storage = await DRIVERS.log(settings)
        const { remove } = storage.channel
        storage.channel.remove = async (id) => {
          await removed.promise
          return remove.call(storage.channel, id)
        }
        return storage
      },
    }
    const after = processOn(folder, { drivers })
    const [stays, gone] = [trigger('stays', NOWHERE, {}, PAUSED), trigger('gone', NOWHERE, {}, PAUSED)]
    const first = after.apply(broker(), stays)
    await after.until(() => existsSync(`${folder}/brokers`) && after.recovered.length === 1)
    after.clock.advance(10_000)
    await first
    const second = after.apply(broker(), stays, gone)
    await settle()
    removed.resolve()
    await second
    expect(after.discarded).toEqual([[uidOf(gone), 3]])
    await after.send('t', '4')
    expect([lag(after, 'stays'), lag(after, 'gone')]).toEqual([4, 1])
  })
})

test('a Broker whose log can’t be opened leaves its dead-letter box closed, and opens both later', async () => {
  const folder = temporaryFolder()
  const data = `${folder}/brokers/${uidOf(broker())}`
  mkdirSync(data, { recursive: true })
  const unlock = await systemDisk.lock(`${data}/LOCK`)
  const here = processOn(folder)
  await here.apply(broker())
  expect(conditionOf(here.broker(), 'Ready').message).toContain('is in use by another process')
  await unlock()
  here.clock.advance(1000)
  await here.until(() => here.controller.broker('default', 'default') !== undefined)
})

describe('a trigger whose subscriber can’t be resolved at the start', () => {
  test('keeps what it was promised, what is stored meanwhile included, and gets it once it can', async () => {
    const folder = temporaryFolder()
    const taker = await subscriber()
    const t = trigger('t', { ref: { apiVersion: 'v1', kind: 'Service', name: 'taker' } }, ofType('t'), {})
    const paused = trigger('t', { ref: { apiVersion: 'v1', kind: 'Service', name: 'taker' } }, ofType('t'), PAUSED)
    const before = processOn(folder)
    await before.apply(broker(), service('taker', taker.url), paused)
    await before.send('t', 'before')
    await before.end()

    const after = processOn(folder)
    const gone = trigger('t', serviceRef('gone'), ofType('t'))
    await after.apply(broker(), gone)
    for (const [type, id] of [['t', 'meanwhile'], ['other', 'not for it']] as const) await after.send(type, id) // prettier-ignore
    expect(lag(after, 't')).toBe(2)
    expect(condition(after.trigger('t'), 'Ready')).toMatch(/^False Unable to get/)
    expect(conditionOf(after.trigger('t'), 'SubscriberResolved').message).toContain('wait in the channel until it is')
    expect(after.trigger('t').status).toMatchObject({ subscriberUri: '' })
    expect(after.discarded).toEqual([])

    await after.apply(broker(), service('taker', taker.url), t)
    await after.until(() => taker.got.length === 2)
    expect(taker.got.map(({ id }) => id)).toEqual(['before', 'meanwhile'])
    expect(condition(after.trigger('t'), 'Ready')).toBe('True')
  })

  test('keeps nothing where it was promised nothing: it never could', async () => {
    const folder = temporaryFolder()
    const before = processOn(folder)
    await before.apply(broker(), trigger('t', serviceRef('gone')))
    await before.end()
    const after = processOn(folder)
    await after.apply(broker(), trigger('t', serviceRef('gone')))
    await after.send('t')
    expect(lag(after, 't')).toBeUndefined()
    await after.apply(broker(), trigger('t', NOWHERE))
    expect(lag(after, 't')).toBe(0)
  })

  test('and that is removed then is discarded, and counted', async () => {
    const folder = temporaryFolder()
    const before = processOn(folder)
    await before.apply(broker(), trigger('t', NOWHERE, {}, PAUSED))
    await before.send('t')
    await before.end()
    const after = processOn(folder)
    await after.apply(broker(), trigger('t', serviceRef('gone')))
    await after.send('t')
    await after.apply(broker())
    expect(after.discarded).toEqual([['t', 2]])
  })
})

describe('a Broker that is deleted', () => {
  const data = (folder: string): string => `${folder}/brokers/${uidOf(broker())}`

  test('has its data in the trash, its backlogs counted as discarded, and starts anew where it comes back', async () => {
    const folder = temporaryFolder()
    const here = processOn(folder)
    await here.apply(broker(), trigger('t', NOWHERE, {}, PAUSED))
    for (const id of ['1', '2']) await here.send('t', id)
    await here.apply(trigger('t', NOWHERE, {}, PAUSED))
    await here.until(() => here.trashed.length === 1)
    expect(here.discarded).toEqual([['t', 2]])
    expect(here.trashed[0]).toMatchObject({
      broker: 'default/default',
      folder: expect.stringContaining(`${folder}/trash/`),
    })
    expect(existsSync(data(folder))).toBe(false)

    await here.apply(broker(), trigger('t', NOWHERE, {}, PAUSED))
    expect(lag(here, 't')).toBe(0)
    expect(here.recovered).toEqual([])
    expect(condition(here.broker(), 'Ready')).toBe('True')
  })

  test('has its data there with all progress: put back, it goes on where it was', async () => {
    const folder = temporaryFolder()
    const here = processOn(folder)
    await here.apply(broker(), trigger('t', NOWHERE, {}, PAUSED))
    for (const id of ['1', '2']) await here.send('t', id)
    await here.apply()
    await here.until(() => here.trashed.length === 1)
    await here.end()
    renameSync(here.trashed[0]!.folder, data(folder))
    const again = processOn(folder)
    await again.apply(broker(), trigger('t', NOWHERE, {}, PAUSED))
    expect(lag(again, 't')).toBe(2)
  })

  test('and comes back before it is closed waits for that, and starts anew', async () => {
    const folder = temporaryFolder()
    const here = processOn(folder)
    const slow = await subscriber(undefined)
    await here.apply(broker(), trigger('t', slow.url))
    await here.send('t', '1')
    await here.until(() => slow.got.length === 1)
    await here.apply()
    const applied = here.apply(broker(), trigger('t', NOWHERE, {}, PAUSED))
    await here.until(() => here.controller.unavailable('default', 'default')?.status === 503)
    slow.status = 202
    await applied
    expect(here.discarded).toEqual([['t', 0]]) // what was under way has finished
    expect(here.trashed).toHaveLength(1)
    expect(lag(here, 't')).toBe(0)
  })

  test('while it is opened leaves nothing behind either, and its data goes once it is closed', async () => {
    const folder = temporaryFolder()
    const opened = Promise.withResolvers<void>()
    let wasThere: boolean | undefined
    const drivers: Partial<Drivers> = {
      log: async (settings) => {
        const storage = await DRIVERS.log(settings)
        const { close } = storage.channel
        storage.channel.close = async (options) => {
          await close.call(storage.channel, options)
          wasThere = existsSync(data(folder))
        }
        await opened.promise
        return storage
      },
    }
    const here = processOn(folder, { drivers })
    const applied = here.apply(broker())
    await here.until(() => existsSync(`${data(folder)}/LOCK`))
    here.clock.advance(10_000)
    await applied
    await here.apply()
    for (let turn = 0; turn < 100; turn++) await settle()
    opened.resolve()
    await here.until(() => here.trashed.length === 1)
    expect([wasThere, existsSync(data(folder))]).toEqual([true, false])
  })

  test('while no process runs has its data in the trash after the first apply', async () => {
    const folder = temporaryFolder()
    const before = processOn(folder)
    await before.apply(broker(), broker('stays'))
    await before.end()
    const after = processOn(folder)
    await after.apply(broker('stays'))
    expect(after.trashed).toMatchObject([{ broker: 'default/default' }])
    expect(readdirSync(`${folder}/brokers`)).toEqual([uidOf(broker('stays'))])
  })

  test('says so at once, in a status and to senders, whatever its data', async () => {
    const here = processOn(temporaryFolder())
    await here.apply(broker(), trigger('t', NOWHERE))
    const removed = here.controller.broker('default', 'default')!
    const committed = nextCommit(here.controller)
    const applied = here.apply(trigger('t', NOWHERE))
    await committed
    expect(here.controller.broker('default', 'default')).toBeUndefined()
    expect(here.controller.unavailable('default', 'default')).toBeUndefined() // 404
    await applied
    expect(condition(here.trigger('t'), 'Ready')).toBe('False BrokerDoesNotExist')
    await expect(removed.accept([])).rejects.toMatchObject({ code: 'SLUICE_DRAINING' })
  })
})
