/**
 * Long lists as JSON: some items at a time, each lot when the client has taken the one before, so that no
 * list stands in memory as a whole.
 */
import type { Page } from './parameters.ts'

/** Items asked of a database at once. */
const LOT = 4_096

/** `page` of what `fetch` gives, lot by lot; a table that changes meanwhile may show an item twice or not. */
export async function* lots<T>(
  { offset, limit }: Page,
  fetch: (offset: number, limit: number) => Promise<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  for (let rest = limit; rest > 0; ) {
    const size = Math.min(rest, LOT)
    const items = await fetch(offset, size)
    yield items
    if (items.length < size) return
    offset += size
    rest -= size
  }
}

/** The same, with the first lot fetched: what rejects now is still a whole answer. */
export async function begun<T>(items: AsyncGenerator<T>): Promise<AsyncGenerator<T>> {
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
  parts: AsyncIterable<readonly string[]> | Iterable<readonly string[]>,
): AsyncGenerator<string> {
  let written = '['
  for await (const part of parts) {
    if (part.length === 0) continue
    yield written + part.join(',')
    written = ','
  }
  yield written === '[' ? '[]' : ']'
}
