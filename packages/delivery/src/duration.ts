// Durations as a DeliverySpec writes them.

import { SluiceError } from '@sluice/event'

/**
 * Milliseconds of an ISO 8601 duration, as Knative's DeliverySpec has it (`timeout`, `backoffDelay`,
 * `retryAfterMax`): weeks, days, hours, minutes and seconds, each with a fraction if need be, such as `PT0.2S`,
 * `PT1M30S` or `P1DT2H`. Rounded to whole milliseconds. A day is 24 hours. Years and months are refused, for they
 * have no fixed length; so are signs.
 *
 * @param text the duration; at most 64 characters
 * @param field the field it comes from, for the error
 * @throws SluiceError `SLUICE_DELIVERY_INVALID_DURATION`, which says what to write
 */
export function parseDuration(text: string, field: string = 'duration'): number {
  const parts = text.length <= DURATION_CHARACTERS_MAX ? DURATION.exec(text) : null
  if (parts === null || !/\d/.test(text) || text.endsWith('T')) throw invalidDuration(text, field)
  let ms = 0
  for (const [index, unitMs] of UNITS_MS.entries()) ms += Number((parts[index + 1] ?? '0').replace(',', '.')) * unitMs
  if (ms > DURATION_MS_MAX) throw invalidDuration(text, field)
  return Math.round(ms)
}

const NUMBER = String.raw`(\d+(?:[.,]\d+)?)`
const DURATION = new RegExp(`^P(?:${NUMBER}W)?(?:${NUMBER}D)?(?:T(?:${NUMBER}H)?(?:${NUMBER}M)?(?:${NUMBER}S)?)?$`)
const UNITS_MS = [604_800_000, 86_400_000, 3_600_000, 60_000, 1000]
const DURATION_CHARACTERS_MAX = 64
/** 3650 days: anything longer is a slip of the pen, and timers end at 34 years. */
const DURATION_MS_MAX = 3650 * 86_400_000

function invalidDuration(text: string, field: string): SluiceError {
  const shown = text.slice(0, DURATION_CHARACTERS_MAX)
  return new SluiceError(
    'SLUICE_DELIVERY_INVALID_DURATION',
    `${field} is ${JSON.stringify(shown)}; it has to be an ISO 8601 duration of weeks, days, hours, minutes and seconds, up to 3650 days${hint(text)}.`,
    { status: 400, subject: field },
  )
}

/** Names the likeliest slip: capitals, a Go duration such as `30s`, a bare number, a month for a minute. */
function hint(text: string): string {
  const upper = text.toUpperCase()
  if (upper !== text && DURATION.test(upper)) return `. Write ${upper}: the letters are capitals`
  if (/^[+-]/.test(text)) return ' without a sign, such as PT30S'
  const short = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d|w)?$/.exec(text)
  if (short !== null) return `. Write ${isoOf(short[1]!, short[2])}`
  if (/^P[\d.,YMWD]*[YM]/.test(text)) {
    return '. Years and months have no fixed length: write days (P30D), and minutes after a T (PT5M)'
  }
  return ', such as PT0.2S, PT30S, PT5M or P1D'
}

function isoOf(amount: string, unit: string | undefined): string {
  if (unit === 'ms') return `PT${Number(amount) / 1000}S`
  if (unit === 'd' || unit === 'w') return `P${amount}${unit.toUpperCase()}`
  return `PT${amount}${(unit ?? 's').toUpperCase()}`
}
