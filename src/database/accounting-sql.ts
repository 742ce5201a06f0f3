/**
 * The statements of accounting in each dialect, as in dialects.ts. Columns that may be NULL are not among the values
 * of many rows: a client may prepare a statement anew for every pattern of nulls.
 */
import {
  type AccountingTypes,
  MYSQL_TYPES,
  POSTGRES_TYPES,
  SQLITE_TYPES,
  STATE,
} from './accounting-schema.ts'
import { IS_KEY, PART_ROWS, sum } from './dialects.ts'

/** Rows that one call adopts or removes: every database does that in time. */
export const MOST_ROWS_AT_ONCE = 2_000

/** Names of rows in `accounting_state`: an erased account with the second of it, and numbers that others keep. */
export const ERASED = 'erased/'
export const MARK = 'mark/'

type Words = {
  readonly types: AccountingTypes
  /** After the rows of an INSERT: what is done to the row that has that key already. */
  conflict(key: string): string
  /** The value that was to be inserted. */
  given(column: string): string
  readonly most: string
  readonly least: string
  /** Other transactions that lock the same row wait. */
  readonly forUpdate: string
  /** Whether several columns together are one of some tuples. */
  readonly among: (columns: string, tuple: string) => string
  readonly isKey: string
  readonly byKey: string
}

/** What becomes of a column whose row exists: it stays, is replaced (also by an empty text, or not), added to, or is the larger of both. */
type Fate = 'stays' | 'set' | 'text' | 'add' | 'most'

const FIGURES = {
  uploaded: 'add',
  downloaded: 'add',
  credited_uploaded: 'add',
  credited_downloaded: 'add',
  seed_seconds: 'add',
  leech_seconds: 'add',
} as const

const figuresOf = (table: string) =>
  Object.keys(FIGURES)
    .map((column) => `${table}.${column}`)
    .join(', ')

/** As `readAccount` and its like take them (accounting-rows.ts). */
const SETTINGS = `a.enabled, a.can_download, a.max_downloads, a.max_peers, a.up_percent, a.down_percent,
  a.free_until, a.hidden`
const ACCOUNT = `a.id, ${SETTINGS}, ${figuresOf('a')}, a.user_id, a.snatches, a.created, a.last_seen, a.batch`
const TORRENT = `t.info_hash, t.up_percent, t.down_percent, t.free_until, t.uploaded, t.downloaded,
  t.snatches, t.seed_seconds, t.last_seen, t.batch`
const RECORD = `r.account, a.user_id, t.info_hash, ${figuresOf('r')}, r.left_bytes, r.is_active, r.is_seeder,
  r.started, r.completed, r.last_seen, r.announces, r.client, r.batch`
const FLAG = `f.id, f.kind, f.at, f.account, t.info_hash, f.bytes, f.seconds, f.times, f.reviewed`

const FROM_ACCOUNTS = 'FROM accounting_accounts AS a'
const FROM_TORRENTS = 'FROM accounting_torrents AS t'
const FROM_FLAGS =
  'FROM accounting_flags AS f LEFT JOIN accounting_torrents AS t ON t.id = f.torrent'
/** The records decide which rows of the others are read. */
const FROM_RECORDS = `FROM accounting_records AS r
  LEFT JOIN accounting_torrents AS t ON t.id = r.torrent
  LEFT JOIN accounting_accounts AS a ON a.id = r.account`
const FROM_KEYS = `FROM "keys" AS k
  LEFT JOIN accounting_keys AS m ON m."key" = k."key"
  LEFT JOIN accounting_accounts AS a ON a.id = m.account`
const KEY = 'k."key", k.valid_until, m.account, a.user_id'

const HIT_AND_RUN =
  'r.downloaded > 0 AND r.is_active = 0 AND r.last_seen < ? AND r.seed_seconds < ?'
const PAGE = 'LIMIT ? OFFSET ?'

/** Accounts by what they are sorted by. Without a ratio comes last. */
const SORTS = {
  id: 'a.id',
  uploaded: 'a.credited_uploaded DESC, a.id',
  downloaded: 'a.credited_downloaded DESC, a.id',
  ratio: `CASE WHEN a.credited_downloaded > 0 THEN a.credited_uploaded * 1.0 / a.credited_downloaded ELSE -1 END DESC, a.id`,
  last_seen: 'COALESCE(a.last_seen, -1) DESC, a.id',
} as const

