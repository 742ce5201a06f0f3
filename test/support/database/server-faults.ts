/** Faults of a database server and of the way to it, the same for both drivers. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Database, DRIVER_NAMES, NO_ROW } from '../../../src/database/contract.ts'
import { openDatabase } from '../../../src/database/remote.ts'
import { Deadline } from '../../../src/time/deadline.ts'
import { dice, seed } from '../random.ts'
import { until } from '../until.ts'
import { failureOf, faultOf } from './failure.ts'
import { hashes, key } from './hashes.ts'
import { newName } from './names.ts'
import { BreakingWay } from './proxy.ts'
import { openDriver, PrivateServer, runSql, type ServerConfig, ServerPlace } from './servers.ts'

export function survivesFaults(server: ServerConfig): void {
  const { driver } = server

  describe('opening', () => {
    const reasonOf = async (change: Partial<ServerConfig>) => {
      const error = await failureOf(() => openDriver({ ...server, ...change }))
      expect(error.message).not.toContain('\n')
      expect(error.message).not.toContain(server.password)
      expect(error.message).toStartWith(`cannot open the database ${driver}://`)
      return [error.fault, error.message.replace(/^.*?: /, '')]
    }

    test('with a wrong password is refused, and no message contains the password', async () => {
      const [fault, reason] = await reasonOf({ password: 'wrong-and-secret' })
      expect(fault).toBe('refused')
      expect(reason).not.toContain('wrong-and-secret')
      expect(reason).toMatch(/Access denied for user 'tracker'|authentication failed for user "tra/)
    })

    test('a database that does not exist is an error with its remedy', async () => {
      const reason = 'database "no_such_database" does not exist: create it first'
      expect(await reasonOf({ database: 'no_such_database' })).toEqual(['refused', reason])
    })

    test('at a closed port is refused at once', async () => {
      expect(await reasonOf({ port: 1 })).toEqual([
        'unreachable',
        'connection refused; is the server running, and are host and port right?',
      ])
    })

    test('through a directory or file of sockets that does not exist is refused', async () => {
      const [fault, reason] = await reasonOf({ host: '/no/such/directory' })
      expect([fault, reason]).toEqual(['unreachable', expect.stringMatching(/refused|ENOENT/)])
    })

    test('an empty database is possible for many at once', async () => {
      await using place = await ServerPlace.on(server)
      const opened = await Promise.all(Array.from({ length: 6 }, () => place.open()))
      for (const database of opened)
        await database.addDownloads(hashes(1), Float64Array.of(1), newName())
      expect(await opened[0]!.downloadsTotal()).toBe(6)
      await Promise.all(opened.map((database) => database.close()))
    })

    test('is possible through the database thread', async () => {
      await using place = await ServerPlace.on(server)
      const database = await openDatabase(place.config)
      try {
        expect(await database.addDownloads(hashes(3), Float64Array.of(1, 2, 3), newName())).toBe(6)
        expect(await faultOf(() => database.addKeys(twice(key(1))))).toBe('duplicate')
      } finally {
        await database.close()
      }
    })
  })

  test('adding existing rows uses up no ids', async () => {
    await using place = await ServerPlace.on(server)
    const database = await place.open()
    for (let i = 0; i < 5; i++) {
      await database.addDownloads(hashes(100), new Float64Array(100).fill(1), newName())
      await database.addToWhitelist(hashes(100))
    }
    await database.addDownloads(hashes(1, 101), Float64Array.of(1), newName())
    await database.addToWhitelist(hashes(1, 101))
    await database.close()
    // For one statement MySQL sets aside a power of two.
    const end = driver === 'mysql' ? 255 : 102
    for (const table of ['torrents', 'whitelist'])
      expect(Number((await place.sql(`SELECT MAX(id) FROM ${table}`))[0]![0])).toBeWithin(101, end)
  })

  describe('connections', () => {
    test('are few, and gone when the database is closed', async () => {
      await using place = await ServerPlace.on(server)
      const database = await place.open()
      await Promise.all(Array.from({ length: 100 }, () => database.downloadsOf(hashes(5))))
      expect(await connectionsTo(place.config)).toBeWithin(1, 5)
      await database.close()
      await until('the connections to be gone', async () => !(await connectionsTo(place.config)))
    })

    test('that fall silent are dropped, all of them', async () => {
      await using place = await ServerPlace.on(server)
      await using way = await BreakingWay.to(place.config)
      const database = await openDriver(way.config)
      await Promise.all(Array.from({ length: 20 }, () => database.ping()))
      way.fallSilent()
      expect(await faultOf(() => database.ping(Deadline.in(500)))).toBe('late')
      await database.ping()
      await database.close()
    })
  })

  test('a call ends by its deadline, whether it waits for an answer, a greeting or its turn', async () => {
    await using place = await ServerPlace.on(server)
    await using way = await BreakingWay.to(place.config)
    const database = await openDriver(way.config)
    await Promise.all(Array.from({ length: 20 }, () => database.ping()))
    way.fallSilent()
    way.pieces = 0
    const call = (milliseconds: number) => faultOf(() => database.ping(Deadline.in(milliseconds)))
    // The existing connections are silent, and new ones get no greeting.
    const began = performance.now()
    expect(await Promise.all([call(300), call(300)])).toEqual(['late', 'late'])
    expect(performance.now() - began).toBeWithin(290, 3_000)
    // All connections are taken for longer than this call can wait for one.
    const taken = Array.from({ length: 4 }, () => call(1_500))
    const late = performance.now()
    expect(await call(300)).toBe('late')
    expect(performance.now() - late).toBeWithin(290, 1_400)
    expect(new Set(await Promise.all(taken))).toEqual(new Set(['late']))
    way.pieces = Number.POSITIVE_INFINITY
    await database.ping()
    await database.close()
  })

  describe('a server that falls silent', () => {
    /** What becomes of a call whose connection gets so many pieces and no more, and of the one after it. */
    const silentAfter = async (pieces: number) => {
      await using place = await ServerPlace.on(server)
      await using way = await BreakingWay.to(place.config)
      const database = await openDriver(way.config)
      way.pieces = pieces
      const fault = await faultOf(() => database.ping(Deadline.in(1_000)))
      way.pieces = Number.POSITIVE_INFINITY
      await database.ping()
      await database.close()
      return fault
    }

    test('while a call connects makes that call late, at whatever point', async () => {
      const faults = await Promise.all([0, 1, 2, 3, 4].map(silentAfter))
      expect(faults).toEqual(Array(5).fill('late'))
    })

    test('while it is opened is given up, at whatever point', async () => {
      await using place = await ServerPlace.on(server)
      const openings = [0, 1, 2, 3, 4, 5, 8].map(async (pieces) => {
        await using way = await BreakingWay.to(place.config)
        way.pieces = pieces
        return await faultOf(() => openDriver(way.config))
      })
      expect(await Promise.all(openings)).toEqual(Array(7).fill('late'))
    })
  })

  describe('a transaction', () => {
    test('that waits too long for a lock is refused, and undone', async () => {
      await using place = await ServerPlace.on(server)
      const database = await place.open()
      {
        await using _ = await place.hold('UPDATE torrent_aggregate_metrics SET value = value + 1')
        const add = () => database.addDownloads(hashes(3), Float64Array.of(1, 2, 3), newName())
        const error = await failureOf(add)
        expect(error.fault).toBe('refused')
        expect(error.message).toContain(`The ${DRIVER_NAMES[driver]} query was malformed: `)
        expect(error.message).toMatch(/lock/i)
        // Reads do not wait.
        expect(await database.downloadsTotal()).toBe(0)
      }
      expect(await database.addDownloads(hashes(3), Float64Array.of(1, 2, 3), newName())).toBe(6)
      await database.close()
    })

    test('that deadlocks with another program is done again', async () => {
      await using place = await ServerPlace.on(server)
      const database = await place.open()
      await database.addDownloads(hashes(100), new Float64Array(100).fill(1), newName())
      // The server ends the one that has done less, or that noticed first.
      const other = await place.hold('UPDATE torrents SET completed = completed + 100')
      const added = database.addDownloads(hashes(1), Float64Array.of(1), newName())
      await until('it to wait for the other', async () => (await waitersIn(place.config)) > 0)
      await other.run('UPDATE torrent_aggregate_metrics SET value = value + 1000')
      await other[Symbol.asyncDispose]()
      expect(await added).toBe(101)
      expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(2, 1))
      await database.close()
    })

    test('whose COMMIT never arrives is undone, and the next try does it', async () => {
      expect(await outcomeOfBroken('asked')).toEqual([0, 5])
    })

    test('whose answer never arrives is done, and the next try adds nothing', async () => {
      expect(await outcomeOfBroken('answered')).toEqual([5, 5])
    })

    /** The total after a batch of 5 whose way broke, and after it was tried again. */
    async function outcomeOfBroken(breaks: 'asked' | 'answered'): Promise<number[]> {
      await using place = await ServerPlace.on(server)
      await using way = await BreakingWay.to(place.config)
      const database = await openDriver(way.config)
      way.breaks = breaks
      const name = newName()
      const add = () => database.addDownloads(hashes(2), Float64Array.of(2, 3), name)
      expect(await faultOf(add)).toBe('unreachable')
      const between = await database.downloadsTotal()
      const after = await add()
      expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(2, 3))
      await database.close()
      return [between, after]
    }
  })

  describe('a server', () => {
    let own: PrivateServer
    beforeAll(async () => {
      own = await PrivateServer.start(server)
    })
    afterAll(() => own[Symbol.asyncDispose]())

    const withDatabase = async (
      deed: (database: Database, place: ServerPlace) => Promise<void>,
    ) => {
      await using place = await ServerPlace.on(own.config)
      const database = await place.open()
      try {
        await deed(database, place)
      } finally {
        await database.close()
      }
    }

    test('that hangs makes calls late, and they work again when it goes on', async () => {
      await withDatabase(async (database, place) => {
        await database.addDownloads(hashes(2), Float64Array.of(1, 1), newName())
        const name = newName()
        try {
          await own.freeze()
          // More calls than connections: those in line are late as well.
          const by = Deadline.in(1_000)
          const calls = Array.from({ length: 6 }, () => [
            faultOf(() => database.ping(by)),
            faultOf(() => database.addDownloads(hashes(2), Float64Array.of(1, 1), name, by)),
            faultOf(() => database.readKeys(0n, by)),
          ])
          expect(new Set(await Promise.all(calls.flat()))).toEqual(new Set(['late']))
          // All connections are new ones now, and get no greeting.
          expect(await faultOf(() => database.ping(Deadline.in(500)))).toBe('late')
        } finally {
          own.thaw()
        }
        await until('the server to answer', () =>
          database.ping().then(
            () => true,
            () => false,
          ),
        )
        await database.addDownloads(hashes(2), Float64Array.of(1, 1), name)
        expect(await database.downloadsTotal()).toBe(4)
        await until('lost connections to be gone', async () => {
          return (await connectionsTo(place.config)) <= 5
        })
      })
    })

    test('that is gone makes calls fail at once, and they work again when it is back', async () => {
      await withDatabase(async (database) => {
        await database.addToWhitelist(hashes(3))
        await own.kill()
        const error = await failureOf(() => database.addToWhitelist(hashes(3, 10)))
        expect([error.fault, error.message]).toEqual([
          'unreachable',
          expect.stringContaining(
            `Failed to connect to ${DRIVER_NAMES[driver]} database: ${driver}`,
          ),
        ])
        await own.start()
        await database.addToWhitelist(hashes(3, 10))
        expect(await database.listWhitelist(0, 9)).toEqual(
          Uint8Array.fromHex(hashes(3).toHex() + hashes(3, 10).toHex()),
        )
      })
    })

    test('that was restarted unnoticed costs no call', async () => {
      await withDatabase(async (database) => {
        await Promise.all(Array.from({ length: 9 }, () => database.ping()))
        await own.kill()
        await own.start()
        await Promise.all(Array.from({ length: 9 }, () => database.ping()))
      })
    })

    test(`killed in the middle of batches loses and doubles nothing (SEED=${seed})`, async () => {
      await withDatabase(async (database) => {
        const roll = dice()
        const owed = new Float64Array(300)
        const { writer } = newName()
        let total = 0
        let hits = 0
        // Some kills come too late to hit a batch.
        for (let round = 0; hits < 6 && round < 400; round++) {
          const first = roll(100)
          const counts = Float64Array.from({ length: 200 }, () => 1 + roll(9))
          for (const [i, count] of counts.entries()) owed[first + i]! += count
          const after = total + counts.reduce((sum, count) => sum + count, 0)
          const batch = hashes(200, 1 + first)

          const name = { writer, number: round + 1 }
          let adding = database.addDownloads(batch, counts, name)
          let killed: Promise<void> | undefined
          if (round % 2 === 1) {
            // Somewhere within a transaction of some fifteen statements: so many questions later.
            for (let turns = roll(12); turns > 0; turns--) await database.ping()
            killed = own.kill()
          }
          for (;;) {
            const outcome = await adding.catch((error) => error.fault as string)
            await killed?.then(() => own.start())
            killed = undefined
            if (typeof outcome === 'number') {
              total = outcome
              break
            }
            expect(['unreachable', 'late']).toContain(outcome)
            hits++
            adding = database.addDownloads(batch, counts, name)
          }
          expect(total).toBe(after)
        }
        expect(hits).toBeGreaterThanOrEqual(6)
        const rows = owed.map((count) => count || NO_ROW)
        expect(await database.downloadsOf(hashes(300))).toEqual(rows)
      })
    })
  })
}

const twice = (name: string) => [
  { key: name, validUntil: null },
  { key: name, validUntil: 1n },
]

/** How many connections there are, the one that asks not counted. */
async function connectionsTo(config: ServerConfig): Promise<number> {
  const [row] = await runSql(
    config,
    config.driver === 'mysql'
      ? `SELECT COUNT(*) - 1 FROM information_schema.PROCESSLIST WHERE DB = '${config.database}'`
      : `SELECT COUNT(*) - 1 FROM pg_stat_activity WHERE datname = '${config.database}'`,
  )
  return Number(row!.at(-1))
}

/** How many transactions wait for another. */
async function waitersIn(config: ServerConfig): Promise<number> {
  const [row] = await runSql(
    config,
    config.driver === 'mysql'
      ? "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
      : `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = '${config.database}' AND wait_event_type = 'Lock'`,
  )
  return Number(row!.at(-1))
}
