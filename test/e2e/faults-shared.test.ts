/**
 * Two running trackers on one database that fails, one of which is killed and replaced: peers notice nothing, every
 * completion is stored once, and of the one that was killed only those of the last moment are lost.
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { hashes, key } from '../support/database/hashes.ts'
import { BreakingWay } from '../support/database/proxy.ts'
import {
  PrivateServer,
  type Rows,
  type ServerConfig,
  ServerPlace,
  skipReason,
  testServer,
} from '../support/database/servers.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { Crowd } from '../support/e2e/crowd.ts'
import { type Keeper, startKeeper } from '../support/e2e/keeper.ts'
import { bothPrograms, type Program } from '../support/e2e/program.ts'
import { repeated } from '../support/thorough.ts'
import { until } from '../support/until.ts'

/** Each test starts a server twice and several trackers, and waits for calls that fail. */
setDefaultTimeout(300_000)

const DRIVERS = ['sqlite3', 'mysql', 'postgresql'] as const
type Driver = (typeof DRIVERS)[number]

const KEY = key(1)
/** Completed at both trackers; at the first alone; at the other alone. */
const SHARED = 10
const ALL = Array.from({ length: 30 }, (_, i) => hashes(1, 1 + i))
const AT_FIRST = [...ALL.keys()].filter((torrent) => torrent < 20)
const AT_OTHER = [...ALL.keys()].filter((torrent) => torrent < SHARED || torrent >= 20)

/** A database, what each of two trackers calls it, and everything that can happen to it. */
type Place = AsyncDisposable & {
  readonly configs: readonly (SqliteFile['config'] | ServerConfig)[]
  sql(statement: string): Rows | Promise<Rows>
  /** One fault, which both trackers meet. */
  fail(round: number): Promise<void>
}

