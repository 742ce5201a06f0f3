/**
 * Gives pages of shared memory back to the system, on Linux: what was in them is gone, and they take no
 * memory until they are written again.
 */
import type { Release } from '../memory/reserve.ts'
import { addressOf, libc } from './libc.ts'

const MADV_DONTNEED = 4

/** undefined: there is no way to. */
export function pageRelease(): Release | undefined {
  const system = libc()
  if (system === undefined) return undefined
  const page = system.getpagesize()
  return (array, from, to) => {
    const { BYTES_PER_ELEMENT: width } = array
    const start = addressOf(array)
    // Whole pages alone, and inside the array: beside it lies what is in use.
    const first = Math.ceil((start + from * width) / page) * page
    const end = Math.floor((start + Math.min(to, array.length) * width) / page) * page
    // A refusal costs memory, nothing else.
    if (first < end) system.madvise(first, end - first, MADV_DONTNEED)
  }
}
