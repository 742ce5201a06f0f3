/** A database thread that hangs or dies does not harm the thread that calls it. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import type { Database, DatabaseError } from '../../src/database/contract.ts'
import { openDatabase } from '../../src/database/remote.ts'
import { Deadline } from '../../src/time/deadline.ts'
import { failureOf, faultOf } from '../support/database/failure.ts'
import { FAULTY_URL } from '../support/database/faulty-worker.ts'
import { hashes, key } from '../support/database/hashes.ts'
import { newName } from '../support/database/names.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { until } from '../support/until.ts'

/** `reports`: the lines for the log. */
function faulty(
  what: string,
  deed: (database: Database, file: SqliteFile, reports: string[]) => Promise<void>,
): void {
  test(what, async () => {
    await using file = new SqliteFile()
    const reports: string[] = []
    const report = (trouble: string) => reports.push(trouble)
    const database = await openDatabase(file.config, { report, url: FAULTY_URL })
    try {
      await deed(database, file, reports)
    } finally {
      await database.close()
    }
  })
}
const bring = (database: Database, fault: string, word = '', deadline?: Deadline) =>
  database.removeKeys([`${fault}|${word}`], deadline)

// The clocks of two threads begin when the threads do: here they are further apart than a call's time to return.
beforeAll(() => Bun.sleep(Math.max(0, 1_500 - performance.now())))

