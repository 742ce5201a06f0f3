/**
 * The tables of accounting (accounting-contract.ts). They are made when accounting is first used, and none of them
 * exists before. The reference's tables are neither altered nor referred to: a key that is removed by another program
 * leaves its row in `accounting_keys`, which means nothing then. Numbers of accounts and torrents are drawn here,
 * under the lock of the sequence (accounting-turn.ts), so no failed attempt uses one up, and none is used again.
 *
 * Every step can be repeated, and two trackers may do them at once.
 */
import { KEY_CHARACTERS } from '../bittorrent.ts'
import { DatabaseError } from './contract.ts'
import { changedByAnother } from './migrate.ts'
import { CASE_COUNTS, LOCK_NAME } from './mysql-schema.ts'
import { LOCK } from './postgres-schema.ts'
import { HASH_DIGITS } from './schema.ts'
import { type Session, wholeNumber } from './session.ts'

/** Raised when tables change so that this program could not use them. */
const SCHEMA = 1n

/** Names of rows in `accounting_state`. */
export const STATE = {
  sequence: 'sequence',
  lastAccount: 'last_account',
  lastTorrent: 'last_torrent',
  secretHigh: 'secret_high',
  secretLow: 'secret_low',
  /** The last one: it says that everything is there. */
  schema: 'schema',
} as const
const NAME_CHARACTERS = 64

/** How a database words the tables. */
export type AccountingTypes = {
  /** A number that is drawn here, and one that the database draws. */
  readonly id: string
  readonly serial: string
  /** ASCII; case counts. */
  text(characters: number): string
  /** After a table whose primary key has several columns. */
  readonly clustered: string
  /** Whether indexes are part of a table, because they cannot be made `IF NOT EXISTS`. */
  readonly indexesInside: boolean
  /** Selects 1 if there is a table `accounting_state`. */
  readonly hasState: string
  /** Selects type and collation of the column `key` of table `?`; both tables must have the same, or cannot be joined. */
  readonly keyType: string
  /** Gives the column the type that is added to this. */
  readonly alterKey?: string
  /** Keeps two from making tables at once, until `unlock` or the end of the transaction. Selects 1. */
  readonly lock?: string
  readonly unlock?: string
}

export const MYSQL_TYPES: AccountingTypes = {
  id: 'BIGINT NOT NULL PRIMARY KEY',
  serial: 'BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY',
  text: (characters) => `VARCHAR(${characters}) ${CASE_COUNTS} NOT NULL`,
  clustered: '',
  indexesInside: true,
  hasState: `SELECT 1 FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'accounting_state'`,
  keyType: `SELECT CONCAT(COLUMN_TYPE, ' CHARACTER SET ', CHARACTER_SET_NAME, ' COLLATE ', COLLATION_NAME)
    FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = 'key'`,
  alterKey: 'ALTER TABLE accounting_keys MODIFY "key"',
  lock: `SELECT GET_LOCK(${LOCK_NAME}, 2)`,
  unlock: `SELECT RELEASE_LOCK(${LOCK_NAME})`,
}

export const POSTGRES_TYPES: AccountingTypes = {
  id: 'BIGINT PRIMARY KEY',
  serial: 'BIGSERIAL PRIMARY KEY',
  text: (characters) => `VARCHAR(${characters}) COLLATE "C" NOT NULL`,
  clustered: '',
  indexesInside: false,
  hasState: `SELECT 1 WHERE to_regclass('accounting_state') IS NOT NULL`,
  keyType: `SELECT format_type(atttypid, atttypmod) || ' COLLATE ' ||
      quote_ident(nspname) || '.' || quote_ident(collname)
    FROM pg_attribute JOIN pg_collation ON pg_collation.oid = attcollation
      JOIN pg_namespace ON pg_namespace.oid = collnamespace
    WHERE attrelid = to_regclass(?) AND attname = 'key'`,
  lock: `SELECT 1 FROM pg_advisory_xact_lock(${LOCK})`,
}

