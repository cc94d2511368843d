// What `/sluice/v1/brokers`, `channels`, `triggers` and `subscriptions` say of what runs, in words.

import type { Capabilities, ChannelUsage } from '@sluice/channel'
import type { Lag } from '@sluice/channel'
import type { DeliveryPolicy } from '@sluice/delivery'
import { ageOf } from './table.ts'

/** Of a Broker. */
export interface ChannelAnswer {
  readonly channel: ChannelUsage & {
    readonly state: string
    readonly reason?: string
    readonly capabilities: Capabilities
  }
  readonly deadLetters?: { readonly events: number; readonly bytes: number }
}

/** Of a Trigger. */
export interface TriggerAnswer extends ChannelAnswer {
  readonly delivery: DeliveryPolicy
  readonly deadLetterSinkUri?: string
  readonly order: 'none' | 'key'
  readonly window: number
  readonly concurrency: number
  readonly rate?: { readonly perSecond: number; readonly queued: number }
  readonly paused: boolean
  readonly state: 'Healthy' | 'Throttled' | 'Down'
  readonly lastFailure?: string
  readonly boxFull: boolean
  readonly redriving: number
  readonly lag: Omit<Lag, 'oldest'> & { readonly oldest?: string }
}

type Lines = readonly [title: string, values: Readonly<Record<string, string | undefined>>]

/** The policy that holds, whoever's it is. */
export function deliveryLines(trigger: TriggerAnswer): Lines[1] {
  const { delivery, deadLetterSinkUri, order, window, concurrency, rate } = trigger
  const { retry, backoffPolicy, backoffDelayMs, timeoutMs, retryAfterMaxMs, format } = delivery
  const delay = duration(backoffDelayMs)
  return {
    Retry: retry === 0 ? 'never: one try' : `${retry} times, ${backoffPolicy} from ${delay}, at most PT5M apart`,
    'Timeout of a try': duration(timeoutMs),
    'Retry-After': retryAfterMaxMs === 0 ? 'not honoured' : `honoured up to ${duration(retryAfterMaxMs)}`,
    Format: format,
    'Dead letters': deadLetterSinkUri ?? 'the dead-letter box of where they come from',
    Order: order === 'key' ? 'of events with one key, one after the other' : 'none',
    'At once': `${concurrency} requests, ${window} events handed out`,
    Rate: rate && `at most ${rate.perSecond} requests a second; ${rate.queued} events wait for their turn`,
  }
}

/** How it gets on. */
export function progressLines({ state, lag, paused, lastFailure, boxFull, redriving }: TriggerAnswer): Lines[] {
  const bound = { exact: '', atMost: ' at most', unknown: ' or more' }[lag.bound]
  const oldest = lag.oldest === undefined ? '' : `; the oldest is ${ageOf(lag.oldest)} old`
  return [
    [
      'Progress',
      {
        Subscriber: STATES[state],
        Paused: paused ? 'yes: what matches is kept and waits' : undefined,
        'To deliver': `${lag.events} events${bound}: ${lag.inFlight} under way, ${lag.parked} wait for their next try${oldest}`,
        'Last failure': lastFailure ?? 'none since the start',
        'Stands still': boxFull ? 'the dead-letter box takes no more of it' : undefined,
        Redriving: redriving === 0 ? undefined : `${redriving} dead letters`,
      },
    ],
  ]
}

const STATES = {
  Healthy: 'Healthy',
  Throttled: 'Throttled: it fails or is busy, and gets fewer requests at once',
  Down: 'Down: it does not answer; one request at a time asks whether it is back, and uses no tries of the others',
} as const

/** What keeps the events, and what that can and can't do. */
export function channelLines({ channel, deadLetters }: ChannelAnswer): Lines[] {
  const { state, reason, events, bytes, bytesMax, capabilities } = channel
  const max = Number.isFinite(bytesMax) && bytesMax !== null ? ` of ${size(bytesMax)}` : ''
  const abilities = abilitiesOf(capabilities)
  const words = (which: boolean): string => abilities.flatMap(([can, text]) => (can === which ? [text] : [])).join('; ')
  return [
    [
      'Channel',
      {
        State: state === 'ready' ? 'ready' : `${state}: ${reason ?? ''}`,
        Holds: `${events} events; of those to deliver ${size(bytes)}${max}`,
        Can: words(true),
        "Can't": words(false),
        'Largest event': size(capabilities.maxEventBytes),
        'Dead-letter box': deadLetters && `${deadLetters.events} events in ${size(deadLetters.bytes)}`,
      },
    ],
  ]
}

function abilitiesOf(can: Capabilities): [boolean, string][] {
  return [
    [can.durable, 'keep events when the process ends'],
    [can.shared, 'share the work among processes'],
    [can.order !== 'none', 'keep the order of a key'],
    [can.attempts === 'durable', 'remember tries over a restart'],
    [can.browse, 'show past events'],
    [can.seek !== 'none', 'go back in time'],
    [can.filterJudged === 'publish', 'judge filters as events come in'],
    [can.lossDetected || can.retention === 'settled', 'tell of every event that it loses'],
  ]
}

function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const at = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  const value = bytes / 1024 ** at
  return `${value < 10 && at > 0 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)} ${units[at]}`
}

/** ISO 8601, as it would be written. */
function duration(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 60) return `PT${seconds}S`
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60]
  return `PT${minutes}M${rest === 0 ? '' : `${rest}S`}`
}
