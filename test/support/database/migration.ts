/**
 * Tables that the reference left become ours without losing anything, and stay usable for it (docs/behaviours.md
 * D2, D3).
 */
import { describe, expect, test } from 'bun:test'
import type { Database, Driver } from '../../../src/database/contract.ts'
import { batchOf } from './accounting.ts'
import { failureOf } from './failure.ts'
import { hashes, key, texts } from './hashes.ts'
import { newName } from './names.ts'
import type { Aside } from './servers.ts'
import type { Place } from './suite.ts'

const [hashA, hashB] = texts(hashes(2)) as [string, string]
type Sql = readonly string[]
/** The tables of both generations in the words of one dialect. */
type Dialect = {
  readonly quote: string
  readonly base: Sql
  /** The first schema did not know keys without an end. */
  readonly keys: (nullable: boolean) => Sql
  readonly metrics: Sql
  readonly widened: Sql
  readonly bytes: string
  /** Selects the names of the tables, and all that is known of their columns. */
  readonly tables: string
  readonly columns: string
  /** What the reference does to keep a count. */
  readonly upsert: (table: string, column: string) => string
  /** What it does to a database that it finds without its history, and what must then be so. */
  readonly adopt: (place: Place) => Promise<void>
}

const upsert = (nothing: string) => (table: string, column: string) =>
  `INSERT INTO ${table} VALUES (${nothing}, ?, 8)
    ON CONFLICT (${table === 'torrents' ? 'info_hash' : 'metric_name'}) DO UPDATE SET ${column} = excluded.${column}`

const SQLITE_ID = 'INTEGER PRIMARY KEY AUTOINCREMENT'
const SQLITE: Dialect = {
  quote: '"',
  base: [
    `CREATE TABLE whitelist (id ${SQLITE_ID}, info_hash TEXT NOT NULL UNIQUE)`,
    `CREATE TABLE torrents (id ${SQLITE_ID}, info_hash TEXT NOT NULL UNIQUE,
      completed INTEGER DEFAULT 0 NOT NULL)`,
  ],
  keys: (nullable) => [
    `CREATE TABLE keys (id ${SQLITE_ID}, key TEXT NOT NULL UNIQUE,
      valid_until INTEGER${nullable ? '' : ' NOT NULL'})`,
  ],
  metrics: [
    `CREATE TABLE torrent_aggregate_metrics (id ${SQLITE_ID},
      metric_name TEXT NOT NULL UNIQUE, value INTEGER DEFAULT 0 NOT NULL)`,
  ],
  widened: [],
  bytes: 'BLOB',
  tables: `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1`,
  columns: 'SELECT sql FROM sqlite_master ORDER BY name',
  upsert: upsert('NULL'),
  async adopt(place) {
    const columns = (table: string) =>
      place.sql(`SELECT name, type, "notnull", pk FROM pragma_table_info('${table}')`)
    expect(await columns('keys')).toEqual([
      ['id', 'INTEGER', 0n, 1n],
      ['key', 'TEXT', 1n, 0n],
      ['valid_until', 'INTEGER', 0n, 0n],
    ])
    expect(await columns('torrent_aggregate_metrics')).toEqual([
      ['id', 'INTEGER', 0n, 1n],
      ['metric_name', 'TEXT', 1n, 0n],
      ['value', 'INTEGER', 1n, 0n],
    ])
    // Ids count themselves, also in a table that was made anew.
    const [[last] = [8n]] = await place.sql('SELECT max(id) FROM keys')
    await place.sql(`INSERT INTO keys (key, valid_until) VALUES ('${key(9)}', NULL)`)
    const next = BigInt(String(last ?? 0)) + 1n
    expect(await place.sql(`SELECT id FROM keys WHERE key = '${key(9)}'`)).toEqual([[next]])
    expect(await place.sql('PRAGMA integrity_check')).toEqual([['ok']])
  },
}

