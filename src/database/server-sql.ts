/**
 * The statements of the drivers of database servers: what the dialects share and where they differ. Double
 * quotes mark names in both (the MySQL driver asks for that). `?` is a value; what is between braces is repeated
 * for each row or value, with commas between.
 */
import { KEY_CHARACTERS } from '../bittorrent.ts'
import { MOST_EXPIRED_KEYS } from './contract.ts'
import { HASH_DIGITS, KEY_PATTERN, LARGEST } from './schema.ts'
import type { Row, Session, Value } from './session.ts'

/** Rows of a part: so many that the round trip counts little. */
export const PART_ROWS = 10_000

const SHARED = {
  ping: 'SELECT 1',
  begin: 'START TRANSACTION',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',

  readWhitelist: `SELECT id, info_hash FROM whitelist WHERE id >= ? ORDER BY id LIMIT ${PART_ROWS}`,
  knownHashes: 'SELECT info_hash FROM whitelist WHERE info_hash IN ({?})',
  removeHashes: 'DELETE FROM whitelist WHERE info_hash IN ({?})',

  readKeys: `SELECT id, "key", valid_until FROM "keys" WHERE id >= ? ORDER BY id LIMIT ${PART_ROWS}`,
  addKeys: 'INSERT INTO "keys" ("key", valid_until) VALUES {(?, ?)}',
  addPermanentKeys: 'INSERT INTO "keys" ("key") VALUES {(?)}',
  removeKeys: 'DELETE FROM "keys" WHERE "key" IN ({?})',
  completed: 'SELECT info_hash, completed FROM torrents WHERE info_hash IN ({?})',
  knownTorrents: 'SELECT id, info_hash FROM torrents WHERE info_hash IN ({?})',
  total: 'SELECT value FROM torrent_aggregate_metrics WHERE metric_name = ?',
  lockTotal: 'SELECT value FROM torrent_aggregate_metrics WHERE metric_name = ? FOR UPDATE',
  hasTotal: 'SELECT 1 FROM torrent_aggregate_metrics WHERE metric_name = ?',
  setTotal: 'UPDATE torrent_aggregate_metrics SET value = ? WHERE metric_name = ?',
} as const

/** Statements that the dialects word differently. */
type Worded =
  | 'listWhitelist'
  | 'addHashes'
  | 'listKeys'
  | 'removeExpired'
  | 'addToKnown'
  | 'addToNew'
  | 'addTotal'
  | 'sumOfCompleted'

export type Dialect = Readonly<Record<keyof typeof SHARED | Worded, string>> & {
  /** What every session must be, whatever the defaults of the server are. Limits as in `Server.connect`. */
  settings(lockMilliseconds: number, statementMilliseconds: number): string[]
  /** Limits the time of each further statement of the session; 0 = no limit. */
  limitStatements(milliseconds: number): string
}

// The sign is ignored, and the least number has no absolute value.
const HAS_EXPIRED = 'valid_until < ? AND valid_until > ?'

/** Where both forms of a hash exist, the upper-case one is not listed. */
const IS_ONLY_FORM = `(info_hash = LOWER(info_hash) OR NOT EXISTS
  (SELECT 1 FROM whitelist AS twin WHERE twin.info_hash = LOWER(whitelist.info_hash)))`

/** `count` added to `column`: never more than 64 bits hold; a negative count of another program is 0. */
const sum = (column: string, count: string) =>
  `GREATEST(${column}, 0) + LEAST(${count}, ${LARGEST} - GREATEST(${column}, 0))`

/** Goes behind other settings of MySQL; 0 = no limit. `/*M!` is read by MariaDB only, `/*!5` by MySQL only, for SELECT. */
const mysqlLimit = (milliseconds: number): string =>
  `/*M!100102 , max_statement_time = ${milliseconds / 1_000} */
   /*!50708 , max_execution_time = ${milliseconds} */`

const MYSQL_ADD = `ON DUPLICATE KEY UPDATE completed = ${sum('completed', 'VALUES(completed)')}`

