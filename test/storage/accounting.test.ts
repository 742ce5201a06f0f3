/**
 * What was announced reaches the database once, however the database fails; and what an operator changes applies, in
 * the database and in memory. On every database that there is.
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { EVENT } from '../../src/bittorrent.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { EXPIRED_IN_DATABASE_SECONDS } from '../../src/storage/permissions.ts'
import { Deadline } from '../../src/time/deadline.ts'
import { failureOf, faultOf } from '../support/database/failure.ts'
import { ServerPlace, skipReason, testServer } from '../support/database/servers.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import type { Place } from '../support/database/suite.ts'
import { dice, seed } from '../support/random.ts'
import { AccountingRun, hashOf, START, type Told } from '../support/storage/accounting-run.ts'
import { repeated } from '../support/thorough.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(120_000)

const GIB = 2 ** 30
const DAY = 86_400
const RETENTION = 21 * DAY

const PLACES = [
  ['SQLite', async () => SqliteFile.place(openSqlite)],
  ...(['mysql', 'postgresql'] as const).map((driver) => {
    const server = testServer(driver)
    const name = server ? driver : `${driver}, ${skipReason(driver)}`
    return [name, server && (() => ServerPlace.on(server))] as const
  }),
] as const

/** Every row of a table that has an account in it. */
const rowsWith = async (place: Place, table: string, account: number): Promise<number> =>
  Number((await place.sql(`SELECT COUNT(*) FROM ${table} WHERE account = ${account}`))[0]![0])