const MYSQL_ID = 'INTEGER PRIMARY KEY AUTO_INCREMENT'
const MYSQL: Dialect = {
  quote: '`',
  base: [
    `CREATE TABLE whitelist (id ${MYSQL_ID}, info_hash VARCHAR(40) NOT NULL UNIQUE)`,
    `CREATE TABLE torrents (id ${MYSQL_ID}, info_hash VARCHAR(40) NOT NULL UNIQUE,
      completed INTEGER DEFAULT 0 NOT NULL)`,
  ],
  keys: (nullable) => [
    `CREATE TABLE \`keys\` (\`id\` INT NOT NULL AUTO_INCREMENT, \`key\` VARCHAR(32) NOT NULL,
      \`valid_until\` INT(10) ${nullable ? '' : 'NOT NULL'}, PRIMARY KEY (\`id\`), UNIQUE (\`key\`))`,
  ],
  metrics: [
    `CREATE TABLE torrent_aggregate_metrics (id ${MYSQL_ID},
      metric_name VARCHAR(50) NOT NULL UNIQUE, value INTEGER DEFAULT 0 NOT NULL)`,
  ],
  widened: [
    'ALTER TABLE torrents MODIFY completed BIGINT NOT NULL DEFAULT 0',
    'ALTER TABLE torrent_aggregate_metrics MODIFY value BIGINT NOT NULL DEFAULT 0',
  ],
  bytes: 'BLOB',
  tables: `SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1`,
  columns: `SELECT * FROM information_schema.columns WHERE table_schema = DATABASE()
    ORDER BY table_name, ordinal_position`,
  upsert: (table, column) =>
    `INSERT INTO ${table} VALUES (DEFAULT, ?, 8) ON DUPLICATE KEY UPDATE ${column} = VALUES(${column})`,
  async adopt(place) {
    expect(
      await place.sql(`SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE, COLLATION_NAME
        FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'keys'
        ORDER BY ORDINAL_POSITION`),
    ).toEqual([
      ['id', 'int', 'NO', null],
      // It takes a column whose collation ends in `_bin` for bytes, and fails.
      ['key', 'varchar', 'NO', 'latin1_general_cs'],
      ['valid_until', 'bigint', 'YES', null],
    ])
    for (const statement of MYSQL.widened) await place.sql(statement)
  },
}

const POSTGRES: Dialect = {
  quote: '"',
  base: [
    'CREATE TABLE whitelist (id SERIAL PRIMARY KEY, info_hash VARCHAR(40) NOT NULL UNIQUE)',
    `CREATE TABLE torrents (id SERIAL PRIMARY KEY, info_hash VARCHAR(40) NOT NULL UNIQUE,
      completed INTEGER DEFAULT 0 NOT NULL)`,
  ],
  keys: (nullable) => [
    `CREATE TABLE keys (id SERIAL PRIMARY KEY, key VARCHAR(32) NOT NULL UNIQUE,
      valid_until BIGINT ${nullable ? '' : 'NOT NULL'})`,
  ],
  metrics: [
    `CREATE TABLE torrent_aggregate_metrics (id SERIAL PRIMARY KEY,
      metric_name VARCHAR(50) NOT NULL UNIQUE, value INTEGER DEFAULT 0 NOT NULL)`,
  ],
  widened: [
    'ALTER TABLE torrents ALTER COLUMN completed TYPE BIGINT',
    'ALTER TABLE torrent_aggregate_metrics ALTER COLUMN value TYPE BIGINT',
  ],
  bytes: 'BYTEA',
  tables: `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1`,
  columns: `SELECT * FROM information_schema.columns WHERE table_schema = current_schema()
    ORDER BY table_name, ordinal_position`,
  upsert: upsert('DEFAULT'),
  // All of its migrations: they create what is absent, and then alter it.
  async adopt(place) {
    for (const create of [...POSTGRES.base, ...POSTGRES.keys(false), ...POSTGRES.metrics])
      await place.sql(create.replace('CREATE TABLE', 'CREATE TABLE IF NOT EXISTS'))
    await place.sql('ALTER TABLE keys ALTER COLUMN valid_until DROP NOT NULL')
    for (const statement of POSTGRES.widened) await place.sql(statement)
    expect(
      await place.sql(`SELECT column_name::text, data_type::text, is_nullable::text
        FROM information_schema.columns WHERE table_name = 'keys' ORDER BY ordinal_position`),
    ).toEqual([
      ['id', 'integer', 'NO'],
      ['key', 'character varying', 'NO'],
      ['valid_until', 'bigint', 'YES'],
    ])
  },
}

/** The newest generation's list of its migrations. */
const history = ({ bytes }: Dialect): Sql => [
  `CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
    checksum ${bytes} NOT NULL, execution_time BIGINT NOT NULL)`,
  `INSERT INTO _sqlx_migrations VALUES
    (20240730183000, 'create all tables', '2026-01-01 00:00:00', TRUE, 'a', 1),
    (20240730183500, 'keys valid until nullable', '2026-01-01 00:00:00', TRUE, 'b', 2),
    (20250527093000, 'new torrent aggregate metrics table', '2026-01-01 00:00:00', TRUE, 'c', 3),
    (20260409120000, 'widen download counters', '2026-01-01 00:00:00', TRUE, 'd', 4)`,
]

