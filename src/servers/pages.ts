/**
 * Pages of shared memory, on Linux. `release` gives them back to the system: their content is gone, and they take no
 * memory until they are written again. `settle` lets the system make huge ones of them.
 */
import type { Release, Settle } from '../memory/reserve.ts'
import { addressOf, libc } from './libc.ts'
import { LINUX } from './linux.ts'

/** Now (since Linux 6.1, and not yet in the headers of every compiler). */
const MADV_COLLAPSE = 25
const HUGE_BYTES = 2 ** 21

/** undefined: the system has no such call. */
export function pageRelease(): Release | undefined {
  const system = libc()
  if (system === undefined) return undefined
  const page = system.getpagesize()
  return (array, from, to) => {
    const { BYTES_PER_ELEMENT: width } = array
    const start = addressOf(array)
    // Only whole pages inside the array: the memory beside it is in use.
    const first = Math.ceil((start + from * width) / page) * page
    const end = Math.floor((start + Math.min(to, array.length) * width) / page) * page
    // A refusal costs only memory.
    if (first < end) system.madvise(first, end - first, LINUX.MADV_DONTNEED)
  }
}

/** undefined: the system has no such call. `atOnce`: now, however long it takes. */
export function pageSettle(atOnce = false): Settle | undefined {
  const system = libc()
  if (system === undefined) return undefined
  const page = system.getpagesize()
  return (array, used) => {
    const start = addressOf(array)
    const first = Math.ceil(start / HUGE_BYTES) * HUGE_BYTES
    const full = Math.floor((start + used * array.BYTES_PER_ELEMENT) / HUGE_BYTES) * HUGE_BYTES
    const end = Math.floor((start + array.byteLength) / page) * page
    const rest = Math.max(full, Math.ceil(start / page) * page)
    // A refusal costs only time.
    if (first < full) {
      system.madvise(first, full - first, LINUX.MADV_HUGEPAGE)
      if (atOnce) system.madvise(first, full - first, MADV_COLLAPSE)
    }
    if (rest < end) system.madvise(rest, end - rest, LINUX.MADV_NOHUGEPAGE)
  }
}
