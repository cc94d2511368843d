// The known word that somebody probably meant.

/**
 * The word nearest to `word`: equal but for its case, or within a third of its length by single-letter changes and
 * swaps of neighbours (optimal string alignment distance); `undefined` when none is that near.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > WORD_CHARACTERS_MAX) return undefined
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue
    const changes = distance(word.toLowerCase(), candidate.toLowerCase())
    if (changes < bestDistance) {
      best = candidate
      bestDistance = changes
    }
  }
  return best
}

/** ` Did you mean X?` as a hint, or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  const found = nearest(word, known)
  return found === undefined ? undefined : `Did you mean ${found}?`
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