for (const [name, make] of PLACES)
  describe.skipIf(make === undefined)(`on ${name}`, () => {
    type Wishes = Parameters<typeof AccountingRun.start>[1]
    const begin = (place: Place, wishes?: Wishes) => AccountingRun.start(() => place.open(), wishes)

    test('N1, N2: what was announced before a question is in its answer', async () => {
      await using place = await make!()
      await using run = await begin(place)
      const account = await run.account()
      run.tell({ account, uploaded: 5 * GIB, event: EVENT.started })
      expect(await run.figures(account)).toMatchObject({ uploaded: 0, credited: [0, 0] })
      run.tell({ account, uploaded: 5 * GIB + 7 })
      run.tell({ account, uploaded: 5 * GIB + 17, downloaded: 3 })
      expect(await run.figures(account)).toMatchObject({ uploaded: 17, credited: [17, 3] })
      const { batch } = run.store.status()
      const torrent = await run.store.torrent(hashOf(1))
      expect(torrent).toMatchObject({ uploaded: 17n, downloaded: 3n, batch })
      const records = await run.store.listRecords({
        of: { account },
        hitAndRun: undefined,
        offset: 0,
        limit: 10,
      })
      expect(records).toMatchObject([{ account, uploaded: 17n, downloaded: 3n, isActive: true }])
    })

    test('N4: stopped over both families credits the last delta once, also when the answer comes later', async () => {
      await using place = await make!()
      const first = await begin(place)
      const account = await first.account()
      first.tell({ account, uploaded: 100, event: EVENT.started })
      expect(await first.stop()).toBe(0)

      await using run = await begin(place)
      const answer = Promise.withResolvers<void>()
      run.fated.before = answer.promise
      for (const from of [1, 2]) run.tell({ account, uploaded: 130, event: EVENT.stopped, from })
      await until('the question', () => run.fated.count('lookUp') === 1)
      for (const from of [1, 2]) run.tell({ account, uploaded: 130, event: EVENT.stopped, from })
      answer.resolve()
      expect(await run.figures(account)).toMatchObject({ uploaded: 30 })
      for (const from of [1, 2]) run.tell({ account, uploaded: 130, event: EVENT.stopped, from })
      expect(await run.figures(account)).toMatchObject({ uploaded: 30 })
    })

    test('N10: a silent client is credited from the stored baseline, until that is forgotten', async () => {
      await using place = await make!()
      await using run = await begin(place, { pace: { expiryMilliseconds: 1 } })
      const account = await run.account()
      run.tell({ account, uploaded: GIB, event: EVENT.started })
      await run.store.settled()
      run.clock.now += 2 * 3_600
      await until('it to leave memory', () => run.store.status().sessions === 0)
      run.tell({ account, uploaded: 4 * GIB })
      expect(await run.figures(account)).toMatchObject({ uploaded: 3 * GIB })

      run.clock.now += RETENTION + 1
      await until('it to leave memory', () => run.store.status().sessions === 0)
      await run.its.loop.purge()
      run.tell({ account, uploaded: 9 * GIB })
      run.tell({ account, uploaded: 9 * GIB + 1 })
      expect(await run.figures(account)).toMatchObject({ uploaded: 3 * GIB + 1 })
    })

    test('N16, N17: every batch is added once, whatever becomes of its calls and of the process', async () => {
      for (let round = 0; round < repeated(10); round++) {
        await using place = await make!()
        const random = dice(seed + round)
        let run = await begin(place)
        const accounts = [await run.account(), await run.account()]
        const clients = Array.from({ length: 12 }, (_, peer) => ({
          told: { account: accounts[peer % 2]!, torrent: peer % 3, peer, uploaded: 0 } as Told,
          sent: 0,
        }))
        const misbehave = () => {
          run.fated.fate = (call) => {
            if (!['write', 'lookUp'].includes(call)) return 'fine'
            return (['fine', 'fine', 'lost', 'done unseen', 'refused', 'not begun'] as const)[
              random(6)
            ]!
          }
        }
        const tellAll = () => {
          for (const { told } of clients) run.tell(told)
        }
        tellAll()
        await run.store.settled()
        misbehave()
        for (let step = 0; step < 60; step++) {
          const client = clients[random(clients.length)]!
          const more = random(1_000_000)
          client.sent += more
          client.told.uploaded! += more
          run.tell(client.told)
          run.clock.now += random(30)
          if (random(2) === 0) await Bun.sleep(random(12))
          if (random(15) !== 0) continue
          await run.kill()
          run = await begin(place, { now: run.clock.now })
          misbehave()
        }
        run.fated.fate = () => 'fine'
        tellAll()
        for (const [i, account] of accounts.entries()) {
          const uploaded = clients
            .filter((_, peer) => peer % 2 === i)
            .reduce((sum, { sent }) => sum + sent, 0)
          const figures = await until('the database to work', () =>
            run.figures(account).catch(() => undefined),
          )
          expect([seed + round, figures.uploaded]).toEqual([seed + round, uploaded])
        }
        await run.stop()
      }
    })

    test.each(['done unseen', 'lost', 'refused'] as const)(
      'N17: a batch that is %s is written again, and added once',
      async (fate) => {
        await using place = await make!()
        await using run = await begin(place, { pace: { writeMilliseconds: 3_600_000 } })
        const account = await run.account()
        run.tell({ account, left: 9 })
        await run.store.settled()
        run.tell({ account, uploaded: 5, downloaded: 9, event: EVENT.completed })
        run.fated.fate = (call) => (call === 'write' ? fate : 'fine')
        for (let i = 0; i < 3; i++) expect(await faultOf(() => run.store.settled())).toBeString()
        // More comes before it is known to be written.
        run.tell({ account, uploaded: 7, downloaded: 9 })
        run.fated.fate = () => 'fine'
        const once = { uploaded: 7, downloaded: 9, snatches: 1 }
        expect(await run.figures(account)).toMatchObject(once)
        expect(await run.figures(account)).toMatchObject(once)
      },
    )

    test('N18: while the database is away everything waits, merged, and the log says it once', async () => {
      await using place = await make!()
      await using run = await begin(place)
      const account = await run.account()
      const PEERS = 300
      let uploaded = 0
      const tellAll = () => {
        for (let peer = 0; peer < PEERS; peer++)
          run.tell({ account, peer, uploaded, torrent: peer })
      }
      tellAll()
      await run.store.settled()
      run.lines.length = 0
      const { paid } = run
      const { sessions } = run.store.status()
      run.fated.fate = () => 'lost'
      for (let round = 0; round < 100; round++) {
        uploaded += 1_000
        run.clock.now += 1
        tellAll()
        await Bun.sleep(3)
      }
      await until('a failure', () => run.store.status().trouble !== undefined)
      await until('all to be read', () => run.store.status().owedBytes === PEERS * uploaded)
      const status = run.store.status()
      expect(status).toMatchObject({ sessions, trouble: 'no answer', eventsLost: 0 })
      expect(status.lagSeconds).toBeWithin(50, 101)
      expect(run.paid).toBe(paid)
      expect(run.its.watch.state().ok).toBe(false)
      run.fated.fate = () => 'fine'
      await until('it to work', () => run.its.watch.state().ok && run.lines.length === 2)
      expect(await run.figures(account)).toMatchObject({ uploaded: PEERS * uploaded })
      expect(run.said()).toEqual([
        'ERROR ACCOUNTING: PLACE: no answer; figures wait in memory until it works again',
        expect.stringMatching(
          /^ INFO ACCOUNTING: PLACE: works again after \d+ s; figures of \d+ session\(s\) caught up$/,
        ),
      ])
      expect(run.its.watch.state()).toEqual({ ok: true })
    })

    test('N20: a normal stop writes everything, time included; what it cannot write is told', async () => {
      await using place = await make!()
      const run = await begin(place)
      const account = await run.account()
      run.tell({ account, uploaded: 1, event: EVENT.started })
      await run.store.settled()
      run.clock.now += 600
      run.tell({ account, uploaded: 1 })
      expect(await run.stop()).toBe(0)
      const again = await begin(place, { now: run.clock.now })
      expect(await again.figures(account)).toMatchObject({ uploaded: 0, seconds: [600, 0] })
      again.tell({ account, uploaded: 11 })
      again.tell({ account, uploaded: 12 })
      await again.store.settled()
      again.fated.fate = () => 'lost'
      again.lines.length = 0
      again.tell({ account, uploaded: 20 })
      expect(await again.stop(200)).toBe(1)
      expect(again.said()).toEqual([
        'ERROR ACCOUNTING: PLACE: 8 byte(s) of 1 session(s) could not be written: no answer',
      ])
    })

    test('N20: a stop goes on for as long as batches succeed', async () => {
      await using place = await make!()
      const run = await begin(place, { pace: { writeMilliseconds: 3_600_000 } })
      const account = await run.account()
      // Four batches, with sessions of torrents that have no row yet.
      for (let peer = 0; peer < 7_000; peer++) run.tell({ account, peer, torrent: peer % 10 })
      await run.its.loop.drained()
      const written = run.fated.count('write')
      run.fated.delay = (call) => (call === 'write' ? 700 : 0)
      const later = Deadline.in(60_000)
      expect(await run.its.loop.flush(2_000, later)).toBe(0)
      expect(run.fated.count('write')).toBe(written + 4)
      await run.stop()
    })

    test('N20: at a stop torrents beyond the limit of new rows are written, too, where keys are needed', async () => {
      for (const level of ['users', 'torrents'] as const) {
        await using place = await make!()
        const run = await begin(place, { level, newRowsPerSecond: 1 })
        const account = level === 'users' ? await run.account() : 0
        const TORRENTS = 1_200
        for (const uploaded of [0, 1])
          for (let torrent = 0; torrent < TORRENTS; torrent++)
            run.tell({ account, torrent, uploaded })
        expect(await run.stop()).toBe(0)
        const [row] = await place.sql('SELECT COUNT(*) FROM accounting_torrents')
        if (level === 'users') expect(Number(row![0])).toBe(TORRENTS)
        else {
          expect(Number(row![0])).toBeWithin(1_000, 1_100)
          const line = / of new torrents were not written bytes=\d+$/
          expect(run.said().at(-1)).toMatch(line)
        }
      }
    })

    test('figures that owe time alone are written in their interval', async () => {
      await using place = await make!()
      await using run = await begin(place, { pace: { idleMilliseconds: 50 } })
      const account = await run.account()
      run.tell({ account, uploaded: 1 })
      await run.store.settled()
      run.clock.now += 60
      run.tell({ account, uploaded: 1 })
      await until('the time', async () => {
        const rows = await place.sql('SELECT seed_seconds FROM accounting_accounts')
        return Number(rows[0]![0]) === 60
      })
    })

    test('new torrents beyond the limit wait, and nothing of them is lost', async () => {
      await using place = await make!()
      await using run = await begin(place, { newRowsPerSecond: 1 })
      const account = await run.account()
      // The burst that is saved for the beginning, and some.
      for (let torrent = 0; torrent < 1_100; torrent++) run.tell({ account, torrent })
      await run.store.settled()
      expect(run.said().at(-1)).toStartWith(' WARN ACCOUNTING: more than 1 torrents a second')
      run.tell({ account, torrent: 1_099, uploaded: 5 })
      await run.store.settled()
      expect(await run.store.torrent(hashOf(1_099))).toBeNull()
      await run.follow({ newRowsPerSecond: 0 })
      expect(await run.figures(account)).toMatchObject({ uploaded: 5 })
    })

    test('N33: level torrents keeps figures of torrents, and neither accounts nor sessions', async () => {
      await using place = await make!()
      await using run = await begin(place, { level: 'torrents' })
      for (const peer of [1, 2]) run.tell({ account: 0, peer, uploaded: 5 })
      run.tell({ account: 0, peer: 1, uploaded: 8, downloaded: 2, event: EVENT.stopped })
      run.tell({ account: 0, peer: 2, uploaded: 6, event: EVENT.stopped })
      expect(await run.store.torrent(hashOf(1))).toMatchObject({ uploaded: 4n, downloaded: 2n })
      for (const table of ['accounts', 'records', 'sessions', 'keys'])
        expect(await place.sql(`SELECT * FROM accounting_${table}`)).toEqual([])
    })

    describe('keys and accounts', () => {
      test('N25: figures stay when the keys go, and the next key of the user goes on with them', async () => {
        await using place = await make!()
        await using run = await begin(place)
        const key = { secondsValid: null, userId: 2n ** 63n - 1n }
        const [first, other] = await run.permissions.addKeys([
          { key: 'a'.repeat(32), ...key },
          { key: 'b'.repeat(32), secondsValid: null },
        ])
        expect(first!.userId).toBe(key.userId)
        expect(other).toMatchObject({ userId: null })
        const account = first!.account!
        expect(other!.account).not.toBe(account)
        expect(run.accountOf(first!.key)).toBe(account)
        run.tell({ account })
        run.tell({ account, uploaded: 9 })
        expect(await run.permissions.removeKeys([first!.key])).toBe(1)
        expect(run.accountOf(first!.key)).toBeUndefined()
        const [next] = await run.permissions.addKeys([{ key: null, ...key }])
        expect(next!.account).toBe(account)
        expect(await run.figures(account)).toMatchObject({ uploaded: 9 })
        expect(await run.permissions.listKeys(0, 10)).toHaveLength(2)
      })

      test('N25: figures stay when the key has expired, and is forgotten', async () => {
        await using place = await make!()
        await using run = await begin(place)
        const add = async (secondsValid: bigint | null) =>
          (await run.permissions.addKeys([{ key: null, secondsValid, userId: 8n }]))[0]!
        const { key, account = 0 } = await add(60n)
        run.tell({ account })
        run.tell({ account, uploaded: 4 })
        run.clock.now += EXPIRED_IN_DATABASE_SECONDS + 61
        await run.permissions.purge()
        await run.its.loop.purge()
        expect(run.accountOf(key)).toBeUndefined()
        expect(await rowsWith(place, 'accounting_keys', account)).toBe(0)
        expect((await add(null)).account).toBe(account)
        expect(await run.figures(account)).toMatchObject({ uploaded: 4 })
      })

      test('N25: a key is replaced by another one', async () => {
        await using place = await make!()
        await using run = await begin(place)
        const [old] = await run.permissions.addKeys([{ key: null, secondsValid: 60n, userId: 1n }])
        const fresh = 'f'.repeat(32)
        expect(await run.permissions.replaceKey(old!.key, fresh)).toMatchObject({
          key: fresh,
          account: old!.account!,
          userId: 1n,
        })
        expect([run.accountOf(old!.key), run.accountOf(fresh)]).toEqual([undefined, old!.account])
        expect(await run.permissions.replaceKey(old!.key, null)).toBeNull()
        const generated = await run.permissions.replaceKey(fresh, null)
        expect(run.accountOf(generated!.key)).toBe(old!.account)
        expect(await faultOf(() => run.permissions.replaceKey(fresh, 'short'))).toBe('invalid')
      })

      test('N26: keys of before get an account each, and are served as before', async () => {
        await using place = await make!()
        const database = await place.open()
        await database.addKeys([
          { key: 'c'.repeat(32), validUntil: null },
          { key: 'd'.repeat(32), validUntil: BigInt(START + 60) },
        ])
        await database.close()
        await using run = await begin(place)
        const accounts = ['c', 'd'].map((letter) => run.accountOf(letter.repeat(32)))
        expect(accounts.toSorted()).toEqual([1, 2])
        expect(
          run.lines.some((line) => line.includes('Level users: accounts: 2, torrents: 0')),
        ).toBe(true)
      })

      test('N24: an account that is switched off has no key that is served, also after a reload', async () => {
        await using place = await make!()
        await using run = await begin(place)
        const add = () => run.permissions.addKeys([{ key: null, secondsValid: null, userId: 5n }])
        const [one] = await add()
        const account = one!.account!
        await run.change(account, { enabled: false })
        const [two] = await add()
        const known = () => [one, two].map((each) => run.accountOf(each!.key))
        expect(known()).toEqual([undefined, undefined])
        await run.permissions.reloadKeys()
        expect(known()).toEqual([undefined, undefined])
        await run.change(account, { enabled: true })
        expect(known()).toEqual([account, account])
      })

      test('what another tracker decided is seen when the keys are read again', async () => {
        await using place = await make!()
        await using run = await begin(place)
        await using other = await begin(place)
        const [key] = await run.permissions.addKeys([{ key: null, secondsValid: null, userId: 7n }])
        const account = key!.account!
        // The other one learns what is decided when it gives the account a key.
        await run.change(account, { upPercent: 300 })
        expect(await other.account(7n)).toBe(account)
        other.tell({ account })
        other.tell({ account, uploaded: 10 })
        expect((await other.figures(account)).credited).toEqual([30, 0])
        await run.change(account, { enabled: false, upPercent: 200 })
        await other.permissions.reloadKeys()
        expect(other.accountOf(key!.key)).toBeUndefined()
        other.tell({ account, uploaded: 30 })
        expect((await other.figures(account)).credited).toEqual([70, 0])
      })
    })

    test('N23: another limit counts what is there already', async () => {
      await using place = await make!()
      await using run = await begin(place)
      const account = await run.account()
      for (const torrent of [1, 2]) run.tell({ account, torrent, left: 1 })
      await run.store.settled()
      const limits = () => [2, 3].map((torrent) => run.limitOf({ account, torrent, left: 1 }))
      expect(limits()).toEqual([undefined, undefined])
      await run.follow({ settings: 'max_downloads = 2' })
      expect(limits()).toEqual([undefined, 'slots'])
      await run.change(account, { maxDownloads: 3 })
      expect(limits()).toEqual([undefined, undefined])
      await run.change(account, { maxDownloads: null })
      await until('it to be counted', () => limits()[1] === 'slots')
      await run.follow({ settings: 'max_downloads = 0\nmax_peers_per_torrent = 1' })
      expect(run.limitOf({ account, torrent: 2, peer: 9 })).toBe('clients')
      expect(run.store.activity(account)).toEqual({ leeching: 2, seeding: 0 })
    })

    describe('changes', () => {
      test('N15: percentages, gifts and tokens apply to what is announced after them', async () => {
        await using place = await make!()
        await using run = await begin(place)
        const account = await run.account()
        let bytes = 0
        /** What the next ten bytes, up and down, are credited as. */
        const credited = async () => {
          const before = (await run.figures(account)).credited
          tell()
          const after = (await run.figures(account)).credited
          return after.map((sum, i) => sum - before[i]!)
        }
        const tell = () => {
          bytes += 10
          run.tell({ account, uploaded: bytes, downloaded: bytes, left: 1 })
        }
        run.tell({ account, left: 1 })
        expect(await credited()).toEqual([10, 10])
        await run.change(account, { upPercent: 200, downPercent: 50 })
        expect(await credited()).toEqual([20, 5])
        await run.store.changeTorrents(hashOf(1), { upPercent: 300, downPercent: 20 })
        expect(await credited()).toEqual([30, 2])
        expect(await run.store.putToken(account, hashOf(1), null)).toBe(true)
        expect(await credited()).toEqual([30, 0])
        expect(await run.store.removeToken(account, hashOf(1))).toBe(true)
        expect(await run.store.removeToken(account, hashOf(1))).toBe(false)
        expect(await credited()).toEqual([30, 2])
        const row = await run.store.adjustAccount({ id: account }, { creditedDownloaded: -1_000n })
        expect(row).toMatchObject({ creditedDownloaded: 0n, downloaded: 50n })
        expect(await run.store.putToken(999, hashOf(1), null)).toBe(false)
        // What was announced before them, too, although nothing has read it yet.
        const { creditedUploaded } = (await run.store.account({ id: account }))!
        tell()
        await run.store.changeTorrents(hashOf(1), { upPercent: 500 })
        tell()
        await run.change(account, { upPercent: 700 })
        tell()
        const after = (await run.store.account({ id: account }))!
        expect(after.creditedUploaded - creditedUploaded).toBe(30n + 50n + 70n)
        expect(await run.store.changeAccount({ userId: 999n }, { hidden: true })).toBeNull()
      })

      test('N30: an erased account is gone from every table, and its keys begin another', async () => {
        await using place = await make!()
        await using run = await begin(place)
        const [key] = await run.permissions.addKeys([{ key: null, secondsValid: null, userId: 3n }])
        const account = key!.account!
        run.tell({ account })
        run.tell({ account, uploaded: 7 })
        await run.store.settled()
        run.tell({ account, uploaded: 9 })
        const erased = await run.store.eraseAccount({ userId: 3n })
        expect(erased).toMatchObject({ id: account, keys: [{ key: key!.key }] })
        expect(run.accountOf(key!.key)).toBe(erased!.successor!)
        run.tell({ account, uploaded: 20 })
        await run.store.settled()
        for (const table of ['keys', 'records', 'sessions', 'tokens', 'flags'])
          expect([table, await rowsWith(place, `accounting_${table}`, account)]).toEqual([table, 0])
        expect(await run.store.account({ id: account })).toBeNull()
        expect(await run.store.eraseAccount({ id: account })).toBeNull()
      })

      test('whose outcome is unknown are read again once the database works', async () => {
        await using place = await make!()
        await using run = await begin(place)
        const [key] = await run.permissions.addKeys([{ key: null, secondsValid: null }])
        const account = key!.account!
        run.tell({ account })
        await run.store.settled()
        run.fated.fate = (call) =>
          ['changeAccount', 'changeTorrents', 'putToken'].includes(call) ? 'done unseen' : 'fine'
        for (const change of [
          () => run.change(account, { upPercent: 300, enabled: false }),
          () => run.store.changeTorrents(hashOf(1), { downPercent: 50 }),
          () => run.store.putToken(account, hashOf(2), null),
        ])
          expect((await failureOf(change)).fault).toBe('unreachable')
        expect(run.accountOf(key!.key)).toBe(account)
        await run.works()
        await until('the key to be refused', () => run.accountOf(key!.key) === undefined)
        await until('torrent and token', () => run.fated.count('lookUp') >= 2)
        await run.permissions.settled()
        run.tell({ account, torrent: 2 })
        run.tell({ account, uploaded: 10, downloaded: 10 })
        run.tell({ account, torrent: 2, uploaded: 10, downloaded: 10 })
        expect((await run.figures(account)).credited).toEqual([60, 5])
      })
    })

    test('N6, N20: a client begins anew between two restarts of the tracker', async () => {
      await using place = await make!()
      const first = await begin(place)
      const account = await first.account()
      first.tell({ account, event: EVENT.started })
      first.tell({ account, uploaded: 100 * GIB, downloaded: 100 * GIB })
      await first.stop()
      const second = await begin(place, { now: START + 10 })
      second.tell({ account, event: EVENT.started })
      await second.stop()
      await using third = await begin(place, { now: START + 20 })
      third.tell({ account, uploaded: 5, downloaded: 3 })
      third.tell({ account, uploaded: 9, downloaded: 4 })
      const [up, down] = [100 * GIB + 9, 100 * GIB + 4]
      expect(await third.figures(account)).toMatchObject({ uploaded: up, downloaded: down })
    })

    test('N19: what a tracker writes late is not counted again when the client comes back', async () => {
      await using place = await make!()
      const never = { drainMilliseconds: 3_600_000, writeMilliseconds: 3_600_000 }
      await using one = await begin(place, { pace: never })
      await using two = await begin(place, { pace: never, now: START + 60 })
      const account = await one.account(1n)
      expect(await two.account(1n)).toBe(account)
      one.tell({ account, event: EVENT.started })
      await one.store.settled()
      one.tell({ account, uploaded: 10, downloaded: 20 })
      two.tell({ account, uploaded: 50, downloaded: 90 })
      await two.store.settled()
      await one.store.settled()
      one.clock.now = START + 120
      one.tell({ account, uploaded: 60, downloaded: 95 })
      expect(await one.figures(account)).toMatchObject({ uploaded: 60, downloaded: 95 })
      one.tell({ account, uploaded: 61, downloaded: 96 })
      const seconds = [120, 0]
      expect(await one.figures(account)).toMatchObject({ uploaded: 61, downloaded: 96, seconds })
    })

    test('N12, N19: a client of two trackers is not there twice', async () => {
      await using place = await make!()
      await using one = await begin(place)
      await using two = await begin(place)
      const account = await one.account(1n)
      expect(await two.account(1n)).toBe(account)
      for (let at = 0; at <= 3_600; at += 600)
        for (const run of [one, two]) {
          run.clock.now = START + at + (run === two ? 5 : 0)
          run.tell({ account, uploaded: at })
          await run.store.settled()
        }
      expect(await two.figures(account)).toMatchObject({ uploaded: 3_600, seconds: [3_605, 0] })
    })

    test('N4, N19: a client that leaves two trackers is credited once', async () => {
      await using place = await make!()
      await using one = await begin(place)
      await using two = await begin(place)
      const account = await one.account(1n)
      expect(await two.account(1n)).toBe(account)
      let expected = 0
      for (let round = 0; round < 4; round++) {
        for (const run of [one, two]) run.tell({ account, event: EVENT.started })
        for (const run of [one, two]) await run.store.settled()
        two.tell({ account, uploaded: 80 })
        await two.store.settled()
        one.tell({ account, uploaded: 130 })
        await one.store.settled()
        // Each may be the first to write.
        const order = round % 2 === 0 ? [one, two] : [two, one]
        for (const run of order) {
          run.tell({ account, uploaded: 160, event: EVENT.stopped })
          await run.store.settled()
        }
        expected += 160
        expect(await two.figures(account)).toMatchObject({ uploaded: expected })
      }
    })

    test('N6, N19: a client begins anew with another tracker, and comes back', async () => {
      await using place = await make!()
      await using one = await begin(place)
      await using two = await begin(place)
      const account = await one.account(1n)
      expect(await two.account(1n)).toBe(account)
      let expected = 0
      for (let round = 0; round < 4; round++) {
        const [now, other] = round % 2 === 0 ? [one, two] : [two, one]
        now.tell({ account, event: EVENT.started })
        now.tell({ account, uploaded: 10 })
        await now.store.settled()
        other.tell({ account, uploaded: 15 })
        await other.store.settled()
        now.tell({ account, uploaded: 15 })
        await now.store.settled()
        expected += 15
        expect(await one.figures(account)).toMatchObject({ uploaded: expected })
        other.tell({ account, uploaded: 15, event: EVENT.stopped })
        now.tell({ account, uploaded: 15, event: EVENT.stopped })
        await Promise.all([one.store.settled(), two.store.settled()])
      }
      expect(await two.figures(account)).toMatchObject({ uploaded: expected })
    })

    test('N19: two trackers on one database, and a session that moves between them', async () => {
      await using place = await make!()
      await using one = await begin(place)
      await using two = await begin(place)
      const account = await one.account(1n)
      expect(await two.account(1n)).toBe(account)
      one.tell({ account, peer: 1 })
      two.tell({ account, peer: 2, torrent: 2 })
      one.tell({ account, peer: 1, uploaded: 10 })
      two.tell({ account, peer: 2, torrent: 2, uploaded: 100 })
      await Promise.all([one.store.settled(), two.store.settled()])
      // The first goes on with the other tracker, and comes back.
      two.tell({ account, peer: 1, uploaded: 15 })
      await two.store.settled()
      two.tell({ account, peer: 1, uploaded: 17 })
      await two.store.settled()
      one.tell({ account, peer: 1, uploaded: 20 })
      await one.store.settled()
      two.tell({ account, peer: 2, torrent: 2, uploaded: 101 })
      expect(await two.figures(account)).toMatchObject({ uploaded: 121 })
      expect(await one.store.torrent(hashOf(1))).toMatchObject({ uploaded: 20n })
    })

    test('followers hear of every batch, of completions and of what looks like cheating', async () => {
      await using place = await make!()
      await using run = await begin(place)
      const account = await run.account()
      const heard: string[] = []
      let last = 0
      const forget = run.store.follow((event) => {
        if (event.kind === 'batch') last = event.batch
        else expect(event.batch).toBe(last)
        if (event.kind === 'completed')
          heard.push(`${event.account} ${event.infoHash.toHex() === hashOf(1).toHex()} ${event.at}`)
        if (event.kind === 'flag') heard.push(event.flag.kind)
      })
      run.tell({ account, left: 5, event: EVENT.started })
      for (const from of [1, 2]) run.tell({ account, event: EVENT.completed, downloaded: 5, from })
      await run.store.settled()
      expect(heard).toEqual([`${account} true ${START}`])
      run.clock.now += 1
      run.tell({ account, uploaded: 2 ** 50 })
      await run.store.settled()
      expect(heard.slice(1)).toEqual(['speed'])
      const { next } = await run.store.changes(0, 1_000)
      expect(next).toBeGreaterThanOrEqual(last)
      forget()
      run.tell({ account, uploaded: 2 ** 50 + 1 })
      await run.store.settled()
      expect(heard).toHaveLength(2)
      expect(run.store.meter()).toMatchObject({ batches: { failed: 0 }, events: { started: 1 } })
    })
  })