export const SQLITE_TYPES: AccountingTypes = {
  id: 'INTEGER PRIMARY KEY',
  serial: 'INTEGER PRIMARY KEY AUTOINCREMENT',
  text: () => 'TEXT NOT NULL',
  clustered: 'WITHOUT ROWID',
  indexesInside: false,
  hasState: `SELECT 1 FROM sqlite_master WHERE name = 'accounting_state'`,
  keyType: `SELECT 'TEXT' FROM pragma_table_info(?) WHERE name = 'key'`,
}

const COUNT = 'BIGINT NOT NULL DEFAULT 0'
const SECOND = 'BIGINT'
const YES = 'SMALLINT NOT NULL DEFAULT 1'
const NO = 'SMALLINT NOT NULL DEFAULT 0'
const PERCENT = 'INT NOT NULL DEFAULT 100'

type Table = {
  readonly columns: Readonly<Record<string, string>>
  /** If it has several columns. */
  readonly primaryKey?: string
  readonly unique?: string
  /** Columns with an index of their own. */
  readonly indexes?: readonly string[]
}

const figures = {
  uploaded: COUNT,
  downloaded: COUNT,
  credited_uploaded: COUNT,
  credited_downloaded: COUNT,
  seed_seconds: COUNT,
  leech_seconds: COUNT,
}

/** `key`: type and collation of the keys. */
const tables = (types: AccountingTypes, key: string): Readonly<Record<string, Table>> => ({
  accounting_state: {
    columns: { name: `${types.text(NAME_CHARACTERS)} PRIMARY KEY`, value: 'BIGINT NOT NULL' },
  },
  accounting_accounts: {
    columns: {
      id: types.id,
      user_id: 'BIGINT UNIQUE',
      ...figures,
      snatches: COUNT,
      enabled: YES,
      can_download: YES,
      max_downloads: 'BIGINT',
      max_peers: 'BIGINT',
      up_percent: PERCENT,
      down_percent: PERCENT,
      free_until: SECOND,
      hidden: NO,
      created: COUNT,
      last_seen: SECOND,
      batch: COUNT,
    },
    indexes: ['batch'],
  },
  accounting_keys: {
    columns: { '"key"': `${key} NOT NULL PRIMARY KEY`, account: 'BIGINT NOT NULL' },
    indexes: ['account'],
  },
  accounting_torrents: {
    columns: {
      id: types.id,
      info_hash: `${types.text(HASH_DIGITS)} UNIQUE`,
      uploaded: COUNT,
      downloaded: COUNT,
      snatches: COUNT,
      seed_seconds: COUNT,
      up_percent: PERCENT,
      down_percent: PERCENT,
      free_until: SECOND,
      last_seen: SECOND,
      batch: COUNT,
    },
    indexes: ['batch'],
  },
  accounting_records: {
    columns: {
      account: 'BIGINT NOT NULL',
      torrent: 'BIGINT NOT NULL',
      ...figures,
      left_bytes: COUNT,
      is_active: NO,
      is_seeder: NO,
      started: COUNT,
      completed: SECOND,
      last_seen: COUNT,
      announces: COUNT,
      client: `${types.text(8)} DEFAULT ''`,
      batch: COUNT,
    },
    primaryKey: 'account, torrent',
    indexes: ['torrent', 'batch'],
  },
  accounting_sessions: {
    columns: {
      account: 'BIGINT NOT NULL',
      torrent: 'BIGINT NOT NULL',
      peer: 'BIGINT NOT NULL',
      uploaded: COUNT,
      downloaded: COUNT,
      is_seeder: NO,
      began: COUNT,
      seen: COUNT,
      // The row of `tracker_writers` that wrote it last.
      writer: COUNT,
    },
    primaryKey: 'account, torrent, peer',
    indexes: ['seen'],
  },
  accounting_tokens: {
    columns: { account: 'BIGINT NOT NULL', torrent: 'BIGINT NOT NULL', '"until"': SECOND },
    primaryKey: 'account, torrent',
  },
  accounting_flags: {
    columns: {
      id: types.serial,
      at: COUNT,
      // Hours since the epoch.
      hour: COUNT,
      account: 'BIGINT NOT NULL',
      torrent: 'BIGINT NOT NULL',
      kind: types.text(16),
      bytes: COUNT,
      seconds: COUNT,
      times: COUNT,
      reviewed: SECOND,
    },
    unique: 'account, torrent, kind, hour',
    indexes: ['at'],
  },
})

