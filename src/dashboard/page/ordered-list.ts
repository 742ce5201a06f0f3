/** Lists of the API that ascend, and are shown page by page. */
import { ask } from './api.ts'

/**
 * How many entries stand before the first that is not below `start`. The API cannot search, but its lists ascend: about
 * twenty questions find a place in a million.
 */
export async function placeOf<T>(
  path: string,
  start: string,
  nameOf: (entry: T) => string,
  signal: AbortSignal,
): Promise<number> {
  if (start === '') return 0
  const reaches = async (offset: number): Promise<boolean> => {
    const [entry] = await ask<readonly T[]>(`${path}?offset=${offset}&limit=1`, { signal })
    return entry === undefined || nameOf(entry) >= start
  }
  let low = 0
  let high = 0
  while (!(await reaches(high))) {
    low = high + 1
    high = high * 2 + 1
  }
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (await reaches(middle)) high = middle
    else low = middle + 1
  }
  return high
}

/** `size` entries that begin with `start`, behind the first `offset` of them. */
export async function partOf<T>(
  path: string,
  {
    start,
    offset,
    size,
  }: { readonly start: string; readonly offset: number; readonly size: number },
  nameOf: (entry: T) => string,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const place = await placeOf(path, start, nameOf, signal)
  const entries = await ask<readonly T[]>(`${path}?offset=${place + offset}&limit=${size}`, {
    signal,
  })
  return entries.filter((entry) => nameOf(entry).startsWith(start))
}
