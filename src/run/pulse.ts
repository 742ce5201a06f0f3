/**
 * The pulse of a thread: how late its event loop is, which is how long a client or an operator waits for it before
 * anything is done. A timer that comes late tells.
 */
import { type CounterRow, THREAD_AT } from '../memory/counters.ts'

const BEAT_MILLISECONDS = 500
/** The longest delay is shown for one to two of these, so that a reader that comes every ten seconds sees it. */
const WINDOW_BEATS = 10

/** `row`: of the calling thread, see `ThreadCounters`. */
export function startPulse(row: CounterRow): Disposable {
  let due = performance.now() + BEAT_MILLISECONDS
  let beats = 0
  /** Longest delays of this window and of the one before, in milliseconds. */
  let longest = 0
  let before = 0
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - due)
    due = now + BEAT_MILLISECONDS
    row[THREAD_AT.delay] = Math.max(longest, before) / 1000
    if (++beats % WINDOW_BEATS > 0) return
    before = longest
    longest = 0
  }, BEAT_MILLISECONDS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
