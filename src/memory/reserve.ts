/**
 * Shared memory that is reserved large and filled from the front: only what was touched is resident. The
 * one place that knows what the engine's allocator makes of that.
 */

/**
 * Blocks up to a gibibyte come from arenas, where the allocator writes zeroes over what stood there before,
 * and so touches every page of a table that is still empty. Larger ones are the system's, whose pages
 * are zero by themselves.
 */
const ARENA_BYTES = 2 ** 30
/** Below this the zeroes cost less than the address space, which the engine counts as if it were used. */
const SMALL_BYTES = 96 * 2 ** 20

/** At least `bytes` of zeroes. Throws RangeError when the system gives no address space. */
export const reserve = (bytes: number): SharedArrayBuffer =>
  new SharedArrayBuffer(bytes < SMALL_BYTES ? bytes : Math.max(bytes, ARENA_BYTES + 2 ** 20))

/**
 * Called with elements `from` to `to`−1 that are not read before they are written again: whole pages
 * of them may go back to the system. `to` may lie beyond the end.
 */
export type Release = (array: Int32Array | Uint16Array, from: number, to: number) => void
