/**
 * Shared memory that is reserved large and filled from the front: only touched pages are resident. The one
 * place that knows how the engine's allocator behaves there.
 */

/**
 * Blocks up to a gibibyte come from arenas, where the allocator clears what stood there before and so touches
 * every page of a table that is still empty. Larger blocks come from the system, whose pages are zero already.
 */
const ARENA_BYTES = 2 ** 30
/** Below this, clearing costs less than address space, which the engine counts as if it were used. */
const SMALL_BYTES = 96 * 2 ** 20

/** At least `bytes` of zeroes. Throws RangeError when the system gives no address space. */
export const reserve = (bytes: number): SharedArrayBuffer =>
  new SharedArrayBuffer(bytes < SMALL_BYTES ? bytes : Math.max(bytes, ARENA_BYTES + 2 ** 20))

/**
 * Called with elements `from` to `to`−1 that will be written before they are read again: whole pages of them
 * may go back to the system. `to` may lie beyond the end.
 */
export type Release = (array: Int32Array | Uint16Array, from: number, to: number) => void

/**
 * Called with how many elements of an array are in use, from its front on. Their memory may become huge pages, which
 * the processor finds faster. The rest must not: a huge page is resident once a byte of it was written.
 */
export type Settle = (array: Int32Array | Uint16Array, used: number) => void
