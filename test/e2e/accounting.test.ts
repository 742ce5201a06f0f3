/**
 * A private tracker as a process that keeps accounts: what clients report over UDP and HTTP is in its database, over
 * kill -9, restarts and with two trackers on one database.
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { DatabaseConfig } from '../../src/config/model.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { hashes } from '../support/database/hashes.ts'
import { PrivateServer, ServerPlace, skipReason, testServer } from '../support/database/servers.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import type { Place } from '../support/database/suite.ts'
import { type Keeper, startKeeper } from '../support/e2e/keeper.ts'
import { Mover, type Where } from '../support/e2e/movers.ts'
import { bothPrograms } from '../support/e2e/program.ts'
import { dice, seed } from '../support/random.ts'
import { repeated } from '../support/thorough.ts'
import { EVENT } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(300_000)

const PROGRAMS = bothPrograms()
const TORRENTS = Array.from({ length: 3 }, (_, i) => hashes(1, 1 + i))
const USERS = '[core.accounting]\nlevel = "users"\n'
const GIB = 2 ** 30

type Site = Place & { readonly config: DatabaseConfig }

const sqlite = (): Site => {
  const file = new SqliteFile()
  return {
    config: file.config,
    open: () => openSqlite(file.config),
    sql: async (statement) => file.sql(statement),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  }
}

const SITES = [
  ['SQLite', async () => sqlite()],
  ...(['mysql', 'postgresql'] as const).map((driver) => {
    const server = testServer(driver)
    const name = server ? driver : `${driver}, ${skipReason(driver)}`
    return [name, server && ((): Promise<Site> => ServerPlace.on(server))] as const
  }),
] as const

/** What was credited to the account of a key, up and down. */
async function creditOf(site: Site, key: string): Promise<number[]> {
  const [row] = await site.sql(
    `SELECT credited_uploaded, credited_downloaded FROM accounting_accounts JOIN accounting_keys ON account = id
     WHERE accounting_keys.key = '${key}'`,
  )
  return row!.map(Number)
}

