/** Calls a function at a rate, and in bursts now and then. Calls that a busy machine misses are not made up for. */

const TICK_MILLISECONDS = 20

export class Pacer {
  readonly #rate: number
  readonly #deed: () => void
  readonly #burst: { readonly size: number; readonly every: number } | undefined
  #timer: Timer | undefined
  #owed = 0
  #since = 0
  #burstAt = 0

  constructor(rate: number, deed: () => void, burst?: { size: number; every: number }) {
    this.#rate = rate
    this.#deed = deed
    this.#burst = burst
  }

  start(): void {
    this.#since = performance.now()
    this.#burstAt = this.#since + (this.#burst?.every ?? Number.POSITIVE_INFINITY)
    this.#timer = setInterval(() => this.#turn(), TICK_MILLISECONDS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #turn(): void {
    const now = performance.now()
    this.#owed = Math.min(this.#rate / 10, this.#owed + ((now - this.#since) * this.#rate) / 1000)
    this.#since = now
    for (; this.#owed >= 1; this.#owed--) this.#deed()
    if (now < this.#burstAt) return
    this.#burstAt = now + this.#burst!.every
    for (let i = 0; i < this.#burst!.size; i++) this.#deed()
  }
}
