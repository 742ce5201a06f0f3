/**
 * A running tracker whose SQLite file is locked by another program or whose disk is full, while peers go on
 * completing: they notice nothing, the operator is told, and nothing that can be written is lost.
 */

import { Database as Connection } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashes, key } from '../support/database/hashes.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { Crowd } from '../support/e2e/crowd.ts'
import { startKeeper } from '../support/e2e/keeper.ts'
import { compiled, type Program, source } from '../support/e2e/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { sample, THOROUGH } from '../support/thorough.ts'
import { until } from '../support/until.ts'

/** Longer than the time limit of a call, or of three calls. */
const LOCKED_MILLISECONDS = THOROUGH ? 12_000 : 6_000

const TORRENTS = Array.from({ length: 20 }, (_, i) => hashes(1, 1 + i))
const NEW_KEY = key(2)
const NEW_TORRENT = hashes(1, 100)
const [FIRST] = TORRENTS.map((hash) => hash.toHex()) as [string]

/** The standard error when `count` completions are lost. */
const lost = (count: number) =>
  `tracker: ${count} completed download(s) are lost: the database did not take them\n`

type Scene = Awaited<ReturnType<typeof scene>>

/** A listed tracker with a crowd, on its own file. With one worker the main thread serves. */
async function scene(program: Program, workers: number, path?: string) {
  await using opening = new AsyncDisposableStack()
  const file = opening.use(new SqliteFile())
  const database = { driver: 'sqlite3', path: path ?? file.path } as const
  const keeper = opening.use(await startKeeper(program, { database, listed: true, workers }))
  const info_hashes = TORRENTS.map((hash) => hash.toHex())
  await keeper.must('POST', 'whitelist/bulk', { info_hashes })
  const crowd = opening.use(await Crowd.at(keeper.udpPort, TORRENTS))
  const opened = opening.move()
  return { path: database.path, keeper, crowd, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** A connection of another program to the file. */
function other({ path }: Pick<Scene, 'path'>) {
  const connection = new Connection(path)
  connection.run('PRAGMA busy_timeout = 5000')
  return connection
}

function books(it: Scene) {
  using connection = other(it)
  const column = (sql: string) =>
    connection
      .query<Record<string, number>, []>(sql)
      .all()
      .flatMap((row) => Object.values(row))
  const stored = column('SELECT completed FROM torrents ORDER BY info_hash')
  const [total] = column('SELECT value FROM torrent_aggregate_metrics')
  const { completions } = it.crowd
  return {
    stored: { each: stored, total },
    accepted: { each: it.crowd.answered(), total: completions.length },
  }
}

const balanced = (it: Scene) =>
  until('everything to be stored', () => {
    const { stored, accepted } = books(it)
    return Bun.deepEquals(stored, accepted)
  })

const healthIs = ({ keeper }: Scene, status: 'Ok' | 'Error') =>
  until(`health to say ${status}`, async () => {
    const report = await keeper.health()
    return report.status === status && report
  })

/** What peers and the operator see while nothing can be written. `reason` is SQLite's. */
async function lookAround(it: Scene, reason: string): Promise<void> {
  const { keeper, crowd } = it
  // Neither its path nor SQLite's reason: the report is public.
  expect((await healthIs(it, 'Error')).database).toEqual({
    driver: 'sqlite3',
    result: { Err: expect.stringMatching(/^failing since \S+Z, the log says why$/) },
  })
  const before = crowd.completions.length
  const refused = async (method: string, route: string, what: string, body?: unknown) => {
    const { status, text } = await keeper.call(method, route, body)
    expect({ route, status, text }).toEqual({
      route,
      status: 500,
      text: expect.stringMatching(
        // A call that waited for others may run into the time limit instead.
        new RegExp(
          `^Unhandled rejection: Err \\{ reason: "${what}: .+ (${reason}|[\\d.]+ s(; .+)?)" \\}$`,
        ),
      ),
    })
    expect(text).not.toContain(NEW_KEY)
  }
  await Promise.all([
    refused('POST', 'keys', 'failed to add key', { key: NEW_KEY, seconds_valid: null }),
    refused('POST', `whitelist/${NEW_TORRENT.toHex()}`, 'failed to whitelist torrent'),
    refused('DELETE', `whitelist/${FIRST}`, 'failed to remove torrent from whitelist'),
  ])
  // Memory has not changed, and reads still work.
  expect(await crowd.outcome(TORRENTS[0]!)).toBe('served')
  expect(await crowd.outcome(NEW_TORRENT)).toContain('is not whitelisted')
  expect(await keeper.must('GET', 'keys')).toEqual([])
  expect(await keeper.must('GET', 'whitelist')).toEqual(TORRENTS.map((hash) => hash.toHex()))
  await keeper.must('GET', 'whitelist/reload')
  // Peers are served meanwhile: none waits for the database.
  await until('more peers to be served', () => crowd.completions.length > before + 100)
}

async function comeBack(it: Scene): Promise<void> {
  const { keeper, crowd, path } = it
  await healthIs(it, 'Ok')
  expect(await keeper.must('GET', 'whitelist')).toEqual(TORRENTS.map((hash) => hash.toHex()))
  await keeper.must('POST', 'keys', { key: NEW_KEY, seconds_valid: null })
  await crowd.stop()
  await balanced(it)
  await keeper.run.says(/ INFO DATABASE: \S+: works again after/)
  const { code, err } = await keeper.stop([NEW_KEY])
  expect([code, err]).toEqual([0, ''])
  using connection = other({ path })
  expect(connection.query('PRAGMA integrity_check').values()).toEqual([['ok']])
}

const binary = compiled()
const CASES: readonly (readonly [string, Program, number])[] = sample([
  ['one thread, from the source', source, 1],
  ['two threads, compiled', binary, 2],
])

/** A disk of 2 MiB, gone when the scope ends; `isThere` is false where none can be mounted. */
function smallDisk() {
  const directory = temporaryDirectory()
  const disk = directory.at('disk')
  mkdirSync(disk)
  const mount = ['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tracker-test', disk]
  const isThere = process.platform === 'linux' && Bun.spawnSync(mount).success
  return {
    disk,
    isThere,
    [Symbol.dispose]() {
      if (isThere) Bun.spawnSync(['umount', '--lazy', disk])
      directory[Symbol.dispose]()
    },
  }
}
function mayMount(): boolean {
  using probe = smallDisk()
  return probe.isThere
}

describe.concurrent('an SQLite file', () => {
  test.each(CASES)(
    `that another program locks for ${LOCKED_MILLISECONDS / 1_000} s, under %s`,
    async (_name, program, workers) => {
      await using it = await scene(program, workers)
      it.crowd.start()
      await until('some completions', () => it.crowd.completions.length > 200)
      {
        using lock = other(it)
        lock.run('BEGIN EXCLUSIVE')
        const end = performance.now() + LOCKED_MILLISECONDS
        await lookAround(it, 'database is locked')
        await Bun.sleep(end - performance.now())
        lock.run('COMMIT')
      }
      await comeBack(it)
    },
  )

  test('that another program locks does not stop the tracker from ending', async () => {
    await using it = await scene(binary, 1)
    const { keeper, crowd } = it
    await crowd.complete(40)
    await balanced(it)
    using lock = other(it)
    lock.run('BEGIN EXCLUSIVE')
    await crowd.complete(30)
    keeper.call('POST', 'key/60').catch(() => 'the tracker has ended')
    await keeper.must('GET', 'stats')
    const { code, out, err } = await keeper.stop()
    expect([code, err]).toEqual([1, lost(30)])
    expect(out).toMatch(/ ERROR DATABASE: \S+: 30 completed download\S* could not be written: /)
    lock.run('COMMIT')
    const { stored, accepted } = books(it)
    expect(stored.total).toBe(accepted.total - 30)
  })

  const isPossible = mayMount()
  test.skipIf(!isPossible)(
    `on a full disk${isPossible ? '' : ' (skipped: no tmpfs may be mounted)'}`,
    async () => {
      using place = smallDisk()
      await using it = await scene(binary, 1, join(place.disk, 'tracker.db'))
      it.crowd.start()
      await until('some completions', () => it.crowd.completions.length > 200)
      const filler = join(place.disk, 'filler')
      expect(() => writeFileSync(filler, new Uint8Array(4 * 2 ** 20))).toThrow('ENOSPC')
      await lookAround(it, 'database or disk is full')
      rmSync(filler)
      await comeBack(it)
    },
  )

  test.skipIf(!isPossible)('on a disk that is full when the tracker ends', async () => {
    using place = smallDisk()
    await using it = await scene(binary, 1, join(place.disk, 'tracker.db'))
    const { keeper, crowd } = it
    await crowd.complete(40)
    await balanced(it)
    const filler = join(place.disk, 'filler')
    expect(() => writeFileSync(filler, new Uint8Array(4 * 2 ** 20))).toThrow('ENOSPC')
    await crowd.complete(30)
    const { code, out, err } = await keeper.stop()
    expect([code, err]).toEqual([1, lost(30)])
    expect(out).toMatch(/ ERROR DATABASE: \S+: 30 completed download\S* could not be written: /)
    expect(out).not.toContain('successfully')
  })
})
