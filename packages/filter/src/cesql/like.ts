// LIKE (CloudEvents SQL 1.0 §3.4.3). Hot path (`pnpm bench --only CESQL`). Linear in the text whatever the pattern
// (threat 15): the pieces between `%` are looked for from left to right, each where it is found first, and none again.
// A piece is found by walking the text once with a bit for each of its characters ("shift-and"), 32 to a word.

/** A piece of a pattern: characters one after the other, where `ANY` stands for any one of them. */
interface Piece {
  /** Code points, or `ANY`. */
  readonly points: readonly number[]
  /** The same as text, where there is no `ANY` in it. */
  readonly text: string | undefined
}

const ANY = -1

/** What a pattern tells of every text that it matches. */
export interface LikeEnds {
  /** What every such text begins with, and ends with; empty where that is open. */
  readonly prefix: string
  readonly suffix: string
  /** Whether the pattern is a plain text, which both are then. */
  readonly isExact: boolean
}

/** Makes the test of a pattern, on whole texts: `%` any characters, `_` one, `\%` and `\_` themselves. */
export function likeMatcher(pattern: string): (text: string) => boolean {
  const [first, ...others] = piecesOf(pattern)
  const last = others.pop()
  if (last === undefined) {
    const whole = first!
    if (whole.text !== undefined) return (text) => text === whole.text
    return (text) => fitsAt(whole, text, 0) === text.length
  }
  const middle = others.filter(({ points }) => points.length > 0).map(finderOf)
  const start = startOf(first!)
  const end = endOf(last)
  if (middle.length === 0) {
    if (first!.text === '' && last.text !== undefined) return (text) => text.endsWith(last.text!)
    if (last.text === '' && first!.text !== undefined) return (text) => text.startsWith(first!.text!)
  }
  const contained = others.length === 1 && first!.text === '' && last.text === '' ? others[0]!.text : undefined
  if (contained !== undefined && contained.length <= SHORT_MAX) return (text) => text.includes(contained)
  return (text) => {
    let from = start(text)
    if (from === NOWHERE) return false
    const to = end(text)
    if (to < from) return false // NOWHERE too
    for (let i = 0; i < middle.length; i++) {
      from = middle[i]!(text, from, to)
      if (from === NOWHERE) return false
    }
    return true
  }
}

/** What the ends of the pattern say, for an index. */
export function likeEnds(pattern: string): LikeEnds {
  let prefix: string | undefined
  let text = '' // since the last wildcard
  for (let i = 0; i < pattern.length; i++) {
    const isEscaped = isEscape(pattern, i)
    if (isEscaped) i++
    if (!isEscaped && (pattern[i] === '%' || pattern[i] === '_')) {
      prefix ??= text
      text = ''
    } else {
      text += pattern[i]
    }
  }
  return prefix === undefined ? { prefix: text, suffix: text, isExact: true } : { prefix, suffix: text, isExact: false }
}

/** Whether a backslash here makes the wildcard behind it a plain character. */
function isEscape(pattern: string, at: number): boolean {
  return pattern[at] === '\\' && (pattern[at + 1] === '%' || pattern[at + 1] === '_')
}

/** The pieces between the `%`; at least one, and empty ones at the ends where the pattern begins or ends with `%`. */
function piecesOf(pattern: string): Piece[] {
  const pieces: Piece[] = []
  let points: number[] = []
  for (let i = 0; i < pattern.length; i++) {
    const isEscaped = isEscape(pattern, i)
    if (isEscaped) i++
    if (pattern[i] === '%' && !isEscaped) {
      pieces.push(pieceOf(points))
      points = []
    } else if (pattern[i] === '_' && !isEscaped) {
      points.push(ANY)
    } else {
      const point = pattern.codePointAt(i)!
      if (point > 0xffff) i++
      points.push(point)
    }
  }
  pieces.push(pieceOf(points))
  return pieces
}

function pieceOf(points: readonly number[]): Piece {
  return { points, text: points.includes(ANY) ? undefined : String.fromCodePoint(...points) }
}

/** What a search gives that found nothing: less than every index. */
const NOWHERE = -1

/** Where the piece ends that the text begins with. */
function startOf(piece: Piece): (text: string) => number {
  const { text: wanted } = piece
  if (wanted === undefined) return (text) => fitsAt(piece, text, 0)
  return (text) => (text.startsWith(wanted) ? wanted.length : NOWHERE)
}

/** Where the piece begins that the text ends with. */
function endOf(piece: Piece): (text: string) => number {
  const { text: wanted, points } = piece
  if (wanted !== undefined) return (text) => (text.endsWith(wanted) ? text.length - wanted.length : NOWHERE)
  return (text) => {
    let at = text.length
    for (let i = points.length - 1; i >= 0; i--) {
      if (at === 0) return NOWHERE
      const point = pointBefore(text, at)
      if (points[i] !== ANY && points[i] !== point) return NOWHERE
      at -= point > 0xffff ? 2 : 1
    }
    return at
  }
}

/** Where the piece ends that stands at `from`. */
function fitsAt({ points }: Piece, text: string, from: number): number {
  let at = from
  for (let i = 0; i < points.length; i++) {
    if (at >= text.length) return NOWHERE
    const point = text.codePointAt(at)!
    if (points[i] !== ANY && points[i] !== point) return NOWHERE
    at += point > 0xffff ? 2 : 1
  }
  return at
}

function pointBefore(text: string, end: number): number {
  const point = end > 1 ? text.codePointAt(end - 2)! : 0
  return point > 0xffff ? point : text.charCodeAt(end - 1)
}

/** Where the first occurrence of the piece ends that lies between `from` and `to`. */
type Finder = (text: string, from: number, to: number) => number

function finderOf(piece: Piece): Finder {
  const { text: wanted } = piece
  if (wanted === undefined || wanted.length > SHORT_MAX) return shiftAnd(piece.points)
  return (text, from, to) => {
    const at = text.indexOf(wanted, from)
    return at === -1 || at + wanted.length > to ? NOWHERE : at + wanted.length
  }
}

/** The engine's own search is the fastest, but it may look at each character once for each of a piece. */
const SHORT_MAX = 32

function shiftAnd(points: readonly number[]): Finder {
  const words = Math.ceil(points.length / 32)
  const anywhere = masksOf(points, ANY, words)
  const masks = new Map<number, Int32Array>()
  for (const point of points) if (point !== ANY) masks.set(point, masksOf(points, point, words))
  const lastBit = 1 << ((points.length - 1) % 32)
  // Shared by all searches: each runs to its end before another begins.
  const matched = new Int32Array(words)
  return (text, from, to) => {
    matched.fill(0)
    for (let at = from; at < to;) {
      const point = text.codePointAt(at)!
      at += point > 0xffff ? 2 : 1
      const mask = masks.get(point) ?? anywhere
      let carry = 1 // a piece may begin at every character
      for (let w = 0; w < words; w++) {
        const before = matched[w]!
        matched[w] = ((before << 1) | carry) & mask[w]!
        carry = before >>> 31
      }
      if ((matched[words - 1]! & lastBit) !== 0) return at
    }
    return NOWHERE
  }
}

/** A bit for each place of the piece where this character fits. */
function masksOf(points: readonly number[], point: number, words: number): Int32Array {
  const mask = new Int32Array(words)
  for (const [i, each] of points.entries()) if (each === ANY || each === point) mask[i >> 5]! |= 1 << (i & 31)
  return mask
}
