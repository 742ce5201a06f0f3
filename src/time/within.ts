/** A promise with a time limit. */

/** Rejects with `late` when `work` takes longer; what becomes of it then is of no interest. */
export async function within<T>(work: Promise<T>, milliseconds: number, late: unknown): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(reject, milliseconds, late)
  work.catch(() => {})
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}
