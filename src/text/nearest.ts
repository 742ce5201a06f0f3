/** The known word that a mistyped one was probably meant to be, for messages that suggest it. Pure. */

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}

/** The candidate nearest to `word`, the first of equals; undefined if none is near enough. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  // No name is that long: skip the comparison.
  if (word.length > 100) return undefined
  // A quarter of the letters may be wrong.
  let bestDistance = Math.max(1, Math.floor(word.length / 4)) + 1
  for (const candidate of candidates) {
    const steps = distance(word.toLowerCase(), candidate.toLowerCase())
    if (steps < bestDistance && steps < candidate.length) {
      best = candidate
      bestDistance = steps
    }
  }
  return best
}

/** `, did you mean x?`, or nothing if no candidate is near enough. */
export const didYouMean = (word: string, candidates: readonly string[], prefix = ''): string => {
  const name = nearest(word, candidates)
  return name === undefined ? '' : `, did you mean ${prefix}${name}?`
}
