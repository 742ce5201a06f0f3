/** Chance for choosing peers: xorshift32, one per thread, seeded by whoever makes it. Not a secret. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 1
  }

  /** 0 … below−1. */
  roll(below: number): number {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state
    return (state & 0x7fff_ffff) % below
  }
}
