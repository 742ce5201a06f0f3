/**
 * How much the tests do. By default each is run once, with the compiled program where it needs one, and random runs are
 * short: enough to see whether a change breaks something. With TEST_THOROUGH set, as in `.ci/run`, they also run from the
 * source, on any number of threads, for each kind of fault, and long.
 */
export const THOROUGH = process.env.TEST_THOROUGH !== undefined

/** Cases of a test: all of them where the tests are thorough, else the last. */
export const sample = <T>(cases: readonly T[]): readonly T[] => (THOROUGH ? cases : cases.slice(-1))

/** `times` where the tests are thorough, else a part of it. */
export const repeated = (times: number, part = 5): number =>
  THOROUGH ? times : Math.ceil(times / part)
