/**
 * The statements of the drivers that speak to a database server: what they share, and where the dialects
 * differ. Names in double quotes are names in both (the MySQL driver asks for that). `?` is a value, `{…}`
 * stands for as many of what is in it as there are, with commas between.
 */

import { MOST_EXPIRED_KEYS } from './contract.ts'

/** Rows of a part: large enough that the way there and back counts little. */
export const PART_ROWS = 10_000

const LARGEST = 2n ** 63n - 1n

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
  setTotal: 'UPDATE torrent_aggregate_metrics SET value = ? WHERE metric_name = ?',
} as const

// The sign means nothing, and the absolute value of the least number does not exist.
const HAS_EXPIRED = 'valid_until < ? AND valid_until > ?'

/** Where there are both forms of a hash, the one in capitals is not listed. */
const IS_ONLY_FORM = `(info_hash = LOWER(info_hash) OR NOT EXISTS
  (SELECT 1 FROM whitelist AS twin WHERE twin.info_hash = LOWER(whitelist.info_hash)))`

/** `count` added to `column`: never more than 64 bits hold, and what others left below 0 is none. */
const sum = (column: string, count: string) =>
  `GREATEST(${column}, 0) + LEAST(${count}, ${LARGEST} - GREATEST(${column}, 0))`

const MYSQL_ADD = `ON DUPLICATE KEY UPDATE completed = ${sum('completed', 'VALUES(completed)')}`

export const MYSQL = {
  ...SHARED,
  // UNHEX gives NULL for all that is no hexadecimal number.
  listWhitelist: `SELECT info_hash FROM whitelist
    WHERE CHAR_LENGTH(info_hash) = 40 AND UNHEX(info_hash) IS NOT NULL AND ${IS_ONLY_FORM}
      AND CAST(info_hash AS BINARY)
        IN (CAST(LOWER(info_hash) AS BINARY), CAST(UPPER(info_hash) AS BINARY))
    ORDER BY info_hash LIMIT ? OFFSET ?`,
  addHashes: 'INSERT INTO whitelist (info_hash) VALUES {(?)} ON DUPLICATE KEY UPDATE id = id',
  listKeys: `SELECT "key", valid_until FROM "keys"
    WHERE LENGTH("key") = 32 AND "key" REGEXP '^[0-9A-Za-z]{32}$'
    ORDER BY CAST("key" AS BINARY) LIMIT ? OFFSET ?`,
  // In order, so that servers that do it again after this one remove the same.
  removeExpired: `DELETE FROM "keys" WHERE ${HAS_EXPIRED} ORDER BY id LIMIT ${MOST_EXPIRED_KEYS}`,
  addToKnown: `INSERT INTO torrents (id, info_hash, completed) VALUES {(?, ?, ?)} ${MYSQL_ADD}`,
  addToNew: `INSERT INTO torrents (info_hash, completed) VALUES {(?, ?)} ${MYSQL_ADD}`,
  addTotal: `INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES (?, ?)
    ON DUPLICATE KEY UPDATE id = id`,
} as const

const POSTGRES_ADD = `ON CONFLICT (info_hash)
  DO UPDATE SET completed = ${sum('torrents.completed', 'excluded.completed')}`

export const POSTGRES = {
  ...SHARED,
  listWhitelist: `SELECT info_hash FROM whitelist
    WHERE info_hash ~ '^([0-9a-f]{40}|[0-9A-F]{40})$' AND ${IS_ONLY_FORM}
    ORDER BY info_hash COLLATE "C" LIMIT ? OFFSET ?`,
  addHashes: 'INSERT INTO whitelist (info_hash) VALUES {(?)} ON CONFLICT DO NOTHING',
  listKeys: `SELECT "key", valid_until FROM "keys" WHERE "key" ~ '^[0-9A-Za-z]{32}$'
    ORDER BY "key" COLLATE "C" LIMIT ? OFFSET ?`,
  removeExpired: `DELETE FROM "keys" WHERE id IN
    (SELECT id FROM "keys" WHERE ${HAS_EXPIRED} LIMIT ${MOST_EXPIRED_KEYS})`,
  addToKnown: `INSERT INTO torrents (id, info_hash, completed) VALUES {(?, ?, ?)} ${POSTGRES_ADD}`,
  addToNew: `INSERT INTO torrents (info_hash, completed) VALUES {(?, ?)} ${POSTGRES_ADD}`,
  addTotal: `INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES (?, ?)
    ON CONFLICT DO NOTHING`,
} as const

export type Statements = { readonly [S in keyof typeof MYSQL]: string }

/** `statement` for `count` of what stands in its braces. */
export const repeated = (statement: string, count: number): string =>
  statement.replace(/\{(.*)\}/, (_, one: string) => Array(count).fill(one).join(', '))