describe.concurrent("the database's thread", () => {
  faulty('that forgets a call is late with that one only', async (database, _file, reports) => {
    const forgotten = failureOf(() => bring(database, 'hangs', '', Deadline.in(1_000)))
    await database.addToWhitelist(hashes(1))
    expect((await forgotten).fault).toBe('late')
    expect(await database.listWhitelist(0, 9)).toEqual(hashes(1))
    expect(reports).toEqual([])
  })

  faulty('that is blocked does not do later what its caller gave up', async (database, file) => {
    const go = `${file.path}.go`
    const deadline = Deadline.in(1_000)
    const blocked = failureOf(() => bring(database, 'blocks', go, deadline))
    const given = [
      () => database.addToWhitelist(hashes(1), deadline),
      () => database.addKeys([{ key: key(1), validUntil: null }], deadline),
      () => database.addDownloads(hashes(1), Float64Array.of(1), newName(), deadline),
      () => database.ping(deadline),
    ].map(faultOf)
    expect(await Promise.all(given)).toEqual(['late', 'late', 'late', 'late'])
    expect((await blocked).fault).toBe('late')
    const later = database.addToWhitelist(hashes(1, 2))
    writeFileSync(go, '')
    await later
    expect(await database.listWhitelist(0, 9)).toEqual(hashes(1, 2))
    expect(await database.listKeys(0, 9)).toEqual([])
    expect(await database.downloadsTotal()).toBe(0)
  })

  faulty('that is blocked gets a limited number of calls', async (database, file) => {
    const go = `${file.path}.go`
    const blocked = bring(database, 'blocks', go)
    const calls = Array.from({ length: 2_000 }, () =>
      database.ping().then(
        () => 'done',
        (error: DatabaseError) => error.message,
      ),
    )
    const refused = `the database sqlite3:${file.path} does not answer, and 1000 calls wait already`
    expect(await calls.at(-1)!).toBe(refused)
    writeFileSync(go, '')
    await blocked
    const said = await Promise.all(calls)
    expect(said.filter((words) => words === 'done').length).toBe(999)
    expect(said.filter((words) => words === refused).length).toBe(1_001)
    await database.ping()
  })

  faulty('that is blocked does not stop the close', async (database, file) => {
    const go = `${file.path}.go`
    const blocked = faultOf(() => bring(database, 'blocks', go))
    const waiting = faultOf(() => database.ping())
    await database.close()
    expect([await blocked, await waiting]).toEqual(['unreachable', 'unreachable'])
    writeFileSync(go, '')
  })

  faulty('finishes the calls that were made before it is closed', async (database, file) => {
    const calls = [
      database.addToWhitelist(hashes(5_000)),
      database.addKeys([{ key: key(1), validUntil: null }]),
      database.addDownloads(hashes(1), Float64Array.of(4), newName()),
    ]
    await database.close()
    await Promise.all(calls)
    expect(file.sql('SELECT count(*) FROM whitelist')).toEqual([[5_000n]])
    expect(file.sql('SELECT key FROM keys')).toEqual([[key(1)]])
    expect(file.sql('SELECT value FROM torrent_aggregate_metrics')).toEqual([[4n]])
  })

  faulty('waits for a slow call before it closes', async (database, file) => {
    const go = `${file.path}.go`
    await database.addKeys([{ key: key(1), validUntil: null }])
    const slow = database.removeKeys([`dawdles|${go}`, key(1)])
    await database.ping()
    const closing = database.close()
    writeFileSync(go, '')
    expect(await slow).toBe(1)
    await closing
  })

  faulty('that dies fails its calls and is replaced', async (database, file, reports) => {
    await database.addToWhitelist(hashes(1))
    for (let round = 1; round <= 2; round++) {
      const calls = [() => bring(database, 'throws', key(7)), () => bring(database, 'hangs')]
      for (const error of await Promise.all(calls.map(failureOf)))
        expect([error.fault, error.message]).toEqual([
          'unreachable',
          `the database sqlite3:${file.path} was lost: its thread died`,
        ])
      // The next calls wait for the next thread, all for the same one.
      const next = await Promise.all([1, 2, 3].map(() => database.listWhitelist(0, 9)))
      expect(next).toEqual([hashes(1), hashes(1), hashes(1)])
      expect(reports.length).toBe(round)
    }
    expect(reports[0]).toBe('the database thread died: error: died over ***')
  })

  faulty('that dies again and again is replaced once a second at most', async (database, file) => {
    writeFileSync(`${file.path}.dead`, '')
    expect(await faultOf(() => bring(database, 'throws'))).toBe('unreachable')
    const lost = `the database sqlite3:${file.path} was lost a moment ago`
    await until('a call that cannot wait for the next thread', async () => {
      await faultOf(() => database.ping())
      return (await failureOf(() => database.ping(Deadline.in(100)))).message === lost
    })
  })

  faulty('that breaks the contract is an error and a report', async (database, _file, reports) => {
    const error = await failureOf(() => bring(database, 'breaks', key(7)))
    expect([error.fault, error.message]).toEqual(['refused', 'the database driver failed'])
    expect(reports).toEqual(['the database driver failed: TypeError: expected a key, found ***'])
    await database.ping()
  })

  faulty('gets its own copy of the bytes it is given', async (database) => {
    const mine = hashes(3)
    const counts = Float64Array.of(1, 2, 3)
    const calls = [
      database.addToWhitelist(mine.subarray(20, 40)),
      database.addDownloads(mine, counts, newName()),
    ]
    mine.fill(0)
    counts.fill(0)
    await Promise.all(calls)
    expect(await database.listWhitelist(0, 9)).toEqual(hashes(1, 2))
    expect(await database.downloadsOf(hashes(3))).toEqual(Float64Array.of(1, 2, 3))

    // The same while it still waits for another thread.
    expect(await faultOf(() => bring(database, 'throws'))).toBe('unreachable')
    const last = hashes(1, 9)
    const call = database.addToWhitelist(last)
    last.fill(0)
    await call
    expect(await database.listWhitelist(1, 9)).toEqual(hashes(1, 9))
  })

  test('that never opens its database ends the start with one line', async () => {
    await using file = new SqliteFile()
    const reports: string[] = []
    const report = (trouble: string) => reports.push(trouble)
    const open = (milliseconds = 9_000) =>
      openDatabase(file.config, { report, url: FAULTY_URL, milliseconds })
    writeFileSync(`${file.path}.mute`, '')
    const mute = await failureOf(() => open(500))
    expect([mute.fault, mute.message]).toEqual([
      'late',
      `cannot open the database sqlite3:${file.path}: no answer within 0.5 s`,
    ])
    rmSync(`${file.path}.mute`)
    writeFileSync(`${file.path}.dead`, '')
    const dead = await failureOf(() => open())
    expect([dead.fault, dead.message]).toEqual(['refused', 'the database driver failed'])
    expect(reports).toEqual(['the database driver failed: Error: dead from the start'])
    const lost = await failureOf(() => openDatabase(file.config, { report, url: 'data:,throw' }))
    expect([lost.fault, lost.message]).toEqual([
      'unreachable',
      `the database sqlite3:${file.path} was lost: its thread died`,
    ])
    expect(reports[1]).toStartWith('the database thread died: ')
  })
})
