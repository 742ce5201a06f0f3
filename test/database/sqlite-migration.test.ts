/**
 * Files that the reference left behind (docs/behaviours.md D2, D3) become ours
 * without losing anything, and stay readable for it; files of other programs stay as they are.
 */
import { describe, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from '../../src/database/contract.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { failureOf } from '../support/database/failure.ts'
import { hashes, key, texts } from '../support/database/hashes.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'

const [hashA, hashB] = texts(hashes(2)) as [string, string]

const WHITELIST = `CREATE TABLE whitelist
  (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE);`
const TORRENTS = `CREATE TABLE torrents
  (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE, completed INTEGER DEFAULT 0 NOT NULL);`
const keys = (nullable: boolean) => `CREATE TABLE keys
  (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, valid_until INTEGER${nullable ? '' : ' NOT NULL'});`
const METRICS = `CREATE TABLE torrent_aggregate_metrics
  (id INTEGER PRIMARY KEY AUTOINCREMENT, metric_name TEXT NOT NULL UNIQUE, value INTEGER DEFAULT 0 NOT NULL);`
/** The newest generation's list of its migrations. */
const HISTORY = `CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
  installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL,
  execution_time BIGINT NOT NULL);
  INSERT INTO _sqlx_migrations VALUES
    (20240730183000, 'create all tables', '2026-01-01 00:00:00', 1, x'01', 1),
    (20240730183500, 'keys valid until nullable', '2026-01-01 00:00:00', 1, x'02', 2),
    (20250527093000, 'new torrent aggregate metrics table', '2026-01-01 00:00:00', 1, x'03', 3),
    (20260409120000, 'widen download counters', '2026-01-01 00:00:00', 1, x'04', 4);`
/** Rows with gaps between their ids, which must stay. */
const ROWS = `INSERT INTO whitelist VALUES (3, '${hashA}'), (7, '${hashB}');
  INSERT INTO torrents VALUES (2, '${hashA}', 5), (9, '${hashB}', 37);
  INSERT INTO keys VALUES (4, '${key(1)}', 1700000000), (8, '${key(2)}', 9223372036854775807);`

const OLD = {
  'the first 2024 schema': WHITELIST + keys(false) + TORRENTS + ROWS,
  'the 2024 schema': WHITELIST + keys(true) + TORRENTS + ROWS,
  'the newest schema before its first completion':
    WHITELIST + TORRENTS + keys(true) + METRICS + HISTORY + ROWS,
  'the newest schema': `${WHITELIST + TORRENTS + keys(true) + METRICS + HISTORY + ROWS}
     INSERT INTO torrent_aggregate_metrics VALUES (6, 'torrents_downloads_total', 1000), (7, 'another', 3);`,
} as const

/** Everything in the file except the total row and its table, which are compared separately. */
function contents(file: SqliteFile) {
  const tables = file
    .sql(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .flat() as string[]
  return Object.fromEntries(
    tables.map((table) => [table, file.sql(`SELECT * FROM "${table}" ORDER BY 1`)]),
  )
}

async function opened<T>(file: SqliteFile, deed: (database: Database) => Promise<T>): Promise<T> {
  const database = await openSqlite(file.config)
  try {
    return await deed(database)
  } finally {
    await database.close()
  }
}

describe.each(Object.entries(OLD))('a file of %s', (name, sql) => {
  const isCounted = name === 'the newest schema'

  test('keeps every row, with its id', async () => {
    await using file = new SqliteFile()
    file.sql(sql)
    const before = contents(file)
    await opened(file, async (database) => {
      expect(await database.listWhitelist(0, 9)).toEqual(hashes(2))
      expect(await database.listKeys(0, 9)).toEqual([
        { key: key(1), validUntil: 1_700_000_000n },
        { key: key(2), validUntil: 2n ** 63n - 1n },
      ])
      expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(5, 37))
      expect(await database.downloadsTotal()).toBe(isCounted ? 1_000 : 42)
    })
    const { torrent_aggregate_metrics, ...after } = contents(file)
    const { torrent_aggregate_metrics: metrics = [], ...rest } = before
    expect(after).toEqual(rest)
    expect(torrent_aggregate_metrics).toEqual(
      isCounted ? metrics : [[1n, 'torrents_downloads_total', 42n]],
    )
  })

  test('is not changed by a second opening', async () => {
    await using file = new SqliteFile()
    file.sql(sql)
    await opened(file, (database) => database.ping())
    const once = [contents(file), file.sql('SELECT sql FROM sqlite_master ORDER BY name')]
    await opened(file, (database) => database.ping())
    expect([contents(file), file.sql('SELECT sql FROM sqlite_master ORDER BY name')]).toEqual(once)
  })

  test('takes permanent keys, and goes on counting', async () => {
    await using file = new SqliteFile()
    file.sql(sql)
    await opened(file, async (database) => {
      await database.addKeys([{ key: key(3), validUntil: null }])
      expect(await database.addDownloads(hashes(1), Float64Array.of(1))).toBe(
        isCounted ? 1_001 : 43,
      )
      expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(6))
    })
  })

  test('has the columns and constraints that either reference relies on', async () => {
    await using file = new SqliteFile()
    file.sql(sql)
    await opened(file, (database) => database.ping())
    const columns = (table: string) =>
      file.sql(`SELECT name, type, "notnull", pk FROM pragma_table_info('${table}')`)
    expect(columns('keys')).toEqual([
      ['id', 'INTEGER', 0n, 1n],
      ['key', 'TEXT', 1n, 0n],
      ['valid_until', 'INTEGER', 0n, 0n],
    ])
    expect(columns('torrent_aggregate_metrics')).toEqual([
      ['id', 'INTEGER', 0n, 1n],
      ['metric_name', 'TEXT', 1n, 0n],
      ['value', 'INTEGER', 1n, 0n],
    ])
    // The upserts that need a unique column, and the ids that need to count themselves.
    file.sql(`INSERT INTO torrents (info_hash, completed) VALUES ('${hashA}', 8)
      ON CONFLICT(info_hash) DO UPDATE SET completed = 8`)
    file.sql(`INSERT INTO torrent_aggregate_metrics (metric_name, value)
      VALUES ('torrents_downloads_total', 9) ON CONFLICT(metric_name) DO UPDATE SET value = 9`)
    for (const insert of [
      `whitelist (info_hash) VALUES ('${hashA}')`,
      `keys (key) VALUES ('${key(1)}')`,
    ])
      expect(() => file.sql(`INSERT INTO ${insert}`)).toThrow('UNIQUE constraint failed')
    file.sql(`INSERT INTO keys (key, valid_until) VALUES ('${key(9)}', NULL)`)
    expect(file.sql(`SELECT id FROM keys WHERE key = '${key(9)}'`)).toEqual([[9n]])
    expect(file.sql('PRAGMA integrity_check')).toEqual([['ok']])
  })
})

