// What a log can do.

import type { Capabilities } from '@sluice/channel'
import type { LogLimits } from './limits.ts'

const DELAY_MAX_MS = 24 * 3600 * 1000
const SUBSCRIPTIONS_MAX = 200_000

export function capabilitiesOf({ parkedMax, eventBytesMax }: LogLimits): Capabilities {
  return {
    durable: true,
    shared: false,
    browse: true,
    starts: ['latest', 'earliest', 'time', 'after'],
    seek: 'online',
    attempts: 'durable',
    maxDelayMs: DELAY_MAX_MS,
    maxParked: parkedMax,
    inOrder: true,
    order: 'key',
    filterUpdate: 'live',
    filterJudged: 'publish',
    lag: 'exact',
    retention: 'ours',
    lossDetected: true,
    maxEventBytes: eventBytesMax,
    maxSubscriptions: SUBSCRIPTIONS_MAX,
    fidelity: 'exact',
  }
}
