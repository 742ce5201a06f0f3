/**
 * The statements of the contract: what the dialects share and where they differ. Double quotes mark names in all
 * of them (the MySQL driver asks for that). `?` is a value; what is between braces is repeated for each row or
 * value, with commas between.
 */
import { INFO_HASH_BYTES, KEY_CHARACTERS } from '../bittorrent.ts'
import { type KeyRow, MOST_EXPIRED_KEYS } from './contract.ts'
import { HASH_DIGITS, LARGEST } from './schema.ts'
import type { Row, Session, Value } from './session.ts'

/** Rows of a part: so many that the round trip counts little, and few enough for SQLite to read them in 10 ms. */
export const PART_ROWS = 10_000

const TOTAL = 'SELECT value FROM torrent_aggregate_metrics WHERE metric_name = ?'

const SHARED = {
  readWhitelist: `SELECT id, info_hash FROM whitelist WHERE id >= ? ORDER BY id LIMIT ${PART_ROWS}`,
  knownHashes: 'SELECT info_hash FROM whitelist WHERE info_hash IN ({?})',
  removeHashes: 'DELETE FROM whitelist WHERE info_hash IN ({?})',
  readKeys: `SELECT id, "key", valid_until FROM "keys" WHERE id >= ? ORDER BY id LIMIT ${PART_ROWS}`,
  addKeys: 'INSERT INTO "keys" ("key", valid_until) VALUES {(?, ?)}',
  addPermanentKeys: 'INSERT INTO "keys" ("key") VALUES {(?)}',
  removeKeys: 'DELETE FROM "keys" WHERE "key" IN ({?})',
  completed: 'SELECT info_hash, completed FROM torrents WHERE info_hash IN ({?})',
  knownTorrents: 'SELECT id, info_hash FROM torrents WHERE info_hash IN ({?})',
  total: TOTAL,
  /** Other writers wait until the end of the transaction. */
  lockTotal: `${TOTAL} FOR UPDATE`,
  setTotal: 'UPDATE torrent_aggregate_metrics SET value = ? WHERE metric_name = ?',
  writer: 'SELECT id, batch FROM tracker_writers WHERE writer = ?',
  addWriter: 'INSERT INTO tracker_writers (writer, batch, seen) VALUES (?, ?, ?)',
  setWriter: 'UPDATE tracker_writers SET batch = ?, seen = ? WHERE id = ?',
  endedWriters: 'SELECT id FROM tracker_writers WHERE seen < ?',
  removeWriters: 'DELETE FROM tracker_writers WHERE id IN ({?})',
} as const

