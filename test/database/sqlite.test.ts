/** SQLite, through its thread and without: the contract, and what only a file can do. */

import { heapStats } from 'bun:jsc'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQLITE_ACCOUNTING } from '../../src/database/accounting-sql.ts'
import { NO_ROW } from '../../src/database/contract.ts'
import { openDatabase } from '../../src/database/remote.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { batchOf, withAccounts } from '../support/database/accounting.ts'
import { hashes, key } from '../support/database/hashes.ts'
import { newName } from '../support/database/names.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { signsContract } from '../support/database/suite.ts'
import { THOROUGH } from '../support/thorough.ts'

signsContract('sqlite3 on its thread', 'sqlite3', async () => SqliteFile.place(openDatabase))
if (THOROUGH) signsContract('sqlite3', 'sqlite3', async () => SqliteFile.place())

test('a batch of accounting is written as it was when it was given', async () => {
  await using file = new SqliteFile()
  const database = await openDatabase(file.config)
  const [account] = await withAccounts(database, 1)
  const batch = batchOf(newName(), [{ account: account!, torrent: 1, up: 5 }])
  // Memory that other threads change.
  const owed = new Float64Array(new SharedArrayBuffer(8 * batch.sessions.owed.length))
  owed.set(batch.sessions.owed)
  const written = database.accounting.write({ ...batch, sessions: { ...batch.sessions, owed } })
  owed.fill(9)
  batch.hashes.fill(0)
  await written
  expect(await database.accounting.torrent(hashes(1))).toMatchObject({ uploaded: 5n })
  await database.close()
})

// Tables of a million rows are read by their indexes, or every page holds up the thread.
test('N28: the feed of accounting reads what changed, and nothing else', async () => {
  await using file = new SqliteFile()
  const database = await openDatabase(file.config)
  await database.accounting.open()
  await database.close()
  const { accountBatches, torrentBatches, recordBatches } = SQLITE_ACCOUNTING
  const { changedAccounts, changedTorrents, changedRecords } = SQLITE_ACCOUNTING
  const statements = [
    ...[accountBatches, torrentBatches, recordBatches],
    ...[changedAccounts, changedTorrents, changedRecords],
    ...[...SQLITE_ACCOUNTING.recordsOf, ...SQLITE_ACCOUNTING.recordsOfTorrent],
    SQLITE_ACCOUNTING.readKeys,
    SQLITE_ACCOUNTING.oldSessions,
    ...[SQLITE_ACCOUNTING.sessions, SQLITE_ACCOUNTING.tokens, SQLITE_ACCOUNTING.completed].map(
      (statement) => statement.replace(/[{}]/g, ''),
    ),
  ]
  for (const statement of statements) {
    const plan = file.sql(`EXPLAIN QUERY PLAN ${statement.replaceAll('?', '1')}`)
    const steps = plan
      .map((row) => String(row.at(-1)))
      .filter((step) => !/VALUES|CONSTANT/.test(step))
    expect(steps.length).toBeGreaterThan(0)
    for (const step of steps) expect(step).toMatch(/^(SEARCH|LIST SUBQUERY)/)
  }
})

test('rows of types that only SQLite lets stand there mean nothing', async () => {
  await using file = new SqliteFile()
  const database = await openSqlite(file.config)
  await database.addKeys([{ key: key(1), validUntil: 1n }])
  await database.addToWhitelist(hashes(1))
  const odd = (number: number) => `'${key(number)}'`
  file.sql(`INSERT INTO keys (key, valid_until) VALUES (${odd(2)}, 'never'), (${odd(3)}, 1.5),
    (${odd(4)}, x'00'), (CAST(${odd(5)} AS BLOB), NULL), ('${'k'.repeat(33)}', NULL),
    ('${'k'.repeat(32)}' || char(0) || 'k', NULL)`)
  file.sql(
    `INSERT INTO whitelist (info_hash) VALUES (x'${'a5'.repeat(20)}'), (zeroblob(1000)), ('')`,
  )
  expect(await database.listKeys(0, 9)).toEqual([{ key: key(1), validUntil: 1n }])
  expect((await database.readKeys(0n)).rows).toEqual([{ key: key(1), validUntil: 1n }])
  expect(await database.listWhitelist(0, 9)).toEqual(hashes(1))
  expect((await database.readWhitelist(0n)).rows).toEqual(hashes(1))
  expect(await database.removeKeysExpiredBefore(2n)).toBe(1)
  expect(file.sql('SELECT count(*) FROM keys')).toEqual([[6n]])
  file.sql(`INSERT INTO torrents (info_hash, completed) VALUES ('${hashes(1).toHex()}', 'many')`)
  expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(0))
  await database.close()
})

