/** One line on the standard error that says what is going on, for whoever waits at a terminal. */
import type { Host } from './host.ts'

/** Nobody needs to be told about what is over at once. */
const BEGIN_MILLISECONDS = 1_000
const CLEAR = '\r\x1b[K'
/** A line that is too long is cut where the terminal ends: of one that goes on below only a part could be cleared. */
const [CUT, WRAP] = ['\x1b[?7l', '\x1b[?7h']

/** Silent unless the standard error is a terminal. Dispose of it before anything else is printed. */
export class Progress implements Disposable {
  readonly #host: Host
  readonly #since = performance.now()
  #shown = false

  constructor(host: Host) {
    this.#host = host
  }

  /** Replaces the line; `text` has no line break. Calls in the first second show nothing. */
  show(text: string): void {
    if (!this.#host.errIsTerminal || performance.now() - this.#since < BEGIN_MILLISECONDS) return
    this.#shown = true
    this.#host.complain(`${CLEAR}${CUT}${text}${WRAP}`)
  }

  /** Shows what `text` says once a second until the result is disposed of. */
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