const statements = (
  types: AccountingTypes,
  name: string,
  { columns, primaryKey, unique, indexes = [] }: Table,
): string[] => {
  const parts = Object.entries(columns).map(([column, type]) => `${column} ${type}`)
  if (primaryKey !== undefined) parts.push(`PRIMARY KEY (${primaryKey})`)
  if (unique !== undefined) parts.push(`UNIQUE (${unique})`)
  const named = indexes.map((column) => [`${name}_${column}`, column] as const)
  if (types.indexesInside)
    parts.push(...named.map(([index, column]) => `INDEX ${index} (${column})`))
  const ending = primaryKey === undefined ? '' : types.clustered
  return [
    `CREATE TABLE IF NOT EXISTS ${name} (${parts.join(', ')}) ${ending}`,
    ...(types.indexesInside
      ? []
      : named.map(
          ([index, column]) => `CREATE INDEX IF NOT EXISTS ${index} ON ${name} (${column})`,
        )),
  ]
}

/** Makes what is missing. `addState`: inserts name and value of a row that may exist. */
export async function makeAccountingTables(
  session: Session,
  about: string,
  types: AccountingTypes,
  addState: string,
): Promise<void> {
  // A user of the database who may not make tables can use them.
  if (!(await isComplete(session, about, types))) await makeAll(session, types, addState)
  if (types.alterKey === undefined) return
  // A start may have brought the keys up to date since then.
  const key = await keyType(session, types, 'keys')
  if ((await keyType(session, types, 'accounting_keys')) !== key)
    await session.write(`${types.alterKey} ${key} NOT NULL`)
}

async function isComplete(
  session: Session,
  about: string,
  types: AccountingTypes,
): Promise<boolean> {
  const [there] = await session.rows(types.hasState)
  if (there === undefined) return false
  const [row] = await session.rows('SELECT value FROM accounting_state WHERE name = ?', [
    STATE.schema,
  ])
  const found = wholeNumber(row?.[0])
  if (found === null || found <= SCHEMA) return found !== null
  throw new DatabaseError(
    'invalid',
    `the database ${about}: a newer version made its accounting tables (schema ${found}, this one knows ${SCHEMA}): use that version, or turn core.accounting off`,
  )
}

async function makeAll(session: Session, types: AccountingTypes, addState: string): Promise<void> {
  if (types.lock !== undefined) {
    const [row] = await session.rows(types.lock)
    if (String(row?.[0]) !== '1') throw changedByAnother()
  }
  try {
    const all = tables(types, await keyType(session, types, 'keys'))
    for (const [name, table] of Object.entries(all))
      for (const sql of statements(types, name, table)) await session.write(sql)
    const [secretHigh, secretLow] = crypto.getRandomValues(new BigInt64Array(2))
    const first = {
      sequence: 0n,
      lastAccount: 0n,
      lastTorrent: 0n,
      secretHigh,
      secretLow,
      schema: SCHEMA,
    }
    for (const name of Object.keys(STATE) as (keyof typeof STATE)[])
      await session.write(addState, [STATE[name], first[name]!])
  } finally {
    if (types.unlock !== undefined) await session.rows(types.unlock).catch(() => undefined)
  }
}

async function keyType(session: Session, types: AccountingTypes, table: string): Promise<string> {
  const [row] = await session.rows(types.keyType, [table])
  return String(row?.[0] ?? `VARCHAR(${KEY_CHARACTERS})`)
}
