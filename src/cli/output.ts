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

/** Progress appears after this time: shorter work needs none. */
const BEGIN_MILLISECONDS = 1_000
const CLEAR = '\r\x1b[K'
/** Lines are cut at the terminal's edge: of a line that wraps, only the last part could be cleared. */
const [CUT, WRAP] = ['\x1b[?7l', '\x1b[?7h']

/** One line on a terminal that says what is going on. Dispose of it before anything else is printed. */
export class Progress implements Disposable {
  readonly #host: Host
  readonly #since = performance.now()
  #shown = false

  /** Prints nothing unless the standard error is a terminal. */
  constructor(host: Host) {
    this.#host = host
  }

  /** Replaces the line; `text` has no line break. Does nothing in the first second. */
  show(text: string): void {
    if (!this.#host.errIsTerminal || performance.now() - this.#since < BEGIN_MILLISECONDS) return
    this.#shown = true
    this.#host.complain(`${CLEAR}${CUT}${text}${WRAP}`)
  }

  /** Shows `text()` once a second until the result is disposed of. */
  every(text: () => string): Disposable {
    const timer = setInterval(() => this.show(text()), BEGIN_MILLISECONDS)
    return { [Symbol.dispose]: () => clearInterval(timer) }
  }

  clear(): void {
    if (this.#shown) this.#host.complain(CLEAR)
    this.#shown = false
  }

  [Symbol.dispose](): void {
    this.clear()
  }
}