/** Rows with gaps between their ids, which must stay. */
const rows = ({ quote }: Dialect): Sql => [
  `INSERT INTO whitelist VALUES (3, '${hashA}'), (7, '${hashB}')`,
  `INSERT INTO torrents VALUES (2, '${hashA}', 5), (9, '${hashB}', 2147483647)`,
  `INSERT INTO ${quote}keys${quote} VALUES (4, '${key(1)}', 1700000000), (8, '${key(2)}', 2147483647)`,
]

const COUNTED = 'the newest schema'
const generations = (dialect: Dialect): Record<string, Sql> => {
  const newest = [...dialect.base, ...dialect.keys(true), ...dialect.metrics]
  return {
    'the first 2024 schema': [...dialect.base, ...dialect.keys(false), ...rows(dialect)],
    'the 2024 schema': [...dialect.base, ...dialect.keys(true), ...rows(dialect)],
    'the newest schema before its counters were widened': [...newest, ...rows(dialect)],
    [COUNTED]: [
      ...newest,
      ...dialect.widened,
      ...history(dialect),
      ...rows(dialect),
      `INSERT INTO torrent_aggregate_metrics VALUES (6, 'torrents_downloads_total', 1000), (7, 'another', 3)`,
    ],
  }
}

const DIALECTS: Readonly<Record<Driver, Dialect>> = {
  sqlite3: SQLITE,
  mysql: MYSQL,
  postgresql: POSTGRES,
}

/** A place whose tables another transaction can lock. */
type Lockable = Place & { hold?(statement: string): Promise<Aside> }

