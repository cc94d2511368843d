// The channel of a Broker, as its ConfigMap asks for it: which it gets, what it can't have, and what may not change.

import { describe, expect, onTestFinished, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import { dataDirectory, DRIVERS, needsData, type Drivers, type StorageSettings } from '@sluice/controller'
import type { Declared } from '@sluice/resource'
import { temporaryFolder } from './folders.ts'
import { broker, condition, conditionOf, declare, scene, trigger, type Scene } from './scene.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const LOG = 'apiVersion: messaging.sluice.dev/v1alpha1\nkind: LogChannel\n'
const MEMORY = 'apiVersion: messaging.knative.dev/v1\nkind: InMemoryChannel\n'
const RABBIT = 'apiVersion: messaging.knative.dev/v1beta1\nkind: RabbitmqChannel\n'

function configMap(template: string): Declared {
  const data = { 'channel-template-spec': template }
  return declare({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'channel' }, data })
}

function configured(delivery: object = {}): Declared {
  return broker('default', { config: { apiVersion: 'v1', kind: 'ConfigMap', name: 'channel' }, ...delivery })
}

interface Channels extends Scene {
  /** What drivers were asked to open, in order. */
  readonly opened: { readonly kind: 'log' | 'memory'; readonly limits: StorageSettings['limits'] }[]
}

function channels(byDefault: 'log' | 'memory' = 'log'): Channels {
  const opened: Channels['opened'] = []
  const noting =
    (kind: 'log' | 'memory'): Drivers['log'] =>
    (settings) => {
      opened.push({ kind, limits: settings.limits })
      return DRIVERS[kind](settings)
    }
  const data = dataDirectory({ path: temporaryFolder(), clock: manualClock() })
  onTestFinished(() => data.close())
  const here = scene({ channel: byDefault, data, drivers: { log: noting('log'), memory: noting('memory') } })
  return { ...here, opened }
}

test.each([
  [LOG, 'log', {}],
  [`${LOG}spec: {maxBytes: 2Mi, retention: {age: PT1H}}`, 'log', { bytesMax: 2 * 1024 ** 2, retentionMs: 3_600_000 }],
  [MEMORY, 'memory', {}],
] as const)('a Broker gets the channel of its ConfigMap, with its bounds: %j', async (template, kind, limits) => {
  const here = channels(kind === 'log' ? 'memory' : 'log')
  await here.apply(configured(), configMap(template), broker('other'))
  expect(here.opened).toContainEqual({ kind, limits })
  const { channel } = here.controller.broker('default', 'default')!
  expect(channel.capabilities.durable).toBe(kind === 'log')
  expect(channel.usage().bytesMax).toBe('bytesMax' in limits ? limits.bytesMax : channel.usage().bytesMax)
  expect(here.controller.broker('default', 'other')!.channel.capabilities.durable).toBe(kind !== 'log')
})

test('whether a log is needed is known before anything is opened', () => {
  expect(needsData([broker()], 'log')).toBe(true)
  expect(needsData([broker()], 'memory')).toBe(false)
  expect(needsData([configured(), configMap(LOG)], 'memory')).toBe(true)
  expect(needsData([configured(), configMap(MEMORY)], 'log')).toBe(false)
  expect(needsData([], 'log')).toBe(false)
})

describe('a Broker that asks for what it can’t have', () => {
  test.each([
    ['a channel that is not known', [configMap(RABBIT)], /asks for a RabbitmqChannel .*Known are LogChannel/],
    ['a ConfigMap that is not there', [], /ConfigMap default\/channel, which spec\.config names, does not exist/],
  ])('%s is not Ready, says so to everybody, and opens nothing', async (_what, more, why) => {
    const here = channels()
    await here.apply(configured(), trigger('t', NOWHERE), ...more)
    expect(conditionOf(here.broker(), 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ChannelTemplateFailed',
      message: expect.stringMatching(why) as string,
    })
    expect(condition(here.trigger('t'), 'Ready')).toBe('False ChannelTemplateFailed') // spec 11
    expect(here.controller.unavailable('default', 'default')).toMatchObject({
      status: 503,
      retryAfterMs: 30_000,
      message: expect.stringMatching(why) as string,
    })
    expect(here.opened).toEqual([])
    expect(here.clock.pending).toBe(0) // time doesn't mend it
  })

  test('opens once an apply says what it can have', async () => {
    const here = channels()
    await here.apply(configured(), trigger('t', NOWHERE))
    await here.apply(configured(), trigger('t', NOWHERE), configMap(LOG))
    expect(condition(here.broker(), 'Ready')).toBe('True')
    expect(condition(here.trigger('t'), 'Ready')).toBe('True')
    expect(here.opened).toEqual([{ kind: 'log', limits: {} }])
  })
})

describe('a Broker that runs', () => {
  test.each([
    [LOG, MEMORY, 'Its channel is a log and would be in memory: what waits there would stay behind.'],
    [MEMORY, LOG, 'Its channel is in memory and would be a log: what waits there would stay behind.'],
  ])('keeps the kind of its channel: another one is refused, and nothing changes (%j)', async (before, after, told) => {
    const here = channels()
    await here.apply(configured(), configMap(before))
    const running = here.controller.broker('default', 'default')
    const problems = await here.refused(configured({ delivery: { retry: 1 } }), configMap(after), broker('new'))
    expect(problems).toMatchObject([
      {
        severity: 'error',
        code: 'SLUICE_RESOURCE_IMMUTABLE',
        file: 'test.yaml',
        resource: 'Broker default/default',
        message: told,
        hint: expect.stringMatching(/^That of a Broker can't be changed: delete it and create it again/),
      },
    ])
    expect(here.controller.broker('default', 'default')).toBe(running)
    expect(here.broker().metadata.generation).toBe(1)
    expect(here.controller.broker('default', 'new')).toBeUndefined()
    await here.apply()
    await here.apply(configured(), configMap(after)) // deleted, and created again
    await here.until(() => here.controller.broker('default', 'default') !== undefined)
    expect(condition(here.broker(), 'Ready')).toBe('True')
  })

  test('goes on with the bounds that it has where its ConfigMap has others, and says so', async () => {
    const here = channels()
    await here.apply(configured(), configMap(LOG))
    expect(here.broker().status?.conditions.map(({ type }) => type)).not.toContain('ChannelConfigured')
    await here.apply(configured(), configMap(`${LOG}spec: {maxBytes: 2Mi}`))
    expect(conditionOf(here.broker(), 'ChannelConfigured')).toMatchObject({
      status: 'False',
      severity: 'Warning',
      reason: 'ChannelChanged',
      message: expect.stringContaining('They hold from the next start on.') as string,
    })
    expect(condition(here.broker(), 'Ready')).toBe('True')
    await here.apply(configured(), configMap(LOG))
    expect(here.broker().status?.conditions.map(({ type }) => type)).not.toContain('ChannelConfigured')
    expect(here.opened).toHaveLength(1)
  })

  test('goes on where its ConfigMap asks for what it can’t have now, or is gone, and says so', async () => {
    const here = channels()
    await here.apply(configured(), configMap(LOG))
    for (const more of [[configMap(RABBIT)], []]) {
      await here.apply(configured(), ...more)
      expect(condition(here.broker(), 'Ready')).toBe('True')
      expect(conditionOf(here.broker(), 'ChannelConfigured').message).toMatch(
        /It runs on with the channel that it has\.$/,
      )
    }
  })
})