export const MYSQL: Dialect = {
  ...SHARED,
  // REPEATABLE READ, because READ COMMITTED is refused where the binary log holds statements.
  settings(lockMilliseconds, statementMilliseconds) {
    const lockSeconds = Math.max(1, Math.floor(lockMilliseconds / 1_000))
    return [
      'SET NAMES utf8mb4',
      `SET SESSION autocommit = 1,
      sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION',
      lock_wait_timeout = ${lockSeconds}, innodb_lock_wait_timeout = ${lockSeconds}
      ${mysqlLimit(statementMilliseconds)}`,
      'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
    ]
  },
  limitStatements: (milliseconds) => `SET SESSION autocommit = 1 ${mysqlLimit(milliseconds)}`,
  sumOfCompleted: `SELECT CAST(LEAST(COALESCE(SUM(GREATEST(completed, 0)), 0), ${Number.MAX_SAFE_INTEGER}) AS CHAR)
        FROM torrents`,
  // UNHEX gives NULL for everything that is not hexadecimal.
  listWhitelist: `SELECT info_hash FROM whitelist
    WHERE CHAR_LENGTH(info_hash) = ${HASH_DIGITS} AND UNHEX(info_hash) IS NOT NULL AND ${IS_ONLY_FORM}
      AND CAST(info_hash AS BINARY)
        IN (CAST(LOWER(info_hash) AS BINARY), CAST(UPPER(info_hash) AS BINARY))
    ORDER BY info_hash LIMIT ? OFFSET ?`,
  addHashes: 'INSERT INTO whitelist (info_hash) VALUES {(?)} ON DUPLICATE KEY UPDATE id = id',
  listKeys: `SELECT "key", valid_until FROM "keys"
    WHERE LENGTH("key") = ${KEY_CHARACTERS} AND "key" REGEXP '${KEY_PATTERN}'
    ORDER BY CAST("key" AS BINARY) LIMIT ? OFFSET ?`,
  // In order, so that a replica that repeats the statement removes the same rows.
  removeExpired: `DELETE FROM "keys" WHERE ${HAS_EXPIRED} ORDER BY id LIMIT ${MOST_EXPIRED_KEYS}`,
  addToKnown: `INSERT INTO torrents (id, info_hash, completed) VALUES {(?, ?, ?)} ${MYSQL_ADD}`,
  addToNew: `INSERT INTO torrents (info_hash, completed) VALUES {(?, ?)} ${MYSQL_ADD}`,
  addTotal: `INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES (?, ?)
    ON DUPLICATE KEY UPDATE id = id`,
}

const POSTGRES_ADD = `ON CONFLICT (info_hash)
  DO UPDATE SET completed = ${sum('torrents.completed', 'excluded.completed')}`

export const POSTGRES: Dialect = {
  ...SHARED,
  settings: (lockMilliseconds, statementMilliseconds) => [
    `SET client_encoding = 'UTF8'`,
    'SET standard_conforming_strings = on',
    `SET default_transaction_isolation = 'read committed'`,
    `SET lock_timeout = ${lockMilliseconds}`,
    `SET statement_timeout = ${statementMilliseconds}`,
  ],
  limitStatements: (milliseconds) => `SET statement_timeout = ${milliseconds}`,
  sumOfCompleted: `SELECT LEAST(COALESCE(SUM(GREATEST(completed, 0)), 0), ${Number.MAX_SAFE_INTEGER})::text
        FROM torrents`,
  listWhitelist: `SELECT info_hash FROM whitelist
    WHERE info_hash ~ '^([0-9a-f]{${HASH_DIGITS}}|[0-9A-F]{${HASH_DIGITS}})$' AND ${IS_ONLY_FORM}
    ORDER BY info_hash COLLATE "C" LIMIT ? OFFSET ?`,
  addHashes: 'INSERT INTO whitelist (info_hash) VALUES {(?)} ON CONFLICT DO NOTHING',
  listKeys: `SELECT "key", valid_until FROM "keys" WHERE "key" ~ '${KEY_PATTERN}'
    ORDER BY "key" COLLATE "C" LIMIT ? OFFSET ?`,
  removeExpired: `DELETE FROM "keys" WHERE id IN
    (SELECT id FROM "keys" WHERE ${HAS_EXPIRED} LIMIT ${MOST_EXPIRED_KEYS})`,
  addToKnown: `INSERT INTO torrents (id, info_hash, completed) VALUES {(?, ?, ?)} ${POSTGRES_ADD}`,
  addToNew: `INSERT INTO torrents (info_hash, completed) VALUES {(?, ?)} ${POSTGRES_ADD}`,
  addTotal: `INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES (?, ?)
    ON CONFLICT DO NOTHING`,
}

/**
 * The most rows of one statement. Servers keep what they prepared for every text they have seen, so
 * there must be few texts: rows are sent in powers of two.
 */
const MOST_ROWS = 1_024

const repeated = (statement: string, count: number): string =>
  statement.replace(/\{(.*)\}/, (_, one: string) => Array(count).fill(one).join(', '))

/** Runs `statement` with every row. The number of rows that it changed. */
export async function batch(
  session: Session,
  statement: string,
  rows: readonly (readonly Value[])[],
): Promise<number> {
  let changed = 0
  for (let done = 0, now: number; done < rows.length; done += now) {
    now = Math.min(MOST_ROWS, 2 ** Math.floor(Math.log2(rows.length - done)))
    changed += await session.write(repeated(statement, now), rows.slice(done, done + now).flat())
  }
  return changed
}

/** What `statement` selects for a list of values; the first value fills it up to a power of two. */
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
