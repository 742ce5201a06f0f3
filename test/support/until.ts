/** Waits for another thread or process: looks often, and gives up with a reason. */

/** Far more than anything takes, however busy the machine is: it only ends what hangs. */
export const PATIENCE_MILLISECONDS = 60_000
const LOOK_EVERY_MILLISECONDS = 10

/** The first value that is neither undefined nor false. Rejects when there is none for a minute. */
export async function until<T>(
  what: string | (() => string),
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const end = performance.now() + PATIENCE_MILLISECONDS
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (performance.now() > end)
      throw new Error(`waited a minute in vain: ${typeof what === 'string' ? what : what()}`)
    await Bun.sleep(LOOK_EVERY_MILLISECONDS)
  }
}
