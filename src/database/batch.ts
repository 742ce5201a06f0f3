/**
 * One statement for many rows. Servers keep what they prepared for every text they have seen, so the
 * texts must be few: a batch is cut into powers of two.
 */
import { repeated } from './server-sql.ts'
import type { Row, Session, Value } from './session.ts'

const MOST_ROWS = 1_024

/** The largest power of two that `count` holds, and that one statement may. */
const portion = (count: number): number => Math.min(MOST_ROWS, 2 ** Math.floor(Math.log2(count)))

/** Does `statement` with every row. How many rows it changed in all. */
export async function batch(
  session: Session,
  statement: string,
  rows: readonly (readonly Value[])[],
): Promise<number> {
  let changed = 0
  for (let done = 0, now: number; done < rows.length; done += now) {
    now = portion(rows.length - done)
    changed += await session.write(repeated(statement, now), rows.slice(done, done + now).flat())
  }
  return changed
}

/** What `statement` selects for a list of values; the last one fills it up to a power of two. */
export async function padded(
  session: Session,
  statement: string,
  values: readonly string[],
): Promise<Row[]> {
  const found: Row[] = []
  for (let done = 0; done < values.length; done += MOST_ROWS) {
    const now = values.slice(done, done + MOST_ROWS)
    const room = 2 ** Math.ceil(Math.log2(now.length))
    while (now.length < room) now.push(now[0]!)
    found.push(...(await session.rows(repeated(statement, room), now)))
  }
  return found
}
