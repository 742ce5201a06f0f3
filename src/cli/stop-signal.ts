/** Signals of who wants a command that goes on by itself to end. */
import type { Host } from './host.ts'

/**
 * Ctrl-C reaches every process of the terminal, and a `bun run` in front of us passes it on besides:
 * what arrives together is one signal. Nobody presses twice as fast.
 */
const TOGETHER_MILLISECONDS = 200

/** What the exit code is where one of them ends the process. */
export const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const

/** The first SIGINT or SIGTERM, by name; the second one ends the process at once. */
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
