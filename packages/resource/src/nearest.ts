// The known word that somebody probably meant.

/**
 * The word nearest to `word`: equal but for case, separators and plural, or within a third of its length by single-letter
 * changes and swaps of neighbours (optimal string alignment distance); `undefined` when none is that near.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > WORD_CHARACTERS_MAX) return undefined
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue
    const changes = distance(stem(word), stem(candidate))
    if (changes < bestDistance) {
      best = candidate
      bestDistance = changes
    }
  }
  return best
}

/**
 * `Did you mean X?` as a hint: the {@link nearest} word; where none is near, those that begin or end as this one does, or
 * that it abbreviates, up to three. `undefined` when there are none, or so many that no single one can be meant.
 *
 * @param prefix what `word` and all of `known` begin with, so that it makes none of them alike
 */
export function didYouMean(word: string, known: Iterable<string>, prefix = ''): string | undefined {
  if (word.length > WORD_CHARACTERS_MAX) return undefined
  const wanted = word.slice(prefix.length)
  const words = [...new Set(known)].map((each) => each.slice(prefix.length))
  const near = nearest(wanted, words)
  const meant = near === undefined ? words.filter((each) => isRelated(wanted, each)) : [near]
  if (meant.length === 0 || meant.length > RELATED_MAX) return undefined
  return `Did you mean ${meant.map((each) => `${prefix}${each}`).join(' or ')}?`
}

/** Of more, none stands out. */
const RELATED_MAX = 3

/**
 * Whether the one is the other with something added (`maxRetries` and retry), left out (`sink`), put in its place
 * (`backoffTime`), or its initials (`dls`).
 */
function isRelated(word: string, known: string): boolean {
  const initials = known.match(/^[a-z]|[A-Z]/g)?.join('') ?? ''
  if (word.length >= INITIALS_MIN && word.toLowerCase() === initials.toLowerCase()) return true
  const [short = '', long = ''] = [stem(word), stem(known)].toSorted((a, b) => a.length - b.length)
  let same = 0
  while (same < short.length && short[same] === long[same]) same++
  const isPart = same === short.length || long.endsWith(short)
  return (isPart ? short.length : same) >= LETTERS_MIN && (isPart || same * 2 >= long.length)
}

const INITIALS_MIN = 3
/** Fewer are in too many words: `format` is nothing like `for`. */
const LETTERS_MIN = 4

/** In lower case, without separators and the ending of a plural. */
function stem(word: string): string {
  return word
    .toLowerCase()
    .replaceAll(/[-_]/g, '')
    .replace(/ies$/, 'y')
    .replace(/(?<!s)s$/, '')
}

/** Longer words are no slips of known ones, and the distance costs the product of the lengths. */
const WORD_CHARACTERS_MAX = 64

function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let changes = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        changes = Math.min(changes, before[j - 2]! + 1)
      }
      row.push(changes)
    }
    before = last
    last = row
  }
  return last[b.length]!
}
