/** Many entries that were pasted, one a line: all of them are checked before anything is sent. */

export type Line<T> =
  | { readonly entry: T; readonly name: string }
  | { readonly mistake: string }
  /** Blank. */
  | undefined

export type Wrong = { readonly line: number; readonly text: string; readonly mistake: string }
export type Checked<T> = {
  readonly entries: readonly T[]
  /** How many lines repeat another one. */
  readonly repeated: number
  /** How many lines are wrong, and the first of them. */
  readonly mistakes: number
  readonly wrong: readonly Wrong[]
}

/** Lines between which the browser may do something else. */
const SLICE = 1_000
const MOST_SHOWN = 100
const SHOWN_CHARACTERS = 80

/** A comment stands behind `#`, in a line of its own or after a blank. */
const withoutComment = (line: string): string => line.replace(/(^|\s)#.*$/, '').trim()

/** undefined: `signal` was aborted. */
export async function checkLines<T>(
  text: string,
  read: (line: string) => Line<T>,
  signal: AbortSignal,
): Promise<Checked<T> | undefined> {
  const entries: T[] = []
  const names = new Set<string>()
  const wrong: Wrong[] = []
  let mistakes = 0
  let repeated = 0
  for (const [i, line] of text.split(/\r\n|\n|\r/).entries()) {
    if (i % SLICE === SLICE - 1) {
      await nextTurn()
      if (signal.aborted) return undefined
    }
    const word = withoutComment(line)
    const found = word === '' ? undefined : read(word)
    if (found === undefined) continue
    if ('mistake' in found) {
      mistakes++
      if (wrong.length < MOST_SHOWN)
        wrong.push({ line: i + 1, text: word.slice(0, SHOWN_CHARACTERS), mistake: found.mistake })
    } else if (names.has(found.name)) repeated++
    else {
      names.add(found.name)
      entries.push(found.entry)
    }
  }
  return { entries, repeated, mistakes, wrong }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

/** Sends `size` entries at a time. `tell` hears how many are done; rejects as soon as some are not. */
export async function sendInParts<T>(
  entries: readonly T[],
  size: number,
  send: (part: readonly T[]) => Promise<void>,
  tell: (done: number) => void,
): Promise<void> {
  for (let at = 0; at < entries.length; at += size) {
    await send(entries.slice(at, at + size))
    tell(Math.min(entries.length, at + size))
  }
}
