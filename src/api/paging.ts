/**
 * Long lists as JSON, a batch at a time: each is fetched when the client has taken the one before, so that
 * no list is in memory as a whole.
 */
import { tryDatabase } from './failures.ts'

export type Page = { readonly offset: number; readonly limit: number }

/** Items fetched from a database at once. */
const BATCH = 4_096

/**
 * The items of a page, batch by batch. A table that changes meanwhile may show an item twice or not at all. `what`
 * is said to be tried when the database fails.
 */
export async function* batches<T>(
  what: string,
  { offset, limit }: Page,
  fetch: (offset: number, limit: number) => Promise<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  for (let rest = limit; rest > 0; ) {
    const size = Math.min(rest, BATCH)
    const items = await tryDatabase(what, () => fetch(offset, size))
    yield items
    if (items.length < size) return
    offset += size
    rest -= size
  }
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
