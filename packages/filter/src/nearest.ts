// The known word that somebody probably meant.

/**
 * The word that becomes a known one by one change of a letter, or by two where that one is long enough for them to be a
 * slip: a letter put in, left out, changed, or swapped with its neighbour. `undefined` when none is that near.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  return (
    known.find((each) => isWithin(1, word, each)) ?? known.find((each) => each.length > 3 && isWithin(2, word, each))
  )
}

function isWithin(changes: number, a: string, b: string): boolean {
  let same = 0
  while (same < a.length && a[same] === b[same]) same++
  const [restA, restB] = [a.slice(same), b.slice(same)]
  if (restA === restB) return true
  if (changes === 0 || Math.abs(restA.length - restB.length) > changes) return false
  const isSwap = restA.length > 1 && restA[0] === restB[1] && restA[1] === restB[0]
  return (
    (isSwap && isWithin(changes - 1, restA.slice(2), restB.slice(2))) ||
    isWithin(changes - 1, restA.slice(1), restB.slice(1)) ||
    isWithin(changes - 1, restA.slice(1), restB) ||
    isWithin(changes - 1, restA, restB.slice(1))
  )
}