describe('a new file', () => {
  test('is what the newest reference takes for its own: nullable expiry, aggregate table, no history', async () => {
    await using file = new SqliteFile()
    await opened(file, (database) => database.ping())
    expect(contents(file)).toEqual({
      keys: [],
      torrent_aggregate_metrics: [[1n, 'torrents_downloads_total', 0n]],
      torrents: [],
      whitelist: [],
    })
  })

  test('brings its directories along', async () => {
    await using file = new SqliteFile()
    const path = join(file.directory, 'a', 'b', 'tracker.db')
    const database = await openSqlite({ driver: 'sqlite3', path })
    expect(database.about).toBe(`sqlite3:${path}`)
    await database.close()
    expect(readdirSync(join(file.directory, 'a', 'b'))).toEqual(['tracker.db'])
  })

  test('may be opened by two trackers at once', async () => {
    await using file = new SqliteFile()
    const both = await Promise.all([openSqlite(file.config), openSqlite(file.config)])
    for (const database of both) await database.addDownloads(hashes(1), Float64Array.of(1))
    expect(await both[0]!.downloadsTotal()).toBe(2)
    await Promise.all(both.map((database) => database.close()))
  })
})

describe('a file that is not ours', () => {
  const refused = async (file: SqliteFile): Promise<[string, string]> => {
    const before = readFileSync(file.path)
    const { fault, message } = await failureOf(() => openSqlite(file.config))
    expect(readFileSync(file.path)).toEqual(before)
    expect(readdirSync(file.directory)).toEqual(['tracker.db'])
    expect(message).not.toContain('\n')
    const opening = `cannot open the database sqlite3:${file.path}: `
    expect(message).toStartWith(opening)
    return [fault, message.slice(opening.length)]
  }

  test('because it is no database is left alone', async () => {
    await using file = new SqliteFile()
    writeFileSync(
      file.path,
      'Dear diary, today I was nearly overwritten by a tracker.\n'.repeat(99),
    )
    expect(await refused(file)).toEqual([
      'invalid',
      `${file.path} is no SQLite database: name another file in core.database.path, or move this one away`,
    ])
  })

  test('because it is broken is left alone', async () => {
    await using file = new SqliteFile()
    file.sql(OLD['the 2024 schema'])
    const bytes = readFileSync(file.path)
    writeFileSync(file.path, bytes.subarray(0, 4096 + 100))
    expect(await refused(file)).toEqual([
      'invalid',
      `database disk image is malformed: restore ${file.path} from a backup, or move it away`,
    ])
  })

  test('because its tables have other columns is left alone', async () => {
    await using file = new SqliteFile()
    file.sql('CREATE TABLE torrents (infohash TEXT PRIMARY KEY, completed INTEGER)')
    expect(await refused(file)).toEqual([
      'invalid',
      'its table "torrents" has no column "id", so another program made it: name another database',
    ])
  })

  test('because its hashes may repeat is left alone', async () => {
    await using file = new SqliteFile()
    file.sql(TORRENTS.replace(' UNIQUE', ''))
    const [fault, message] = await refused(file)
    expect([fault, message]).toEqual([
      'invalid',
      'its table "torrents" allows the same "info_hash" twice, so another program made it: name another database',
    ])
  })

  test('because a column of its keys would be lost is left alone', async () => {
    await using file = new SqliteFile()
    file.sql(`${WHITELIST + TORRENTS + keys(false)}
      ALTER TABLE keys ADD COLUMN owner TEXT;`)
    expect(await refused(file)).toEqual([
      'invalid',
      'its table "keys" must be made anew to allow permanent keys, and its column "owner" would be lost: remove that column',
    ])
  })

  test('because it is a directory is named as one', async () => {
    await using file = new SqliteFile()
    mkdirSync(file.path)
    const { fault, message } = await failureOf(() => openSqlite(file.config))
    expect([fault, message]).toEqual([
      'invalid',
      `cannot open the database sqlite3:${file.path}: it is a directory: name a file in it`,
    ])
  })

  test('because its directory is a file is named as that', async () => {
    await using file = new SqliteFile()
    writeFileSync(file.path, '')
    const path = join(file.path, 'tracker.db')
    const { fault, message } = await failureOf(() => openSqlite({ driver: 'sqlite3', path }))
    expect([fault, message]).toEqual([
      'invalid',
      `cannot open the database sqlite3:${path}: a part of its path is a file: name another directory`,
    ])
  })
})

test('a table too large to be summed at the start counts from 0', async () => {
  await using file = new SqliteFile()
  file.sql(OLD['the 2024 schema'])
  // A clock in which every look at the time is a second later: the sum is never ready in time.
  const real = performance.now
  let seconds = 0
  performance.now = () => ++seconds * 5_000
  try {
    await opened(file, async (database) => expect(await database.downloadsTotal()).toBe(0))
  } finally {
    performance.now = real
  }
})
