/** How long somebody waits for work of which nobody knows whether it ever ends. */

/** What work is rejected with that took too long. */
export class TooLate extends Error {}

/** What is left of the time that a call may take. */
export class Patience {
  readonly #late = new AbortController()
  readonly #timer: ReturnType<typeof setTimeout>

  constructor(milliseconds: number) {
    this.#timer = setTimeout(() => this.#late.abort(new TooLate()), milliseconds)
  }

  get signal(): AbortSignal {
    return this.#late.signal
  }

  get over(): boolean {
    return this.signal.aborted
  }

  /** Rejects when time is up, even if the work itself never ends. */
  bear<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.signal.throwIfAborted()
      const giveUp = () => reject(this.signal.reason)
      this.signal.addEventListener('abort', giveUp)
      work()
        .then(resolve, reject)
        .finally(() => this.signal.removeEventListener('abort', giveUp))
    })
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

export async function withinPatience<T>(
  milliseconds: number,
  work: (patience: Patience) => Promise<T>,
): Promise<T> {
  const patience = new Patience(milliseconds)
  try {
    return await work(patience)
  } finally {
    patience.end()
  }
}
