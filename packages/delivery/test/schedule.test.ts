import { SluiceError } from '@sluice/event'
import { describe, expect, test } from 'vitest'
import {
  DEFAULT_POLICY,
  deliveryPolicy,
  nextDelayMs,
  parseDuration,
  retryDelayMs,
  type DeliveryPolicy,
  type DeliverySpec,
} from '../src/index.ts'

const none = (): number => 0
const nearlyOne = (): number => 1 - Number.EPSILON

/** Seconds before attempts 2, 3, 4, 5. */
function waits(policy: DeliveryPolicy): number[] {
  return [1, 2, 3, 4].map((attempt) => retryDelayMs(policy, attempt, none) / 1000)
}

describe('the golden table of KNATIVE.md A.6, for a delay of 1 s', () => {
  const golden = {
    'Go exponential': [1, 2, 4, 8],
    'Go linear': [0, 1, 2, 3],
    'Kafka exponential': [2, 4, 8, 16],
    'Kafka linear': [1, 2, 3, 4],
    'spec linear': [1, 1, 1, 1],
  }

  test('ours is the exponential of Go, and the linear of Kafka', () => {
    expect(waits(deliveryPolicy({ backoffPolicy: 'exponential', backoffDelay: 'PT1S' }))).toEqual(
      golden['Go exponential'],
    )
    expect(waits(deliveryPolicy({ backoffPolicy: 'linear', backoffDelay: 'PT1S' }))).toEqual(golden['Kafka linear'])
  })
})

test('the default policy waits 204.6 s in all before it gives up, as Knative does', () => {
  const delaysMs = Array.from({ length: DEFAULT_POLICY.retry }, (_, n) => retryDelayMs(DEFAULT_POLICY, n + 1, none))
  expect(delaysMs.reduce((sum, each) => sum + each)).toBe(204_600)
})

test('fault 20: no wait is longer than PT5M, but for the jitter of up to 20 % on top', () => {
  const policy = deliveryPolicy({ retry: 5000, backoffDelay: 'PT1S' })
  expect(retryDelayMs(policy, 4000, none)).toBe(300_000)
  expect(retryDelayMs(policy, 4000, nearlyOne)).toBeCloseTo(360_000)
  expect(retryDelayMs(deliveryPolicy({ backoffPolicy: 'linear' }), 1e9, none)).toBe(300_000)
  expect(retryDelayMs(policy, 1, () => 0.5)).toBe(1100)
})

test('a backoff delay of zero waits for nothing, however many tries there were', () => {
  expect(retryDelayMs(deliveryPolicy({ backoffDelay: 'PT0S' }), 5000, nearlyOne)).toBe(0)
})

test('fault 21: Retry-After counts where it is longer than the backoff, up to retryAfterMax', () => {
  const policy = deliveryPolicy({ backoffDelay: 'PT1S', retryAfterMax: 'PT10S' })
  expect(nextDelayMs(policy, 1, 0, none)).toBe(1000)
  expect(nextDelayMs(policy, 1, 7000, none)).toBe(7000)
  expect(nextDelayMs(policy, 1, 1e12, none)).toBe(10_000)
  expect(nextDelayMs(policy, 6, 7000, none)).toBe(32_000)
  expect(nextDelayMs(deliveryPolicy({ retryAfterMax: 'PT0S' }), 1, 7000, none)).toBe(200)
  expect(nextDelayMs(DEFAULT_POLICY, 1, 1e12, none)).toBe(300_000)
})

describe('the policy that a DeliverySpec stands for', () => {
  test('without any it is 10 tries more, exponential from PT0.2S', () => {
    expect(deliveryPolicy(undefined)).toBe(DEFAULT_POLICY)
    expect(DEFAULT_POLICY).toMatchObject({ retry: 10, backoffPolicy: 'exponential', backoffDelayMs: 200 })
  })

  test('a spec that leaves out retry has none, and everything else by default', () => {
    expect(deliveryPolicy({})).toEqual({ ...DEFAULT_POLICY, retry: 0 })
  })

  test('every field of a spec is heeded', () => {
    const spec = {
      deadLetterSink: { uri: 'http://127.0.0.1/' },
      retry: 3,
      backoffPolicy: 'linear',
      backoffDelay: 'PT1M',
      timeout: 'PT1.5S',
      retryAfterMax: 'PT1M',
      format: 'json',
    }
    expect(deliveryPolicy(spec)).toEqual({
      retry: 3,
      backoffPolicy: 'linear',
      backoffDelayMs: 60_000,
      timeoutMs: 1500,
      retryAfterMaxMs: 60_000,
      format: 'json',
    })
  })

  test('retryAfterMax is PT5M at the most', () => {
    expect(deliveryPolicy({ retryAfterMax: 'PT1H' }).retryAfterMaxMs).toBe(300_000)
  })

  test.each<[DeliverySpec, string, RegExp]>([
    [{ retry: -1 }, 'retry', /whole number from 0/],
    [{ retry: 1.5 }, 'retry', /whole number/],
    [{ retry: 2 ** 31 }, 'retry', /2147483647/],
    [{ backoffPolicy: 'Linear' }, 'backoffPolicy', /linear or exponential/],
    [{ format: 'structured' }, 'format', /binary or json/],
    [{ timeout: 'PT0S' }, 'timeout', /more than 0/],
    [{ timeout: '30s' }, 'timeout', /Write PT30S/],
    [{ backoffDelay: '-PT1S' }, 'backoffDelay', /without a sign/],
  ])('%o is refused, by field, with what to write', (spec, field, words) => {
    const error = refusal(() => deliveryPolicy(spec))
    expect(error).toMatchObject({ subject: field, status: 400 })
    expect(error.message).toMatch(words)
  })
})

describe('durations as Knative has them', () => {
  test.each([
    ['PT0.2S', 200],
    ['PT0,2S', 200],
    ['PT30S', 30_000],
    ['PT1M30S', 90_000],
    ['PT5M', 300_000],
    ['PT1.5H', 5_400_000],
    ['P1D', 86_400_000],
    ['P1DT2H', 93_600_000],
    ['P2W', 1_209_600_000],
    ['PT0S', 0],
    ['P0D', 0],
    ['PT0.0004S', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each([
    ['', 'such as PT0.2S'],
    ['P', 'such as PT0.2S'],
    ['PT', 'such as PT0.2S'],
    ['P1DT', 'such as PT0.2S'],
    ['10', 'Write PT10S'],
    ['200ms', 'Write PT0.2S'],
    ['5m', 'Write PT5M'],
    ['2d', 'Write P2D'],
    ['pt5m', 'Write PT5M'],
    ['P5M', 'minutes after a T'],
    ['P1Y', 'Years and months have no fixed length'],
    ['-PT5S', 'without a sign'],
    ['PT5M ', 'such as PT0.2S'],
    ['P10000D', 'up to 3650 days'],
    [`PT${'9'.repeat(400)}S`, 'such as PT0.2S'],
  ])('%j is none: %s', (text, words) => {
    const error = refusal(() => parseDuration(text, 'timeout'))
    expect(error).toMatchObject({ code: 'SLUICE_DELIVERY_INVALID_DURATION', subject: 'timeout' })
    expect(error.message).toContain(words)
    expect(error.message.length).toBeLessThan(300)
  })
})

function refusal(act: () => unknown): SluiceError {
  try {
    act()
  } catch (error) {
    if (error instanceof SluiceError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
