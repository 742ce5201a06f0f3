/**
 * Gives pages of shared memory back to the system, on Linux: their content is gone, and they take no memory
 * until they are written again.
 */
import type { Release } from '../memory/reserve.ts'
import { addressOf, libc } from './libc.ts'
import { LINUX } from './linux.ts'

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
