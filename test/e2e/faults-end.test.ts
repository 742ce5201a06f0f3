/**
 * How a tracker ends that has owed completions: after a signal nothing is lost; after `kill -9` everything that it
 * confirmed is stored, and all completions but those of the last moment.
 */
import { describe, expect, test } from 'bun:test'
import { hashes } from '../support/database/hashes.ts'
import { type Rows, ServerPlace, skipReason, testServer } from '../support/database/servers.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { Crowd } from '../support/e2e/crowd.ts'
import { type Keeper, startKeeper } from '../support/e2e/keeper.ts'
import { compiled, type Program, source } from '../support/e2e/program.ts'
import { sample } from '../support/thorough.ts'
import { until } from '../support/until.ts'

const TORRENTS = Array.from({ length: 20 }, (_, i) => hashes(1, 1 + i))
const PAGE = 1_000

type Place = AsyncDisposable & {
  readonly config: SqliteFile['config'] | ServerPlace['config']
  sql(statement: string): Rows | Promise<Rows>
}
type Driver = Place['config']['driver']

const placeOf = async (driver: Driver): Promise<Place> =>
  driver === 'sqlite3' ? new SqliteFile() : await ServerPlace.on(testServer(driver)!)

const isAbsent = (driver: Driver) => driver !== 'sqlite3' && testServer(driver) === undefined
const remark = (driver: Driver) =>
  driver !== 'sqlite3' && isAbsent(driver) ? ` (${skipReason(driver)})` : ''

const open = (program: Program, { config }: Place) =>
  startKeeper(program, { database: { ...config } as never })

async function stored(place: Place) {
  const rows = await place.sql('SELECT completed FROM torrents ORDER BY info_hash')
  const [total] = await place.sql('SELECT value FROM torrent_aggregate_metrics')
  return { each: rows.map(([count]) => Number(count)), total: Number(total?.[0]) }
}

const sum = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)

/** Adds keys and torrents through the API as fast as it answers, until it stops answering. */
function administrators(keeper: Keeper, count: number) {
  const keys: string[] = []
  const listed: string[] = []
  let number = 1_000
  const one = async () => {
    for (;;) {
      const hash = hashes(1, ++number).toHex()
      try {
        keys.push((await keeper.must('POST', 'keys', { key: null, seconds_valid: null })).key)
        await keeper.must('POST', `whitelist/${hash}`)
        listed.push(hash)
      } catch (error) {
        // The last one was not confirmed.
        if (error instanceof TypeError) return
        throw error
      }
    }
  }
  return { keys, listed, ended: Promise.all(Array.from({ length: count }, one)) }
}

/** All pages of the list at `path` of the API. */
async function listed<T>(keeper: Keeper, path: string): Promise<T[]> {
  const all: T[] = []
  for (;;) {
    const page: T[] = await keeper.must('GET', `${path}?offset=${all.length}&limit=${PAGE}`)
    all.push(...page)
    if (page.length < PAGE) return all
  }
}

const binary = compiled()

describe.each(
  sample([
    ['sqlite3', 'the source', source],
    ['mysql', 'the compiled program', binary],
    ['postgresql', 'the compiled program', binary],
    ['sqlite3', 'the compiled program', binary],
  ] as const),
)('%s, %s', (driver, _program, program) => {
  test.skipIf(isAbsent(driver))(`killed in the middle of writes${remark(driver)}`, async () => {
    await using place = await placeOf(driver)
    await using killed = await open(program, place)
    using crowd = await Crowd.at(killed.udpPort, TORRENTS)
    crowd.start()
    const { keys, listed: hashesListed, ended } = administrators(killed, 4)
    await until(
      'enough to be lost',
      () => crowd.completions.length > 1_000 && hashesListed.length > 50,
    )
    // Completions answered so far must be written while more come.
    const least = crowd.answered()
    await until('that much to be written', async () => {
      const { each } = await stored(place)
      return each.length === TORRENTS.length && each.every((count, i) => count >= least[i]!)
    })
    killed.run.child.kill('SIGKILL')
    await ended
    await killed.run.ended()
    crowd[Symbol.dispose]()

    if (driver === 'sqlite3') expect(await place.sql('PRAGMA integrity_check')).toEqual([['ok']])
    const { each, total } = await stored(place)
    expect(each.length).toBe(TORRENTS.length)
    for (const [torrent, count] of each.entries())
      expect(count).toBeWithin(least[torrent]!, crowd.sent[torrent]! + 1)
    expect(total).toBe(sum(each))

    await using again = await open(program, place)
    const known = new Set((await listed<{ key: string }>(again, 'keys')).map(({ key }) => key))
    expect(keys.filter((key) => !known.has(key))).toEqual([])
    const onList = new Set(await listed<string>(again, 'whitelist'))
    expect(hashesListed.filter((hash) => !onList.has(hash))).toEqual([])
    // After a restart it counts on from there.
    using others = await Crowd.at(again.udpPort, TORRENTS)
    await others.complete(40)
    expect((await again.stop(keys)).code).toBe(0)
    expect((await stored(place)).each).toEqual(each.map((count) => count + 2))
  })

  test.skipIf(isAbsent(driver))(
    `stopped by a signal with owed completions${remark(driver)}`,
    async () => {
      await using place = await placeOf(driver)
      await using keeper = await open(program, place)
      using crowd = await Crowd.at(keeper.udpPort, TORRENTS)
      await crowd.complete(333)
      const { code, out, err } = await keeper.stop()
      expect([code, err]).toEqual([0, ''])
      expect(out).not.toContain('could not be written')
      expect(await stored(place)).toEqual({ each: crowd.answered(), total: 333 })
    },
  )
})