function filePlace(): Place {
  const file = new SqliteFile()
  return {
    configs: [file.config, file.config],
    sql: (statement) => file.sql(statement),
    /** Longer than a tracker waits for a lock, every other time. */
    async fail(round) {
      using _ = file.locked()
      await Bun.sleep(round % 2 ? 100 : 4_000)
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  }
}

async function serverPlace(driver: ServerConfig['driver']): Promise<Place> {
  await using opening = new AsyncDisposableStack()
  const server = opening.use(await PrivateServer.start(testServer(driver)!))
  // It is removed with its server.
  const place = await ServerPlace.on(server.config)
  const ways = [
    opening.use(await BreakingWay.to(place.config)),
    opening.use(await BreakingWay.to(place.config)),
  ]
  const opened = opening.move()
  return {
    configs: ways.map(({ config }) => config),
    sql: (statement) => place.sql(statement),
    /** Commits that never arrive, commits whose answer never arrives, and in between the end of the server. */
    async fail(round) {
      if (round === 2) {
        await server.kill()
        await server.start()
      }
      for (const [i, way] of ways.entries()) way.breaks = (round + i) % 2 ? 'asked' : 'answered'
      await until('a commit of each to break', () => ways.every(({ breaks }) => breaks === 'never'))
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

const start = (program: Program, place: Place, which: number) =>
  startKeeper(program, {
    database: { ...place.configs[which]! } as never,
    isPrivate: true,
    listed: true,
  })

const crowdAt = ({ udpPort }: Keeper, torrents: readonly number[]) =>
  Crowd.at(
    udpPort,
    torrents.map((torrent) => ALL[torrent]!),
    KEY,
  )

/** Completions of each torrent of `ALL`. */
function spread(torrents: readonly number[], counts: readonly number[]): number[] {
  const each = ALL.map(() => 0)
  for (const [i, torrent] of torrents.entries()) each[torrent] = counts[i]!
  return each
}
const add = (...all: readonly number[][]) =>
  ALL.map((_, torrent) => all.reduce((sum, each) => sum + each[torrent]!, 0))
const sum = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)

async function stored(place: Place) {
  const rows = await place.sql('SELECT info_hash, completed FROM torrents')
  const counts = new Map(rows.map(([hash, count]) => [String(hash), Number(count)]))
  const [total] = await place.sql('SELECT value FROM torrent_aggregate_metrics')
  return { each: ALL.map((hash) => counts.get(hash.toHex()) ?? 0), total: Number(total?.[0] ?? 0) }
}

describe.concurrent.each(DRIVERS)('one database of %s', (driver: Driver) => {
  const isAbsent = driver !== 'sqlite3' && testServer(driver) === undefined
  const remark = driver !== 'sqlite3' && isAbsent ? ` (${skipReason(driver)})` : ''

  test.skipIf(isAbsent).each(bothPrograms())(
    `D5: keeps the completions of two trackers, each once, under %s${remark}`,
    async (_name, program) => {
      await using place = driver === 'sqlite3' ? filePlace() : await serverPlace(driver)
      await using first = await start(program, place, 0)
      await using other = await start(program, place, 1)
      await first.must('POST', 'keys', { key: KEY, seconds_valid: null })
      const info_hashes = ALL.map((hash) => hash.toHex())
      await first.must('POST', 'whitelist/bulk', { info_hashes })
      using crowd = await crowdAt(first, AT_FIRST)
      using others = await crowdAt(other, AT_OTHER)
      // Each learns what was changed through the other when it is asked to.
      expect(await others.outcome(ALL[0]!)).toContain('Failed to read key')
      await other.must('GET', 'keys/reload')
      expect(await others.outcome(ALL[0]!)).toContain('is not whitelisted')
      await other.must('GET', 'whitelist/reload')
      expect(await others.outcome(ALL[0]!)).toBe('served')

      crowd.start()
      others.start()
      for (let round = 0; round < repeated(12, 3); round++) {
        const [one, two] = [crowd.completions.length, others.completions.length]
        await place.fail(round)
        await until('more completions at both', () => {
          return crowd.completions.length > one + 50 && others.completions.length > two + 50
        })
      }
      await Promise.all([crowd.stop(), others.stop()])
      const ofFirst = () => spread(AT_FIRST, crowd.answered())
      const ofOther = spread(AT_OTHER, others.answered())
      await until('everything to be stored', async () =>
        Bun.deepEquals((await stored(place)).each, add(ofFirst(), ofOther)),
      )
      expect((await stored(place)).total).toBe(sum(add(ofFirst(), ofOther)))
      for (const { run } of [first, other]) {
        await run.says(/ERROR DATABASE: /)
        await run.says(/ INFO DATABASE: \S+: works again after/)
      }

      crowd.start()
      others.start()
      await until('more completions', () => others.completions.length > sum(ofOther) + 300)
      await place.fail(1)
      await crowd.stop()
      const least = others.answered()
      await until('those to be written', async () => {
        const { each } = await stored(place)
        return add(ofFirst(), spread(AT_OTHER, least)).every((count, i) => each[i]! >= count)
      })
      crowd.start()
      await until('more to be lost', () => others.completions.length > sum(least) + 30)
      other.run.child.kill('SIGKILL')
      await other.run.ended()
      others[Symbol.dispose]()
      // What it had under way is done or undone when this is done.
      await place.sql('UPDATE torrent_aggregate_metrics SET value = value')
      const left = (await stored(place)).each

      await using next = await start(program, place, 1)
      using successors = await crowdAt(next, AT_OTHER)
      successors.start()
      await until('completions at both', () => successors.completions.length > 200)
      await place.fail(0)
      await Promise.all([crowd.stop(), successors.stop()])
      for (const keeper of [first, next]) expect((await keeper.stop([KEY])).code).toBe(0)

      const { each, total } = await stored(place)
      const ofNext = spread(AT_OTHER, successors.answered())
      const [fewest, most] = [least, others.sent].map((counts) =>
        add(ofFirst(), ofNext, spread(AT_OTHER, counts)),
      )
      for (const [torrent, count] of each.entries())
        if (torrent < SHARED) expect(count).toBeWithin(fewest![torrent]!, most![torrent]! + 1)
        else if (torrent < 20) expect(count).toBe(ofFirst()[torrent]!)
        else {
          expect(count).toBe(left[torrent]! + ofNext[torrent]!)
          expect(count).toBeWithin(fewest![torrent]!, most![torrent]! + 1)
        }
      expect(total).toBe(sum(each))
      const writers = await place.sql('SELECT writer FROM tracker_writers')
      expect(writers).toHaveLength(3)
    },
  )
})
