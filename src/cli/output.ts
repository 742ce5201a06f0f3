/** What a command prints: its result on the standard output, its progress on the standard error. */
import type { Host } from './host.ts'
import { type Invocation, optionValue } from './invocation.ts'

/** Whether the result is wanted as text for people: by `--format`, or because a terminal shows it. */
export const wantsText = (host: Host, invocation: Invocation): boolean =>
  (optionValue(invocation, 'format') ?? (host.outIsTerminal ? 'text' : 'json')) === 'text'

/**
 * Prints text for people, or one JSON document for programs. `text` makes the lines, each with its newline; it is
 * called only if they are wanted.
 */
export function printResult(
  host: Host,
  invocation: Invocation,
  result: unknown,
  text: () => string,
): void {
  if (wantsText(host, invocation)) host.print(text())
  // One line in a pipe, as the reference's tools print it; indented on a terminal.
  else host.print(`${JSON.stringify(result, null, host.outIsTerminal ? 2 : 0)}\n`)
}

/** Shorter work needs no progress. */
const EVERY_MILLISECONDS = 1_000
const CLEAR = '\r\x1b[K'
/** Lines are cut at the terminal's edge: of a line that wraps, only the last part could be cleared. */
const [CUT, WRAP] = ['\x1b[?7l', '\x1b[?7h']

/**
 * Shows `text()`, which has no line break, once a second where the standard error is a terminal. Dispose of it before
 * anything else is printed: that clears the line.
 */
export function showProgress(host: Host, text: () => string): Disposable {
  if (!host.errIsTerminal) return { [Symbol.dispose]: () => {} }
  let isShown = false
  const timer = setInterval(() => {
    isShown = true
    host.complain(`${CLEAR}${CUT}${text()}${WRAP}`)
  }, EVERY_MILLISECONDS)
  return {
    [Symbol.dispose]() {
      clearInterval(timer)
      if (isShown) host.complain(CLEAR)
      isShown = false
    },
  }
}
