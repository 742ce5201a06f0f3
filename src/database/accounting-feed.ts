/** What changed since a write, and what is so old that it goes. */

import { erasedAccounts } from './accounting-accounts.ts'
import type { Changes } from './accounting-contract.ts'
import { numberIn, readAccount, readRecord, readTorrent } from './accounting-rows.ts'
import { STATE } from './accounting-schema.ts'
import type { AccountingDialect } from './accounting-sql.ts'
import type { Turn } from './accounting-turn.ts'
import { PART_ROWS, writePadded } from './dialects.ts'
import type { Session, Value } from './session.ts'

/**
 * Not a snapshot: a row that is written meanwhile has a greater number than the answer reaches to, and comes again in
 * the next one.
 */
export async function changes(
  session: Session,
  sql: AccountingDialect,
  after: number,
  limit: number,
): Promise<Changes> {
  const [state] = await session.rows(sql.state, [STATE.sequence])
  const last = numberIn(state?.[0])
  const erased = (await erasedAccounts(session, sql)).filter(({ batch }) => batch > after)
  const batches = erased.map(({ batch }) => batch)
  for (const table of [sql.accountBatches, sql.torrentBatches, sql.recordBatches]) {
    const rows = await session.rows(table, [BigInt(after), BigInt(limit)])
    batches.push(...rows.map(([batch]) => numberIn(batch)))
  }
  // The write that completes the page is in it as a whole.
  const full = batches.sort((a, b) => a - b)[Math.max(limit, 1) - 1]
  const next = Math.min(full ?? last, last)
  const range = [BigInt(after), BigInt(next)]
  return {
    accounts: (await session.rows(sql.changedAccounts, range)).map(readAccount),
    torrents: (await session.rows(sql.changedTorrents, range)).map(readTorrent),
    records: (await session.rows(sql.changedRecords, range)).map(readRecord),
    deleted: erased.filter(({ batch }) => batch <= next).map(({ id }) => id),
    next,
    isLast: next === last,
  }
}

export type Before = { readonly sessions: number; readonly flags: number; readonly tokens: number }

/** The number of rows that it removed. */
export async function purge(turn: Turn, before: Before): Promise<number> {
  const { session, sql } = turn
  const old = async (statement: string, second: number): Promise<Value[][]> =>
    (await session.rows(statement, [BigInt(second)])) as Value[][]

  const sessions = await old(sql.oldSessions, before.sessions)
  const records = sessions.map(([account, torrent]) => [account!, torrent!])
  const silent = [turn.sequence, BigInt(before.sessions)]
  const ended = await writePadded(session, sql.endRecords, silent, records)
  if (ended > 0) await turn.end()
  const erased = (await erasedAccounts(session, sql)).filter(({ at }) => at < before.sessions)
  const names = erased.map(({ name }) => name)
  return (
    (await writePadded(session, sql.removeSessions, [], sessions)) +
    (await writePadded(session, sql.removeState, [], names)) +
    (await writePadded(session, sql.removeFlags, [], await old(sql.oldFlags, before.flags))) +
    (await writePadded(session, sql.removeToken, [], await old(sql.oldTokens, before.tokens)))
  )
}

/**
 * Removes those of the accounts' keys, some thousands after `from`, that are keys no longer: others remove keys, too.
 * Where to go on; undefined: that was the end.
 */
export async function purgeKeys(
  { session, sql }: Turn,
  from: string,
): Promise<{ readonly count: number; readonly next: string | undefined }> {
  const rows = await session.rows(sql.mappings, [from])
  const gone = rows.filter(([, key]) => key === null).map(([name]) => String(name))
  const count = await writePadded(session, sql.removeMappings, [], gone)
  return { count, next: rows.length < PART_ROWS ? undefined : String(rows.at(-1)![0]) }
}
