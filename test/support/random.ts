/** Repeatable dice (xorshift32). A failure prints its seed; `SEED=… bun test` plays it again. */
export const seed = Number(Bun.env.SEED ?? Date.now() % 2 ** 31) | 1

export function dice(state = seed) {
  return (sides: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % sides
  }
}
