// Timestamps as RFC 3339 writes them. On the hot path: `time` of nearly every event. Date is no help here: it turns
// Feb 30 into Mar 2, takes 24:00 and a missing offset, and fails on a leap second.

/**
 * Whether the text is an RFC 3339 date-time: a real calendar date, an offset, `T` and `Z` in either case, any count of
 * fraction digits, second 60 for a leap second. The text itself is what goes on with the event.
 */
export function isTimestamp(text: string): boolean {
  if (text.length < 20) return false
  const year = digits(text, 0) * 100 + digits(text, 2)
  const month = digits(text, 5)
  const day = digits(text, 8)
  const t = text.charCodeAt(10)
  if (text.charCodeAt(4) !== DASH || text.charCodeAt(7) !== DASH || (t | 0x20) !== 0x74) return false
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month))) return false
  if (text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON) return false
  if (!within(digits(text, 11), 23) || !within(digits(text, 14), 59) || !within(digits(text, 17), 60)) return false
  let i = 19
  if (text.charCodeAt(i) === DOT) {
    const first = ++i
    while (isDigit(text.charCodeAt(i))) i++
    if (i === first) return false
  }
  const offset = text.charCodeAt(i)
  if ((offset | 0x20) === 0x7a) return i + 1 === text.length
  if (offset !== PLUS && offset !== DASH) return false
  if (i + 6 !== text.length || text.charCodeAt(i + 3) !== COLON) return false
  return within(digits(text, i + 1), 23) && within(digits(text, i + 4), 59)
}

/** Two digits as a number; NaN, which no comparison lets pass, when one is none. */
function digits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 0x30
  const ones = text.charCodeAt(at + 1) - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

function within(value: number, max: number): boolean {
  return value >= 0 && value <= max
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

const [DASH, COLON, DOT, PLUS] = [0x2d, 0x3a, 0x2e, 0x2b]