for (const [database, make] of SITES)
  describe.skipIf(make === undefined)(`on ${database}`, () => {
    describe.each(PROGRAMS)('%s', (_name, program) => {
      const begin = (site: Site, tables = USERS, workers = 2) =>
        startKeeper(program, { database: site.config, isPrivate: true, workers, tables })
      const addKey = async (keeper: Keeper): Promise<string> =>
        (await keeper.must('POST', 'keys', { key: null, seconds_valid: null })).key
      const sessions = async (site: Site) =>
        Number((await site.sql('SELECT COUNT(*) FROM accounting_sessions'))[0]![0])

      test.each([1, 2])(
        'N1, N3, N20: with %d workers announces over UDP and HTTP are counted, and a stop writes all',
        async (workers) => {
          await using site = await make!()
          let keys: string[]
          {
            await using keeper = await begin(site, USERS, workers)
            keys = [await addKey(keeper), await addKey(keeper)]
            const movers = [0, 1, 2, 3].map(
              (n) => new Mover(keys[n >> 1]!, TORRENTS[n % 2]!, n, 100),
            )
            for (const mover of movers) {
              mover.uploaded = 5 * GIB
              await mover.announce(keeper, EVENT.started)
            }
            // Announces of one client in one instant may be read in another order than they came.
            await until('baselines', async () => (await sessions(site)) === movers.length)
            for (const mover of movers) {
              mover.uploaded += 7
              mover.downloaded = 100
              mover.left = 0
              await mover.announce(keeper, EVENT.completed)
            }
            for (const key of keys)
              await until('credit', async () => (await creditOf(site, key))[1] === 200)
            for (const mover of movers) {
              mover.uploaded += 8 * GIB
              await mover.announce(keeper, EVENT.stopped)
            }
            expect((await keeper.stop()).code).toBe(0)
          }
          for (const key of keys)
            expect(await creditOf(site, key)).toEqual([2 * (8 * GIB + 7), 200])
          const [row] = await site.sql('SELECT SUM(snatches) FROM accounting_torrents')
          expect(Number(row![0])).toBe(4)
          expect(await sessions(site)).toBe(0)
        },
      )

      test('N16: over kill -9 no byte is lost that a client goes on to report, and none is counted twice', async () => {
        await using site = await make!()
        const random = dice(seed)
        await using stack = new AsyncDisposableStack()
        let keeper = stack.use(await begin(site))
        const [staying, leaving] = [await addKey(keeper), await addKey(keeper)]
        const stayers = Array.from({ length: 8 }, (_, n) => new Mover(staying, TORRENTS[n % 3]!, n))
        const leavers = Array.from(
          { length: 4 },
          (_, n) => new Mover(leaving, TORRENTS[n % 3]!, 100 + n),
        )
        const movers = [...stayers, ...leavers]
        for (const mover of movers) await mover.announce(keeper, EVENT.started)
        await until('baselines', async () => (await sessions(site)) === movers.length)
        let number = 1_000
        let left = 0
        for (let kills = 0; kills < repeated(4); kills++) {
          for (let step = random(60); step >= 0; step--) {
            const mover = movers[random(movers.length)]!
            mover.uploaded += random(1_000_000)
            const isLeaving = mover.key === leaving && random(3) === 0
            await mover.announce(keeper, isLeaving ? EVENT.stopped : EVENT.none)
            if (isLeaving) {
              left += mover.uploaded
              mover.restart(number++)
              await mover.announce(keeper, EVENT.started)
            }
            if (random(8) === 0) await Bun.sleep(random(400))
          }
          keeper.run.child.kill('SIGKILL')
          await keeper.run.ended()
          keeper = stack.use(await begin(site))
        }
        for (const mover of movers) await mover.announce(keeper)
        expect((await keeper.stop()).code).toBe(0)
        const sent = (some: readonly Mover[]) => some.reduce((sum, one) => sum + one.uploaded, 0)
        expect([seed, await creditOf(site, staying)]).toEqual([seed, [sent(stayers), 0]])
        expect((await creditOf(site, leaving))[0]).toBeWithin(0, left + sent(leavers) + 1)
      })

      test('N19: two trackers on one database count every byte once, also of a client that moves', async () => {
        await using site = await make!()
        const random = dice(seed)
        await using one = await begin(site)
        const key = await addKey(one)
        await using two = await begin(site)
        const trackers: Where[] = [one, two]
        const movers = Array.from({ length: 6 }, (_, n) => new Mover(key, TORRENTS[n % 2]!, n))
        const homes = movers.map((_, n) => n % 2)
        for (const [n, mover] of movers.entries()) await mover.announce(trackers[homes[n]!]!)
        await until('baselines', async () => (await sessions(site)) === movers.length)
        for (let step = 0; step < 60; step++) {
          const n = random(movers.length)
          movers[n]!.uploaded += random(1_000_000)
          await movers[n]!.announce(trackers[homes[n]!]!)
          // It goes to the other tracker, some seconds after its last announce at the latest.
          if (n === 0 && random(5) === 0) {
            const sum = async () => (await creditOf(site, key))[0]
            const before = movers.reduce((all, { uploaded }) => all + uploaded, 0)
            await until('all to be written', async () => (await sum()) === before)
            homes[n] = 1 - homes[n]!
          }
        }
        expect((await one.stop()).code).toBe(0)
        expect((await two.stop()).code).toBe(0)
        const sent = movers.reduce((sum, { uploaded }) => sum + uploaded, 0)
        expect([seed, await creditOf(site, key)]).toEqual([seed, [sent, 0]])
      })
    })
  })

