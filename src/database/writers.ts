/**
 * What makes a write count once, however often it is tried, and however many trackers share the database: each is
 * named by its writer and a number, which are stored in the same transaction. A writer does one write at a time.
 */
import type { BatchName } from '../accounting/batch.ts'
import { systemClock } from '../time/clock.ts'
import { batch, type Dialect } from './dialects.ts'
import { type Session, wholeNumber } from './session.ts'

/** A writer that was not seen for so long has ended: nothing of it will be tried again. */
const KEPT_SECONDS = 30n * 86_400n

const now = (): bigint => BigInt(systemClock.seconds())

/**
 * Notes that this transaction does the write. The id of the writer's row; undefined: the write was done before, so
 * nothing of it may be done now.
 *
 * The transaction must have locked what all writes of its kind lock, and have read nothing before that: then an
 * earlier try has ended, and is seen.
 */
export async function noteWrite(
  session: Session,
  sql: Dialect,
  { writer, number }: BatchName,
): Promise<number | undefined> {
  const [row] = await session.rows(sql.writer, [writer])
  if (row === undefined) {
    await session.write(sql.addWriter, [writer, BigInt(number), now()])
    const [added] = await session.rows(sql.writer, [writer])
    return Number(added![0])
  }
  const [id, last] = row.map(wholeNumber)
  if (last! >= BigInt(number)) return undefined
  await session.write(sql.setWriter, [BigInt(number), now(), id!])
  return Number(id)
}

/** Only rows of writers that have ended are locked: others write meanwhile. */
export async function removeEndedWriters(session: Session, sql: Dialect): Promise<void> {
  const ended = await session.rows(sql.endedWriters, [now() - KEPT_SECONDS])
  const ids = ended.map(([id]) => [wholeNumber(id)])
  await batch(session, sql.removeWriters, ids)
}
