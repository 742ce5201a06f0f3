/**
 * Long lists as JSON, a batch at a time: each is fetched when the client has taken the one before, so that
 * no list is in memory as a whole.
 */
import type { Page } from './parameters.ts'

/** Items fetched from a database at once. */
const BATCH = 4_096

/** The items of `page`, batch by batch. A table that changes meanwhile may show an item twice or not at all. */
export async function* batches<T>(
  { offset, limit }: Page,
  fetch: (offset: number, limit: number) => Promise<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  for (let rest = limit; rest > 0; ) {
    const size = Math.min(rest, BATCH)
    const items = await fetch(offset, size)
    yield items
    if (items.length < size) return
    offset += size
    rest -= size
  }
}

/** The same sequence with its first item fetched. Rejects when that fails: another answer is still possible then. */
export async function fetchFirst<T>(items: AsyncGenerator<T>): Promise<AsyncGenerator<T>> {
  const first = await items.next()
  return (async function* () {
    try {
      if (!first.done) yield first.value
      yield* items
    } finally {
      await items.return(undefined)
    }
  })()
}

/** A JSON array of items that are JSON already. */
export async function* jsonArray(
  batches: AsyncIterable<readonly string[]> | Iterable<readonly string[]>,
): AsyncGenerator<string> {
  let written = '['
  for await (const items of batches) {
    if (items.length === 0) continue
    yield written + items.join(',')
    written = ','
  }
  yield written === '[' ? '[]' : ']'
}
