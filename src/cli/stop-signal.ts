/** The signals that ask a long-running command to end. */
import type { Host } from './host.ts'

/**
 * Ctrl-C reaches every process of the terminal, and a `bun run` in front of us passes it on as well: signals
 * that arrive within this time count as one. A person does not press twice that fast.
 */
const TOGETHER_MILLISECONDS = 200

/** Exit codes of a process that ends at once by such a signal. */
export const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const

/** `promise` resolves with the name of the first SIGINT or SIGTERM; the second one ends the process at once. */
export function stopSignal(host: Host) {
  const { promise, resolve } = Promise.withResolvers<string>()
  let first: number | undefined
  const on = (signal: keyof typeof SIGNALS) => () => {
    first ??= performance.now()
    if (performance.now() - first > TOGETHER_MILLISECONDS) host.exit(SIGNALS[signal])
    resolve(signal)
  }
  const handlers = { SIGINT: on('SIGINT'), SIGTERM: on('SIGTERM') }
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler)
  return {
    promise,
    forget() {
      for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler)
    },
  }
}
