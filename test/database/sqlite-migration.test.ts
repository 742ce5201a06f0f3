/**
 * Files that the reference left behind (docs/behaviours.md D2, D3) become ours
 * without losing anything, and stay readable for it; files of other programs stay as they are.
 */
import { describe, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSqlite } from '../../src/database/sqlite.ts'
import { failureOf } from '../support/database/failure.ts'
import { hashes } from '../support/database/hashes.ts'
import { migratesOldTables } from '../support/database/migration.ts'
import { newName } from '../support/database/names.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'

const WHITELIST = `CREATE TABLE whitelist
  (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE);`
const TORRENTS = `CREATE TABLE torrents
  (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE, completed INTEGER DEFAULT 0 NOT NULL);`
const KEYS = `CREATE TABLE keys
  (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, valid_until INTEGER NOT NULL);`

migratesOldTables('sqlite3', async () => SqliteFile.place())

describe('a new file', () => {
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
    for (const database of both)
      await database.addDownloads(hashes(1), Float64Array.of(1), newName())
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
    file.sql(WHITELIST + TORRENTS + KEYS)
    const bytes = readFileSync(file.path)
    writeFileSync(file.path, bytes.subarray(0, 4096 + 100))
    expect(await refused(file)).toEqual([
      'invalid',
      `database disk image is malformed: restore ${file.path} from a backup, or move it away`,
    ])
  })

  test('because a column of its keys would be lost is left alone', async () => {
    await using file = new SqliteFile()
    file.sql(`${WHITELIST + TORRENTS + KEYS}
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
  file.sql(`${WHITELIST + TORRENTS + KEYS}
    INSERT INTO torrents VALUES (1, '${hashes(1).toHex()}', 5)`)
  // A clock in which every look at the time is a second later: the sum is never ready in time.
  const real = performance.now
  let seconds = 0
  performance.now = () => ++seconds * 5_000
  try {
    const database = await openSqlite(file.config)
    expect(await database.downloadsTotal()).toBe(0)
    await database.close()
  } finally {
    performance.now = real
  }
})