describe.each(['mysql', 'postgresql'] as const)('a server, %s,', (driver) => {
  const account = testServer(driver)
  const name = account ? '' : ` (${skipReason(driver)})`
  test.skipIf(account === undefined).each(PROGRAMS)(
    `N18: that hangs and dies loses nothing, and the log says each once, under %s${name}`,
    async (_program, program) => {
      await using server = await PrivateServer.start(account!)
      const site = await ServerPlace.on(server.config)
      await using keeper = await startKeeper(program, {
        database: { ...site.config },
        isPrivate: true,
        workers: 1,
        tables: USERS,
      })
      const { key } = await keeper.must('POST', 'keys', { key: null, seconds_valid: null })
      const movers = Array.from({ length: 40 }, (_, n) => new Mover(key, TORRENTS[n % 3]!, n))
      const announceAll = async (bytes: number) => {
        for (const mover of movers) {
          mover.uploaded += bytes
          await mover.announce(keeper)
        }
      }
      const sent = () => movers.reduce((sum, { uploaded }) => sum + uploaded, 0)
      const written = () =>
        until('all to be written', async () => (await creditOf(site, key))[0] === sent())
      const fails = () =>
        until('health to fail', async () => (await keeper.health()).status === 'Error')
      await announceAll(0)
      await announceAll(1_000)
      await written()

      await server.freeze()
      await announceAll(1_000)
      await fails()
      // A batch may be done by now or not. More comes, and is merged with what waits.
      for (let round = 0; round < 5; round++) await announceAll(1_000)
      server.thaw()
      await written()
      await keeper.run.says(/INFO ACCOUNTING: \S+ works again after \d+ s; figures of \d+ session/)

      await server.kill()
      for (let round = 0; round < 5; round++) await announceAll(1_000)
      await fails()
      await server.start()
      await written()
      await until('health', async () => (await keeper.health()).status === 'Ok')

      // Gone for good: the last bytes are measured from the stored baselines when the clients come back.
      await server.kill()
      await announceAll(7)
      const { code, out, err } = await keeper.stop([key, site.config.password])
      expect([code, err]).toEqual([
        1,
        'tracker: figures of 40 session(s) are lost: the database did not take them\n',
      ])
      const lines = out.split('\n').filter((line) => line.includes(' ACCOUNTING: '))
      const said = lines.map((line) => /; (.*?)(?: of \d+ .*)?$/.exec(line)?.[1])
      const outage = ['figures wait in memory until it works again', 'figures']
      expect(said.filter((what) => what?.startsWith('figures'))).toEqual([...outage, ...outage])
      expect(lines.at(-1)).toContain('280 byte(s) of 40 session(s) could not be written')
      await server.start()
      await using again = await startKeeper(program, {
        database: { ...site.config },
        isPrivate: true,
        tables: USERS,
      })
      for (const mover of movers) await mover.announce(again)
      await written()
    },
  )
})

describe.each(PROGRAMS)('%s', (_name, program) => {
  test('N26: without accounting there is no table of it', async () => {
    await using site = sqlite()
    const keeper = await startKeeper(program, { database: site.config, isPrivate: true })
    const { key, ...rest } = await keeper.must('POST', 'keys', { key: null, seconds_valid: null })
    expect(Object.keys(rest)).not.toContain('account')
    await new Mover(key, TORRENTS[0]!, 1).announce(keeper)
    expect((await keeper.stop([key])).code).toBe(0)
    const tables = await site.sql(`SELECT name FROM sqlite_master WHERE name LIKE 'accounting%'`)
    expect(tables).toEqual([])
  })

  test('N33: a public tracker keeps figures of torrents', async () => {
    await using site = sqlite()
    const tables = '[core.accounting]\nlevel = "torrents"\n'
    const keeper = await startKeeper(program, { database: site.config, tables, workers: 1 })
    const movers = [0, 1].map((n) => new Mover(undefined, TORRENTS[0]!, n))
    for (const mover of movers) {
      await mover.announce(keeper, EVENT.started)
      mover.uploaded = 10
      await mover.announce(keeper, EVENT.stopped)
    }
    expect((await keeper.stop()).code).toBe(0)
    expect(await site.sql('SELECT uploaded FROM accounting_torrents')).toEqual([[20n]])
    expect(await site.sql('SELECT * FROM accounting_accounts')).toEqual([])
  })
})
