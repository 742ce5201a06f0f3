/** How important a line of the log is. */

/** From the most important to the least. */
export const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const
export type Level = (typeof LEVELS)[number]
/** Least important level that is let through; `off` lets nothing through. */
export type LevelFilter = Level | 'off'

/** The larger, the less important. */
export const RANKS: Readonly<Record<LevelFilter, number>> = {
  off: -1,
  error: 0,
  warn: 1,
  info: 2,
  debug: 3,
  trace: 4,
}