/** `make` is called once a test. */
export function migratesOldTables(driver: Driver, make: () => Promise<Lockable>): void {
  const dialect = DIALECTS[driver]
  const sum = 5 + 2_147_483_647
  const columns = (place: Place) => place.sql(dialect.columns)
  /** Every row of every table, as text. */
  const contents = async (place: Place) => {
    const { quote, tables } = dialect
    const all: Record<string, (string | null)[][]> = {}
    for (const [name] of await place.sql(tables)) {
      const rows = await place.sql(`SELECT * FROM ${quote}${name}${quote} ORDER BY 1`)
      all[String(name)] = rows.map((row) =>
        row.map((value) => (value === null ? null : text(value))),
      )
    }
    return all
  }
  const migrates = (what: string, deed: (place: Lockable) => Promise<void>) =>
    test(what, async () => {
      await using place = await make()
      await deed(place)
    })

  describe.each(Object.entries(generations(dialect)))('a database of %s', (name, sql) => {
    const total = name === COUNTED ? 1_000 : sum
    const fill = async (place: Place) => {
      for (const statement of sql) await place.sql(statement)
    }

    migrates('keeps every row, with its id', async (place) => {
      await fill(place)
      const { torrent_aggregate_metrics: metrics, ...before } = await contents(place)
      await opened(place, async (database) => {
        expect(await database.listWhitelist(0, 9)).toEqual(hashes(2))
        expect(await database.listKeys(0, 9)).toEqual([
          { key: key(1), validUntil: 1_700_000_000n },
          { key: key(2), validUntil: 2_147_483_647n },
        ])
        expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(5, 2_147_483_647))
        expect(await database.downloadsTotal()).toBe(total)
      })
      const { torrent_aggregate_metrics, ...after } = await contents(place)
      expect(after).toEqual({ ...before, tracker_writers: [] })
      expect(torrent_aggregate_metrics).toEqual(
        name === COUNTED ? metrics : [['1', 'torrents_downloads_total', String(sum)]],
      )
    })

    migrates('is not changed by a second opening', async (place) => {
      await fill(place)
      await opened(place, (database) =>
        database.addDownloads(hashes(1), Float64Array.of(1), newName()),
      )
      const once = [await contents(place), await columns(place)]
      await opened(place, (database) => database.ping())
      expect([await contents(place), await columns(place)]).toEqual(once)
    })

    migrates('N27: gains only the tables of accounting', async (place) => {
      await fill(place)
      await opened(place, (database) => database.ping())
      const before = await contents(place)
      await opened(place, async (database) => {
        const { accounting } = database
        await accounting.open()
        expect(await accounting.adoptKeys()).toBe(2)
        const keys = await accounting.listKeys(null, 0, 9)
        expect(keys.map(({ key, validUntil }) => ({ key, validUntil }))).toEqual([
          ...(await database.listKeys(0, 9)),
        ])
        const owing = keys.map(({ account }) => ({ account, torrent: 1, up: 5 }))
        await accounting.write(batchOf(newName(), owing))
        await accounting.purge({ sessions: 0, flags: 0, tokens: 0 })
        expect((await accounting.readKeys(0n)).rows.length).toBe(2)
      })
      const after = await contents(place)
      const names = Object.keys(after).filter((table) => !(table in before))
      expect(names.every((table) => table.startsWith('accounting_'))).toBe(true)
      expect(names.length).toBe(8)
      for (const table of Object.keys(before))
        if (table !== 'tracker_writers') expect(after[table]).toEqual(before[table]!)
      await dialect.adopt(place)
      await opened(place, async ({ accounting }) => {
        await accounting.open()
        expect(await accounting.adoptKeys()).toBeWithin(0, 2)
        expect((await accounting.readKeys(0n)).rows.length).toBeWithin(2, 4)
      })
    })

    migrates('takes what it could not hold before', async (place) => {
      await fill(place)
      await opened(place, async (database) => {
        const added = [
          { key: 'a'.repeat(32), validUntil: null },
          { key: 'A'.repeat(32), validUntil: 2n ** 63n - 1n },
        ]
        await database.addKeys(added)
        expect((await database.listKeys(0, 9)).filter(({ key }) => /^a/i.test(key))).toEqual(
          added.toReversed(),
        )
        expect(await database.addDownloads(hashes(1, 2), Float64Array.of(1e12), newName())).toBe(
          total + 1e12,
        )
        expect(await database.downloadsOf(hashes(1, 2))).toEqual(
          Float64Array.of(1e12 + 2_147_483_647),
        )
      })
    })

    migrates('is still what the reference relies on', async (place) => {
      await fill(place)
      await opened(place, (database) => database.ping())
      await dialect.adopt(place)
      const upsert = (table: string, column: string, name: string) =>
        place.sql(dialect.upsert(table, column).replace('?', `'${name}'`))
      await upsert('torrents', 'completed', hashA)
      await upsert('torrent_aggregate_metrics', 'value', 'torrents_downloads_total')
      await opened(place, async (database) => {
        expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(8, 2_147_483_647))
        expect(await database.downloadsTotal()).toBe(8)
      })
      const insert = (into: string) => place.sql(`INSERT INTO ${into}`)
      const { quote } = dialect
      await expect(insert(`whitelist (info_hash) VALUES ('${hashA}')`)).rejects.toThrow(
        /duplicate|UNIQUE/i,
      )
      await expect(
        insert(`${quote}keys${quote} (${quote}key${quote}) VALUES ('${key(1)}')`),
      ).rejects.toThrow(/duplicate|UNIQUE/i)
    })
  })

  describe('a new database', () => {
    migrates('is accepted by the newest reference as its own', async (place) => {
      await opened(place, (database) => database.ping())
      expect(await contents(place)).toEqual({
        keys: [],
        torrent_aggregate_metrics: [['1', 'torrents_downloads_total', '0']],
        torrents: [],
        tracker_writers: [],
        whitelist: [],
      })
      await dialect.adopt(place)
      await opened(place, (database) => database.ping())
    })
  })

  describe('a database that another program uses', () => {
    const refused = async (place: Place): Promise<[string, string]> => {
      const before = await columns(place)
      const { fault, message } = await failureOf(() => place.open())
      expect(await columns(place)).toEqual(before)
      const opening = new RegExp(`^cannot open the database ${driver}:\\S+: `)
      expect(message).toMatch(opening)
      return [fault, message.replace(opening, '')]
    }

    migrates('is left alone because its tables have other columns', async (place) => {
      await place.sql('CREATE TABLE torrents (id INT PRIMARY KEY, infohash VARCHAR(40))')
      expect(await refused(place)).toEqual([
        'invalid',
        'its table "torrents" has no column "info_hash", so another program made it: name another database',
      ])
    })

    migrates('is left alone because its hashes may repeat', async (place) => {
      for (const statement of dialect.base)
        await place.sql(statement.replace('NOT NULL UNIQUE', ''))
      expect(await refused(place)).toEqual([
        'invalid',
        'its table "whitelist" allows the same "info_hash" twice, so another program made it: name another database',
      ])
    })

    // A locked file is a test of its own (sqlite-faults.test.ts).
    if (driver === 'sqlite3') return
    migrates('and whose tables it holds is waited for, but not for ever', async (place) => {
      for (const statement of generations(dialect)['the 2024 schema']!) await place.sql(statement)
      {
        await using other = await place.hold!('SELECT * FROM torrents')
        await other.run('SELECT * FROM whitelist')
        const [fault, reason] = [...(await refused(place))]
        expect(['refused', 'late']).toContain(fault)
        expect(reason).toMatch(/lock|not up to date/i)
      }
      await opened(place, async (database) => expect(await database.downloadsTotal()).toBe(sum))
    })
  })
}

async function opened<T>(place: Place, deed: (database: Database) => Promise<T>): Promise<T> {
  const database = await place.open()
  try {
    return await deed(database)
  } finally {
    await database.close()
  }
}

const text = (value: unknown): string =>
  value instanceof Date ? value.toISOString() : String(value)