const ADD = {
  hashes: 'INSERT INTO whitelist (info_hash) VALUES {(?)}',
  toKnown: 'INSERT INTO torrents (id, info_hash, completed) VALUES {(?, ?, ?)}',
  toNew: 'INSERT INTO torrents (info_hash, completed) VALUES {(?, ?)}',
  total: 'INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES (?, ?)',
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
  | 'sumOfPart'

export type Dialect = Readonly<Record<keyof typeof SHARED | Worded, string>>

// The rules of schema.ts, and fast: a listing passes over every row that it skips.
const listWhitelist = (isHash: string, order = 'info_hash') =>
  // Where both forms of a hash exist, the upper-case one is not listed.
  `SELECT info_hash FROM whitelist WHERE ${isHash} AND (info_hash = LOWER(info_hash) OR NOT EXISTS
    (SELECT 1 FROM whitelist AS twin WHERE twin.info_hash = LOWER(whitelist.info_hash)))
  ORDER BY ${order} LIMIT ? OFFSET ?`
const listKeys = (isKey: string, order: string) =>
  `SELECT "key", valid_until FROM "keys" WHERE ${isKey} ORDER BY ${order} LIMIT ? OFFSET ?`

/** `KEY_CHARACTERS` letters and digits. */
const KEY_PATTERN = `'^[0-9A-Za-z]{${KEY_CHARACTERS}}$'`
/** Whether a row of "keys" means something. */
export const IS_KEY = {
  mysql: `LENGTH("key") = ${KEY_CHARACTERS} AND "key" REGEXP ${KEY_PATTERN}`,
  postgres: `"key" ~ ${KEY_PATTERN}`,
  sqlite: `typeof("key") = 'text' AND length("key") = ${KEY_CHARACTERS} AND "key" NOT GLOB '*[^0-9A-Za-z]*'
      AND typeof(valid_until) IN ('integer', 'null')`,
} as const

// The sign is ignored, and the least number has no absolute value.
const HAS_EXPIRED = 'valid_until < ? AND valid_until > ?'
const removeExpired = (hasExpired: string) =>
  `DELETE FROM "keys" WHERE id IN (SELECT id FROM "keys" WHERE ${hasExpired} LIMIT ${MOST_EXPIRED_KEYS})`

/** `count` added to `column`: never more than 64 bits hold; a negative count of another program is 0. */
export const sum = (column: string, count: string, [most, least] = ['GREATEST', 'LEAST']) =>
  `${most}(${column}, 0) + ${least}(${count}, ${LARGEST} - ${most}(${column}, 0))`

/** Rows that are summed between two looks at the time; their last id and their sum. */
const sumOfPart = (total: string) =>
  `SELECT MAX(id), ${total}(CASE WHEN completed > 0 THEN completed ELSE 0 END)
  FROM (SELECT id, completed FROM torrents WHERE id > ? ORDER BY id LIMIT 100000) AS part`

const MYSQL_ADD = `ON DUPLICATE KEY UPDATE completed = ${sum('completed', 'VALUES(completed)')}`

export const MYSQL: Dialect = {
  ...SHARED,
  // UNHEX gives NULL for everything that is not hexadecimal.
  listWhitelist: listWhitelist(
    `CHAR_LENGTH(info_hash) = ${HASH_DIGITS} AND UNHEX(info_hash) IS NOT NULL AND
      CAST(info_hash AS BINARY) IN (CAST(LOWER(info_hash) AS BINARY), CAST(UPPER(info_hash) AS BINARY))`,
  ),
  addHashes: `${ADD.hashes} ON DUPLICATE KEY UPDATE id = id`,
  listKeys: listKeys(IS_KEY.mysql, 'CAST("key" AS BINARY)'),
  // In order, so that a replica that repeats the statement removes the same rows.
  removeExpired: `DELETE FROM "keys" WHERE ${HAS_EXPIRED} ORDER BY id LIMIT ${MOST_EXPIRED_KEYS}`,
  addToKnown: `${ADD.toKnown} ${MYSQL_ADD}`,
  addToNew: `${ADD.toNew} ${MYSQL_ADD}`,
  addTotal: `${ADD.total} ON DUPLICATE KEY UPDATE id = id`,
  sumOfPart: sumOfPart('SUM'),
}

const POSTGRES_ADD = `ON CONFLICT (info_hash)
  DO UPDATE SET completed = ${sum('torrents.completed', 'excluded.completed')}`

export const POSTGRES: Dialect = {
  ...SHARED,
  listWhitelist: listWhitelist(
    `info_hash ~ '^([0-9a-f]{${HASH_DIGITS}}|[0-9A-F]{${HASH_DIGITS}})$'`,
    'info_hash COLLATE "C"',
  ),
  addHashes: `${ADD.hashes} ON CONFLICT DO NOTHING`,
  listKeys: listKeys(IS_KEY.postgres, '"key" COLLATE "C"'),
  removeExpired: removeExpired(HAS_EXPIRED),
  addToKnown: `${ADD.toKnown} ${POSTGRES_ADD}`,
  addToNew: `${ADD.toNew} ${POSTGRES_ADD}`,
  addTotal: `${ADD.total} ON CONFLICT DO NOTHING`,
  sumOfPart: sumOfPart('SUM'),
}

const SQLITE_ADD = `ON CONFLICT
  DO UPDATE SET completed = ${sum('completed', 'excluded.completed', ['MAX', 'MIN'])}`

// Columns hold values of every type there.
export const SQLITE: Dialect = {
  ...SHARED,
  // A transaction is the only one that writes.
  lockTotal: TOTAL,
  listWhitelist: listWhitelist(
    `typeof(info_hash) = 'text' AND length(unhex(info_hash)) = ${INFO_HASH_BYTES}
      AND info_hash IN (LOWER(info_hash), UPPER(info_hash))`,
  ),
  addHashes: `${ADD.hashes} ON CONFLICT DO NOTHING`,
  listKeys: listKeys(IS_KEY.sqlite, '"key"'),
  removeExpired: removeExpired(`typeof(valid_until) = 'integer' AND ${HAS_EXPIRED}`),
  addToKnown: `${ADD.toKnown} ${SQLITE_ADD}`,
  addToNew: `${ADD.toNew} ${SQLITE_ADD}`,
  addTotal: `${ADD.total} ON CONFLICT DO NOTHING`,
  // It adds up floating-point numbers: exact as far as the tracker counts, and it cannot overflow.
  sumOfPart: sumOfPart('TOTAL'),
}

/**
 * The most rows of one statement. Databases keep what they prepared for every text they have seen, so
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

/** What `statement` selects for a list of values or tuples; the first one fills it up to a power of two. */
export async function padded(
  session: Session,
  statement: string,
  values: readonly (Value | readonly Value[])[],
  after: readonly Value[] = [],
): Promise<Row[]> {
  const found: Row[] = []
  for (const [sql, now] of pieces(statement, values))
    found.push(...(await session.rows(sql, [...now, ...after])))
  return found
}

/** Keys that must not exist yet. */
export async function insertKeys(
  session: Session,
  sql: Dialect,
  rows: readonly KeyRow[],
): Promise<void> {
  const ending = rows.filter((row) => row.validUntil !== null)
  // On their own: a client may prepare a statement anew for every pattern of nulls.
  const permanent = rows.filter((row) => row.validUntil === null)
  const values = ending.map(({ key, validUntil }) => [key, validUntil])
  const names = permanent.map(({ key }) => [key])
  await batch(session, sql.addKeys, values)
  await batch(session, sql.addPermanentKeys, names)
}

/** The same for a statement that changes rows, which takes `before` first. The number of rows that it changed. */
export async function writePadded(
  session: Session,
  statement: string,
  before: readonly Value[],
  values: readonly (Value | readonly Value[])[],
): Promise<number> {
  let changed = 0
  for (const [sql, now] of pieces(statement, values))
    changed += await session.write(sql, [...before, ...now])
  return changed
}

function* pieces(
  statement: string,
  values: readonly (Value | readonly Value[])[],
): Generator<[sql: string, values: Value[]]> {
  for (let done = 0; done < values.length; done += MOST_ROWS) {
    const now = values.slice(done, done + MOST_ROWS)
    const room = 2 ** Math.ceil(Math.log2(now.length))
    while (now.length < room) now.push(now[0]!)
    yield [repeated(statement, room), now.flat() as Value[]]
  }
}