function dialect(words: Words) {
  const { types, given, most, least, forUpdate, among, isKey, byKey } = words
  const set = (table: string, column: string, fate: Exclude<Fate, 'stays'>) => {
    const [now, more] = [`${table}.${column}`, given(column)]
    const larger = `COALESCE(${most}(${now}, ${more}), ${more})`
    const values = {
      set: more,
      text: `CASE WHEN ${more} = '' THEN ${now} ELSE ${more} END`,
      add: sum(now, more, [most, least]),
      most: larger,
    }
    return `${column} = ${values[fate]}`
  }
  const put = (table: string, key: readonly string[], rest: Readonly<Record<string, Fate>>) => {
    const columns = [...key, ...Object.keys(rest)]
    const sets = Object.entries(rest).flatMap(([column, fate]) =>
      fate === 'stays' ? [] : [set(table, column, fate)],
    )
    return `INSERT INTO ${table} (${columns.join(', ')}) VALUES {(${columns.map(() => '?').join(', ')})}
      ${words.conflict(key.join(', '))} ${sets.join(', ')}`
  }
  const pairs = among('account, torrent', '(?, ?)')
  const sessions = among('account, torrent, peer', '(?, ?, ?)')
  const accounts = (order: string, where = '') =>
    `SELECT ${ACCOUNT} ${FROM_ACCOUNTS} ${where} ORDER BY ${order} ${PAGE}`
  const bySort = (where?: string) =>
    Object.fromEntries(
      Object.entries(SORTS).map(([sort, order]) => [sort, accounts(order, where)]),
    ) as Record<keyof typeof SORTS, string>
  const records = (where: string, order: string) =>
    [where, `${where} AND ${HIT_AND_RUN}`].map(
      (only) => `SELECT ${RECORD} ${FROM_RECORDS} WHERE ${only} ORDER BY ${order} ${PAGE}`,
    ) as [all: string, hitAndRun: string]
  const batches = (table: string) =>
    `SELECT batch FROM ${table} WHERE batch > ? ORDER BY batch LIMIT ?`
  const erase = (table: string, column = 'account') => `DELETE FROM ${table} WHERE ${column} = ?`

  return {
    types,
    // State.
    addState: `INSERT INTO accounting_state (name, value) VALUES (?, ?)
      ${words.conflict('name')} value = accounting_state.value`,
    putState: put('accounting_state', ['name'], { value: 'set' }),
    setState: 'UPDATE accounting_state SET value = ? WHERE name = ?',
    state: 'SELECT value FROM accounting_state WHERE name = ?',
    removeState: 'DELETE FROM accounting_state WHERE name IN ({?})',
    lock: `SELECT name, value FROM accounting_state
      WHERE name IN ('${STATE.sequence}', '${STATE.lastAccount}', '${STATE.lastTorrent}') ORDER BY name ${forUpdate}`,
    erased: `SELECT name, value FROM accounting_state WHERE name LIKE '${ERASED}%'`,
    whole: `SELECT (SELECT COUNT(*) FROM accounting_accounts), (SELECT COUNT(*) FROM accounting_torrents)`,

    // Keys.
    adoptable: `SELECT id, "key" FROM "keys" WHERE id > ? AND ${isKey} AND NOT EXISTS
      (SELECT 1 FROM accounting_keys AS m WHERE m."key" = "keys"."key") ORDER BY id LIMIT ${MOST_ROWS_AT_ONCE}`,
    readKeys: `SELECT k.id, ${KEY} ${FROM_KEYS} WHERE k.id >= ? ORDER BY k.id LIMIT ${PART_ROWS}`,
    listKeys: `SELECT ${KEY} ${FROM_KEYS} WHERE m.account IS NOT NULL ORDER BY ${byKey} ${PAGE}`,
    listKeysOf: `SELECT ${KEY} ${FROM_KEYS} WHERE m.account = ? ORDER BY ${byKey} ${PAGE}`,
    keysOf: `SELECT ${KEY} ${FROM_KEYS} WHERE m.account = ?`,
    keyNamed: `SELECT ${KEY} ${FROM_KEYS} WHERE k."key" = ?`,
    addMappings: 'INSERT INTO accounting_keys ("key", account) VALUES {(?, ?)}',
    removeMappings: 'DELETE FROM accounting_keys WHERE "key" IN ({?})',
    mappings: `SELECT m."key", k."key" FROM accounting_keys AS m LEFT JOIN "keys" AS k ON k."key" = m."key"
      WHERE m."key" > ? ORDER BY m."key" LIMIT ${PART_ROWS}`,

    // Accounts.
    addAccounts: 'INSERT INTO accounting_accounts (id, created, batch) VALUES {(?, ?, ?)}',
    addUsers: 'INSERT INTO accounting_accounts (id, user_id, created, batch) VALUES {(?, ?, ?, ?)}',
    users: `SELECT user_id, id FROM accounting_accounts WHERE user_id IN ({?})`,
    knownAccounts: 'SELECT id FROM accounting_accounts WHERE id IN ({?})',
    settings: `SELECT a.id, ${SETTINGS} ${FROM_ACCOUNTS} WHERE a.id >= ? ORDER BY a.id LIMIT ${PART_ROWS}`,
    accounts: bySort(),
    accountsOfUsers: bySort('WHERE a.user_id IN ({?})'),
    account: `SELECT ${ACCOUNT} ${FROM_ACCOUNTS} WHERE a.id = ?`,
    accountOfUser: `SELECT ${ACCOUNT} ${FROM_ACCOUNTS} WHERE a.user_id = ?`,
    changeAccount: `UPDATE accounting_accounts SET enabled = ?, can_download = ?, max_downloads = ?, max_peers = ?,
      up_percent = ?, down_percent = ?, free_until = ?, hidden = ?, batch = ? WHERE id = ?`,
    adjustAccount: `UPDATE accounting_accounts SET credited_uploaded = ?, credited_downloaded = ?, batch = ?
      WHERE id = ?`,
    erase: [
      erase('accounting_records'),
      erase('accounting_sessions'),
      erase('accounting_tokens'),
      erase('accounting_flags'),
      erase('accounting_keys'),
      erase('accounting_accounts', 'id'),
    ],

    // What was moved.
    torrentRules: `SELECT info_hash, id, up_percent, down_percent, free_until FROM accounting_torrents
      WHERE info_hash IN ({?})`,
    sessions: `SELECT account, torrent, peer, uploaded, downloaded, is_seeder, seen, writer
      FROM accounting_sessions WHERE ${sessions}`,
    tokens: `SELECT account, torrent, "until" FROM accounting_tokens WHERE ${pairs}`,
    counted: `SELECT account, torrent, last_seen FROM accounting_records WHERE ${pairs}`,
    completed: `SELECT account, torrent FROM accounting_records WHERE completed IS NOT NULL AND ${pairs}`,
    putAccounts: put('accounting_accounts', ['id'], {
      ...FIGURES,
      snatches: 'add',
      last_seen: 'most',
      batch: 'set',
    }),
    putTorrents: put('accounting_torrents', ['id'], {
      info_hash: 'stays',
      uploaded: 'add',
      downloaded: 'add',
      snatches: 'add',
      seed_seconds: 'add',
      last_seen: 'most',
      batch: 'set',
    }),
    putRecords: put('accounting_records', ['account', 'torrent'], {
      ...FIGURES,
      announces: 'add',
      last_seen: 'most',
      left_bytes: 'set',
      is_active: 'set',
      is_seeder: 'set',
      started: 'stays',
      client: 'text',
      batch: 'set',
    }),
    /** The records exist. */
    putCompleted: put('accounting_records', ['account', 'torrent'], { completed: 'set' }),
    putSessions: put('accounting_sessions', ['account', 'torrent', 'peer'], {
      uploaded: 'set',
      downloaded: 'set',
      is_seeder: 'set',
      began: 'set',
      seen: 'set',
      writer: 'set',
    }),
    removeSessions: `DELETE FROM accounting_sessions WHERE ${sessions}`,
    putFlags: put('accounting_flags', ['account', 'torrent', 'kind', 'hour'], {
      at: 'stays',
      bytes: 'add',
      seconds: 'add',
      times: 'add',
    }),

    // Records and torrents.
    recordsOf: records('r.account = ?', 'r.torrent'),
    recordsOfTorrent: records('t.info_hash = ? AND a.hidden = 0', 'r.account'),
    torrents: `SELECT ${TORRENT} ${FROM_TORRENTS} WHERE t.info_hash IN ({?})`,
    addTorrents: 'INSERT INTO accounting_torrents (id, info_hash, batch) VALUES {(?, ?, ?)}',
    setUpPercent: 'UPDATE accounting_torrents SET up_percent = ?, batch = ? WHERE id IN ({?})',
    setDownPercent: 'UPDATE accounting_torrents SET down_percent = ?, batch = ? WHERE id IN ({?})',
    setFreeUntil: 'UPDATE accounting_torrents SET free_until = ?, batch = ? WHERE id IN ({?})',
    putToken: put('accounting_tokens', ['account', 'torrent'], { '"until"': 'set' }),
    removeToken: `DELETE FROM accounting_tokens WHERE ${pairs}`,

    // Feed and flags.
    accountBatches: batches('accounting_accounts'),
    torrentBatches: batches('accounting_torrents'),
    recordBatches: batches('accounting_records'),
    changedAccounts: `SELECT ${ACCOUNT} ${FROM_ACCOUNTS} WHERE a.batch > ? AND a.batch <= ? ORDER BY a.batch, a.id`,
    changedTorrents: `SELECT ${TORRENT} ${FROM_TORRENTS} WHERE t.batch > ? AND t.batch <= ? ORDER BY t.batch, t.id`,
    changedRecords: `SELECT ${RECORD} ${FROM_RECORDS} WHERE r.batch > ? AND r.batch <= ?
      ORDER BY r.batch, r.account, r.torrent`,
    flags: `SELECT ${FLAG} ${FROM_FLAGS} ORDER BY f.id DESC ${PAGE}`,
    flag: `SELECT ${FLAG} ${FROM_FLAGS} WHERE f.id = ?`,
    reviewFlag: 'UPDATE accounting_flags SET reviewed = ? WHERE id = ?',

    // What is old.
    oldSessions: `SELECT account, torrent, peer FROM accounting_sessions WHERE seen < ?
      ORDER BY seen LIMIT ${MOST_ROWS_AT_ONCE}`,
    /** Records of which nothing was heard for as long. */
    endRecords: `UPDATE accounting_records SET is_active = 0, is_seeder = 0, batch = ?
      WHERE is_active = 1 AND last_seen < ? AND ${pairs}`,
    oldFlags: `SELECT id FROM accounting_flags WHERE at < ? ORDER BY at LIMIT ${MOST_ROWS_AT_ONCE}`,
    removeFlags: 'DELETE FROM accounting_flags WHERE id IN ({?})',
    oldTokens: `SELECT account, torrent FROM accounting_tokens WHERE "until" < ? LIMIT ${MOST_ROWS_AT_ONCE}`,
  }
}

