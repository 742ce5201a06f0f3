/** Wall-clock time as an argument: the only file that asks the system for it. */
export interface Clock {
  /** Whole seconds since the Unix epoch. */
  seconds(): number
  /** Milliseconds since the Unix epoch. */
  milliseconds(): number
}

export const systemClock: Clock = {
  seconds: () => Math.floor(Date.now() / 1000),
  milliseconds: () => Date.now(),
}
