/**
 * The tracker replaces the Torrust Tracker on its SQLite file (docs/behaviours.md D2, D3): keys stay valid, listed
 * torrents stay listed, counts are reported.
 */

import { describe, expect, test } from 'bun:test'
import { type BencodeDictionary, decodeBencode } from '../../src/wire/bencode.ts'
import { hashes, key } from '../support/database/hashes.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { Crowd } from '../support/e2e/crowd.ts'
import { type Keeper, startKeeper } from '../support/e2e/keeper.ts'
import { bothPrograms } from '../support/e2e/program.ts'
import { percent } from '../support/http-client.ts'
import { until } from '../support/until.ts'

const PROGRAMS = bothPrograms()

const WHITELIST = `CREATE TABLE whitelist (
  id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE);`
const TORRENTS = `CREATE TABLE torrents (
  id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE, completed INTEGER DEFAULT 0 NOT NULL);`
const keys = (rest: string) => `CREATE TABLE keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, valid_until INTEGER${rest});`
const NEWEST = `CREATE TABLE torrent_aggregate_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, metric_name TEXT NOT NULL UNIQUE, value INTEGER DEFAULT 0 NOT NULL);
  INSERT INTO torrent_aggregate_metrics VALUES (3, 'torrents_downloads_total', 5000);
  CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);
  INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES
    (20240730183000, 'create all tables', 1, x'01', 1),
    (20240730183500, 'keys valid until nullable', 1, x'02', 1),
    (20250527093000, 'new torrent aggregate metrics table', 1, x'03', 1),
    (20260409120000, 'widen download counters', 1, x'04', 1);`

const [LISTED, ANOTHER, UNLISTED] = [hashes(1, 1), hashes(1, 2), hashes(1, 3)] as const
const [GOOD, EXPIRED, UNKNOWN, PERMANENT] = [key(1), key(2), key(3), key(4)] as const
const [FAR_SECOND, PAST_SECOND] = [4_102_444_800, 1_700_000_000]

/** The first key expires in the year 2100. Ids have gaps, as after years of use. */
const ROWS = `INSERT INTO whitelist VALUES (3, '${LISTED.toHex()}'), (8, '${ANOTHER.toHex()}');
  INSERT INTO torrents VALUES (2, '${LISTED.toHex()}', 1234), (9, '${UNLISTED.toHex()}', 7);
  INSERT INTO keys VALUES (4, '${GOOD}', ${FAR_SECOND}), (6, '${EXPIRED}', ${PAST_SECOND});`

const GENERATIONS = [
  // Its table of keys has no permanent keys.
  ['of 2024', `${WHITELIST}${keys(' NOT NULL')}${TORRENTS}${ROWS}`, 1241, []],
  [
    'of the newest generation',
    `${WHITELIST}${keys('')}${TORRENTS}${NEWEST}${ROWS}
     INSERT INTO keys VALUES (7, '${PERMANENT}', NULL);`,
    5000,
    [PERMANENT],
  ],
] as const

async function completed({ http }: Keeper, infoHash: Uint8Array): Promise<number> {
  const answer = await fetch(`${http}/scrape/${GOOD}?info_hash=${percent(infoHash)}`)
  const told = decodeBencode(new Uint8Array(await answer.arrayBuffer())) as BencodeDictionary
  const [counts] = (told.get('files') as Map<string, BencodeDictionary>).values()
  return counts!.get('downloaded') as number
}

describe.each(PROGRAMS)('with %s', (_program, program) => {
  describe.each(GENERATIONS)('a file %s', (_generation, sql, total, permanent) => {
    test('admits the same clients, counts on, and keeps every row', async () => {
      await using file = new SqliteFile()
      file.sql(sql)
      const rows = (table: string) => file.sql(`SELECT * FROM ${table} ORDER BY 1`)
      const tables = file.sql("SELECT name FROM sqlite_master WHERE type = 'table'").flat()
      const before = Object.fromEntries(tables.map((table) => [table, rows(`${table}`)]))
      const setting = { database: file.config, isPrivate: true, listed: true }
      await using keeper = await startKeeper(program, setting)
      using peers = await Crowd.at(keeper.udpPort, [LISTED], GOOD)
      const knock = (infoHash: Uint8Array, name: string) => peers.outcome(infoHash, name)
      expect(await knock(LISTED, GOOD)).toBe('served')
      expect(await knock(ANOTHER, GOOD)).toBe('served')
      expect(await knock(LISTED, EXPIRED)).toContain('Key has expired')
      expect(await knock(LISTED, UNKNOWN)).toContain('Failed to read key')
      expect(await knock(UNLISTED, GOOD)).toContain('is not whitelisted')
      for (const name of permanent) expect(await knock(LISTED, name)).toBe('served')
      await until('the count to be shown', async () => (await completed(keeper, LISTED)) === 1234)
      await peers.complete(5)
      expect(await completed(keeper, LISTED)).toBe(1239)

      await keeper.must('POST', 'keys', { key: UNKNOWN, seconds_valid: null })
      expect(await knock(LISTED, UNKNOWN)).toBe('served')
      await keeper.must('POST', `whitelist/${UNLISTED.toHex()}`)
      expect(await knock(UNLISTED, GOOD)).toBe('served')
      expect((await keeper.stop([GOOD, EXPIRED, UNKNOWN, PERMANENT])).code).toBe(0)

      expect(rows('whitelist')).toEqual([...before.whitelist!, [9n, UNLISTED.toHex()]])
      const id = permanent.length + 7
      expect(rows('keys')).toEqual([...before.keys!, [BigInt(id), UNKNOWN, null]])
      expect(rows('torrents')).toEqual([
        [2n, LISTED.toHex(), 1239n],
        [9n, UNLISTED.toHex(), 7n],
      ])
      if ('_sqlx_migrations' in before)
        expect(rows('_sqlx_migrations')).toEqual(before._sqlx_migrations!)
      const metric = `SELECT value FROM torrent_aggregate_metrics WHERE metric_name = 'torrents_downloads_total'`
      expect(file.sql(metric)).toEqual([[BigInt(total + 5)]])

      await using next = await startKeeper(program, setting)
      using others = await Crowd.at(next.udpPort, [LISTED], UNKNOWN)
      expect(await others.outcome(UNLISTED)).toBe('served')
      await until('both counts to be shown', async () => {
        const counts = [LISTED, UNLISTED].map((infoHash) => completed(next, infoHash))
        return Bun.deepEquals(await Promise.all(counts), [1239, 7])
      })
    })
  })
})