export type AccountingDialect = ReturnType<typeof dialect>

const inList = (columns: string, tuple: string) => `(${columns}) IN ({${tuple}})`
const onConflict = (key: string) => `ON CONFLICT (${key}) DO UPDATE SET`
const excluded = (column: string) => `excluded.${column}`

export const MYSQL_ACCOUNTING: AccountingDialect = dialect({
  types: MYSQL_TYPES,
  conflict: () => 'ON DUPLICATE KEY UPDATE',
  given: (column) => `VALUES(${column})`,
  most: 'GREATEST',
  least: 'LEAST',
  forUpdate: 'FOR UPDATE',
  among: inList,
  isKey: IS_KEY.mysql,
  byKey: 'CAST(k."key" AS BINARY)',
})

export const POSTGRES_ACCOUNTING: AccountingDialect = dialect({
  types: POSTGRES_TYPES,
  conflict: onConflict,
  given: excluded,
  most: 'GREATEST',
  least: 'LEAST',
  forUpdate: 'FOR UPDATE',
  among: inList,
  isKey: IS_KEY.postgres,
  byKey: 'k."key" COLLATE "C"',
})

export const SQLITE_ACCOUNTING: AccountingDialect = dialect({
  types: SQLITE_TYPES,
  conflict: onConflict,
  given: excluded,
  most: 'MAX',
  least: 'MIN',
  // A transaction is the only one that writes.
  forUpdate: '',
  among: (columns, tuple) => `(${columns}) IN (VALUES {${tuple}})`,
  isKey: IS_KEY.sqlite,
  byKey: 'k."key"',
})