test('rows are read whatever their ids are', async () => {
  await using file = new SqliteFile()
  const database = await openSqlite(file.config)
  const ids = [-(2n ** 63n), -1n, 0n, 1n, 2n ** 63n - 1n]
  for (const [i, id] of ids.entries()) {
    file.sql(`INSERT INTO keys VALUES (${id}, '${key(i)}', NULL)`)
    file.sql(`INSERT INTO whitelist VALUES (${id}, '${hashes(1, i).toHex()}')`)
  }
  expect(await database.readWhitelist(0n)).toEqual({ rows: hashes(5, 0), next: undefined })
  expect((await database.readKeys(0n)).rows.map((row) => row.key)).toEqual([0, 1, 2, 3, 4].map(key))
  await database.close()
})

test('no call sees what a transaction has done so far', async () => {
  await using file = new SqliteFile()
  const database = await openSqlite(file.config)
  const last = hashes(1, 3_000).toHex()
  file.sql(`CREATE TRIGGER no BEFORE INSERT ON torrents WHEN NEW.info_hash = '${last}'
    BEGIN SELECT RAISE(ABORT, 'forbidden'); END`)
  let isOver = false
  const writing = database
    .addDownloads(hashes(3_000), new Float64Array(3_000).fill(1), newName())
    .finally(() => {
      isOver = true
    })
  const seen = new Set<number>()
  const reading = (async () => {
    do seen.add((await database.downloadsOf(hashes(1)))[0]!)
    while (!isOver)
  })()
  await expect(writing).rejects.toThrow('forbidden')
  await reading
  expect([...seen]).toEqual([NO_ROW])
  await database.close()
})

const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8)

describe.skipIf(process.platform === 'win32')('with the umask that most machines have', () => {
  let before = 0
  beforeAll(() => {
    before = process.umask(0o022)
  })
  afterAll(() => void process.umask(before))

  test('what it makes is for its owner alone, in directories for its owner alone', async () => {
    await using file = new SqliteFile()
    chmodSync(file.directory, 0o755)
    const made = join(file.directory, 'made')
    const path = join(made, 'here', 'tracker.db')
    const database = await openSqlite({ driver: 'sqlite3', path })
    await database.addKeys([{ key: key(1), validUntil: null }])
    expect([path, `${path}-wal`, `${path}-shm`].map(modeOf)).toEqual(['600', '600', '600'])
    expect([made, join(made, 'here')].map(modeOf)).toEqual(['700', '700'])
    expect(modeOf(file.directory)).toBe('755')
    await database.close()
    expect(modeOf(path)).toBe('600')
  })

  test('a link to a file that does not exist yet works like its name', async () => {
    await using file = new SqliteFile()
    const path = join(file.directory, 'there.db')
    symlinkSync(path, file.path)
    const database = await openSqlite(file.config)
    expect(modeOf(path)).toBe('600')
    await database.close()
  })

  test('an existing file keeps the rights that its owner gave it', async () => {
    await using file = new SqliteFile()
    writeFileSync(file.path, '')
    chmodSync(file.path, 0o640)
    const database = await openSqlite(file.config)
    await database.addToWhitelist(hashes(1))
    expect([file.path, `${file.path}-wal`, `${file.path}-shm`].map(modeOf)).toEqual([
      '640',
      '640',
      '640',
    ])
    await database.close()
  })
})

test('writes that are done keep no memory', async () => {
  await using file = new SqliteFile()
  const database = await openSqlite(file.config)
  const grown = async (pings: number) => {
    Bun.gc(true)
    const before = heapStats().objectCount
    for (let i = 0; i < pings; i++) await database.ping()
    Bun.gc(true)
    return heapStats().objectCount - before
  }
  await grown(100)
  // One result of each would be thousands.
  expect(await grown(3_000)).toBeLessThan(1_500)
  await database.close()
})
