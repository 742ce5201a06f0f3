/** Waits for what another thread or process does: looks often, and gives up with a reason. */

const LOOK_EVERY_MILLISECONDS = 10

/** The first value that is neither undefined nor false. Rejects when there is none for `patience` ms. */
export async function until<T>(
  what: string | (() => string),
  look: () => T | undefined | false | Promise<T | undefined | false>,
  patience = 10_000,
): Promise<T> {
  const end = performance.now() + patience
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (performance.now() > end)
      throw new Error(`waited ${patience} ms in vain: ${typeof what === 'string' ? what : what()}`)
    await Bun.sleep(LOOK_EVERY_MILLISECONDS)
  }
}
