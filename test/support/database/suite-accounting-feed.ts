/** The part of the contract suite about what others read of accounting: records, torrents, the feed; and what goes. */
import { describe, expect } from 'bun:test'
import type { RecordQuery } from '../../../src/database/accounting-contract.ts'
import { type Database, DRIVER_NAMES } from '../../../src/database/contract.ts'
import { systemClock } from '../../../src/time/clock.ts'
import { dice, seed } from '../random.ts'
import { batchOf, lookUp, NOW, withAccounts } from './accounting.ts'
import { failureOf, faultOf } from './failure.ts'
import { hashes, join, key } from './hashes.ts'
import { newName } from './names.ts'
import type { Signing } from './signing.ts'
import { Writer } from './suite-accounting-write.ts'

const all = { offset: 0, limit: 1_000_000 } as const

export function signsAccountingFeed(suite: Signing): void {
  describe('records', () => {
    suite.signs('are listed of an account and of a torrent', async (database) => {
      const { accounting } = database
      const [a, b, c] = await withAccounts(database, 3)
      await new Writer(database).write([
        { account: a!, torrent: 1, up: 1 },
        { account: a!, torrent: 2, up: 2 },
        { account: a!, torrent: 3, up: 3 },
        { account: b!, torrent: 1, up: 4 },
        { account: c!, torrent: 1, up: 5 },
      ])
      await accounting.changeAccount({ id: b! }, { hidden: true })
      const listed = async (of: RecordQuery['of'], page = { offset: 0, limit: 99 }) =>
        (await accounting.listRecords({ of, hitAndRun: undefined, ...page })).map(
          ({ uploaded }) => uploaded,
        )
      expect(await listed({ account: a! })).toEqual([1n, 2n, 3n])
      expect(await listed({ account: a! }, { offset: 1, limit: 1 })).toEqual([2n])
      expect(await listed({ account: b! })).toEqual([4n])
      expect(await listed({ infoHash: hashes(1) })).toEqual([1n, 5n])
      expect(await listed({ infoHash: hashes(1) }, { offset: 1, limit: 9 })).toEqual([5n])
      expect(await listed({ infoHash: hashes(1, 99) })).toEqual([])
    })

    suite.signs('of those that hit and ran are told from the others', async (database) => {
      const { accounting } = database
      const [a, b] = await withAccounts(database, 2)
      const ran = { account: a!, down: 5, seed: 59, seen: NOW - 1 }
      await new Writer(database).write([
        { ...ran, torrent: 1 },
        { ...ran, torrent: 2, down: 0 },
        { ...ran, torrent: 3, seed: 60 },
        { ...ran, torrent: 4, seen: NOW },
        { ...ran, torrent: 5, active: true },
        { ...ran, torrent: 1, account: b! },
      ])
      const hitAndRun = { minSeedSeconds: 60, lastSeenBefore: NOW }
      const ofAccount = await accounting.listRecords({ of: { account: a! }, hitAndRun, ...all })
      expect(ofAccount.map(({ infoHash }) => infoHash)).toEqual([hashes(1)])
      const of = { infoHash: hashes(1) }
      const ofTorrent = await accounting.listRecords({ of, hitAndRun, ...all })
      expect(ofTorrent.map(({ account }) => account)).toEqual([a!, b!])
    })
  })

  describe('torrents of accounting', () => {
    suite.signs('have settings, also before anything was moved', async (database) => {
      const { accounting } = database
      await accounting.open()
      const asked = join(hashes(2, 5), hashes(1, 5))
      const free = { upPercent: 150, freeUntil: NOW }
      const rows = await accounting.changeTorrents(asked, free)
      const wanted = { ...free, downPercent: 100, uploaded: 0n, lastSeen: null, batch: 1 }
      expect(rows.map(({ infoHash }) => infoHash.toHex())).toEqual(
        [5, 6, 5].map((number) => hashes(1, number).toHex()),
      )
      for (const row of rows) expect(row).toMatchObject(wanted)
      await accounting.changeTorrents(hashes(700, 6), { downPercent: 0, freeUntil: null })
      expect(await accounting.torrent(hashes(1, 6))).toMatchObject({
        upPercent: 150,
        downPercent: 0,
        freeUntil: null,
        batch: 2,
      })
      expect(await accounting.torrent(hashes(1, 5))).toEqual(rows[0]!)
      expect((await accounting.open()).torrents).toBe(701)
      expect(await accounting.changeTorrents(new Uint8Array(0), {})).toEqual([])
    })

    suite.signs('have tokens', async (database) => {
      const { accounting } = database
      const [a] = await withAccounts(database, 1)
      const token = async () => (await lookUp(accounting, [{ account: a!, torrent: 1 }])).tokens[0]
      expect(await accounting.removeToken(a!, hashes(1))).toBe(false)
      expect(await accounting.putToken(99, hashes(1), null)).toBe(false)
      expect(await accounting.torrent(hashes(1))).toBeNull()
      expect(await accounting.putToken(a!, hashes(1), NOW)).toBe(true)
      expect(await token()).toBe(NOW)
      expect(await accounting.putToken(a!, hashes(1), null)).toBe(true)
      expect(await token()).toBe(Infinity)
      expect(await accounting.removeToken(a!, hashes(1))).toBe(true)
      expect(await accounting.removeToken(a!, hashes(1))).toBe(false)
      expect(await token()).toBe(0)
    })
  })

  describe('the feed of accounting', () => {
    suite.signs(`N28: leads to the figures of every row (SEED=${seed})`, async (database) => {
      const { accounting } = database
      const ids = await withAccounts(database, 30)
      const writer = new Writer(database)
      const roll = dice()
      const copy = new Copy(database)
      for (let round = 0; round < 40; round++) {
        const count = 1 + roll(50)
        await writer.write(
          Array.from({ length: count }, (_, peer) => ({
            account: ids[roll(ids.length)]!,
            torrent: 1 + roll(40),
            peer,
            up: roll(100),
            completed: roll(5) === 0,
          })),
        )
        if (roll(3) === 0)
          await accounting.changeAccount({ id: ids[roll(ids.length)]! }, { upPercent: roll(900) })
        if (roll(3) === 0)
          await accounting.adjustAccount({ id: ids[roll(ids.length)]! }, { creditedUploaded: 9n })
        if (roll(4) === 0)
          await accounting.changeTorrents(hashes(3, 1 + roll(50)), { downPercent: roll(100) })
        if (roll(8) === 0) {
          const [gone] = ids.splice(roll(ids.length), 1)
          ids.push((await accounting.eraseAccount({ id: gone! }))!.successor!)
        }
        // Now and then the site is away.
        if (roll(3) === 0) await copy.follow(1 + roll(60), roll(2) === 0)
      }
      await copy.follow(25, true)
      await copy.equals()
    })

    suite.signs('ends where the writes do, and begins again from any number', async (database) => {
      const { accounting } = database
      await accounting.open()
      const nothing = { accounts: [], torrents: [], records: [], deleted: [] }
      expect(await accounting.changes(0, 10)).toEqual({ ...nothing, next: 0, isLast: true })
      const [a] = await withAccounts(database, 1)
      const writer = new Writer(database)
      for (const torrent of [1, 2, 3]) await writer.write([{ account: a!, torrent, up: 1 }])
      const { sequence } = await accounting.open()
      const first = await accounting.changes(0, 2)
      expect(first.isLast).toBe(false)
      expect([...first.records, ...first.torrents].length).toBeGreaterThan(0)
      const rest = await accounting.changes(first.next, 100)
      expect([rest.next, rest.isLast]).toEqual([sequence, true])
      expect(await accounting.changes(sequence, 100)).toEqual({
        ...nothing,
        next: sequence,
        isLast: true,
      })
      // A number from a database that this one is not, or is no longer.
      expect(await accounting.changes(sequence + 9, 5)).toEqual({
        ...nothing,
        next: sequence,
        isLast: true,
      })
    })

    suite.signs('and others keep their marks', async (database) => {
      const { accounting } = database
      await accounting.open()
      expect(await accounting.readMark('webhook')).toBe(0)
      await accounting.putMark('webhook', 2 ** 50)
      await accounting.putMark('other', 1)
      expect(await accounting.readMark('webhook')).toBe(2 ** 50)
      await accounting.putMark('webhook', 3)
      expect([await accounting.readMark('webhook'), await accounting.readMark('other')]).toEqual([
        3, 1,
      ])
    })
  })

  suite.signs('what is old in accounting goes, and nothing else', async (database, place) => {
    const { accounting } = database
    const [a, b, c] = (await withAccounts(database, 3)) as [number, number, number]
    // The machine's: erased accounts are dated by it.
    const now = systemClock.seconds()
    const flag = { kind: 'speed', infoHash: hashes(1), bytes: 1, seconds: 1, times: 1 } as const
    await accounting.write(
      batchOf(
        newName(),
        [
          { account: a, torrent: 1, peer: 1, seen: now - 10, active: true, seeder: true },
          { account: a, torrent: 2, peer: 1, seen: now - 10, active: true },
          { account: a, torrent: 2, peer: 2, seen: now + 1_000, active: true },
          { account: b, torrent: 1, peer: 1, seen: now + 1_000 },
        ],
        {
          flags: [
            { ...flag, account: a, at: now - 7_200 },
            { ...flag, account: a, at: now },
          ],
        },
      ),
    )
    await accounting.putToken(a, hashes(1), now - 1)
    await accounting.putToken(a, hashes(1, 2), now)
    await accounting.putToken(b, hashes(1, 2), null)
    await accounting.putMark('webhook', 7)
    await accounting.eraseAccount({ id: c })
    const [mine] = await accounting.addKeys([{ key: key(8), validUntil: null, userId: null }])
    await database.removeKeys([key(1)])
    const { sequence } = await accounting.open()
    // A session, a flag, a token and a key of each account.
    const before = { sessions: now - 5, flags: now - 5, tokens: now }
    expect(await accounting.purge({ sessions: 0, flags: 0, tokens: 0 })).toBe(1)
    expect(await accounting.purge(before)).toBe(4)
    expect(await accounting.purge(before)).toBe(0)
    const question = [
      { account: a, torrent: 1, peer: 1 },
      { account: a, torrent: 2, peer: 1 },
      { account: a, torrent: 2, peer: 2 },
      { account: b, torrent: 1, peer: 1 },
    ]
    const { sessions, tokens } = await lookUp(accounting, question)
    expect(sessions.map((found) => found?.seen)).toEqual([
      undefined,
      undefined,
      now + 1_000,
      now + 1_000,
    ])
    expect(tokens).toEqual([0, now, now, 0])
    expect((await accounting.listFlags(0, 9)).map(({ at }) => at)).toEqual([now])
    expect(await accounting.readMark('webhook')).toBe(7)
    // A record that was left behind is told to be over.
    const { records } = await accounting.changes(sequence, 99)
    expect(records).toMatchObject([
      { account: a, infoHash: hashes(1), isActive: false, isSeeder: false },
    ])
    const [names] = await place.sql('SELECT COUNT(*) FROM accounting_keys')
    expect(Number(names![0])).toBe(3)
    expect((await accounting.listKeys(mine!.account, 0, 9)).length).toBe(1)
    // Erased accounts are told for as long as sessions are kept.
    expect((await accounting.changes(0, 99)).deleted).toEqual([c])
    expect(await accounting.purge({ ...before, sessions: now + 900 })).toBe(1)
    expect((await accounting.changes(0, 99)).deleted).toEqual([])
  })

  suite.signs('every method of accounting is refused before it is opened', async (database) => {
    for (const call of everyCall(database)) {
      const error = await failureOf(call)
      expect([error.fault, error.message]).toEqual([
        'refused',
        expect.stringContaining(`The ${DRIVER_NAMES[suite.driver]} query was malformed: `),
      ])
      expect(error.message).not.toContain(key(1))
    }
    await database.ping()
    expect(await database.listKeys(0, 9)).toEqual([])
  })

  suite.signs('every method of accounting rejects once it is closed', async (database) => {
    await database.accounting.open()
    await database.close()
    for (const call of [() => database.accounting.open(), ...everyCall(database)])
      expect(await faultOf(call)).toBe('unreachable')
  })

  suite.signs('every method of accounting accepts empty input', async (database) => {
    const { accounting } = database
    await accounting.open()
    expect(await accounting.addKeys([])).toEqual([])
    expect(await accounting.removeKeys([])).toBe(0)
    expect(await accounting.adoptKeys()).toBe(0)
    expect(await accounting.write(batchOf(newName(), []))).toMatchObject({ isRepeated: false })
    expect(await accounting.listFlags(0, 0)).toEqual([])
    expect(await accounting.listKeys(null, 0, 0)).toEqual([])
    expect(await accounting.purge({ sessions: 0, flags: 0, tokens: 0 })).toBe(0)
    expect((await accounting.readSettings(0n)).rows).toEqual([])
  })
}

const everyCall = ({ accounting }: Database): (() => Promise<unknown>)[] => [
  () => accounting.adoptKeys(),
  () => accounting.readSettings(0n),
  () => accounting.readKeys(0n),
  () => accounting.listKeys(null, 0, 9),
  () => accounting.listKeys(1, 0, 9),
  () => accounting.addKeys([{ key: key(1), validUntil: null, userId: null }]),
  () => accounting.removeKeys([key(1)]),
  () => accounting.replaceKey(key(1), key(2)),
  () => lookUp(accounting, [{ account: 1, torrent: 1 }]),
  () => accounting.write(batchOf(newName(), [{ account: 1, torrent: 1 }])),
  () => accounting.listAccounts({ userIds: undefined, sort: 'ratio', ...all }),
  () => accounting.account({ userId: 1n }),
  () => accounting.changeAccount({ id: 1 }, {}),
  () => accounting.adjustAccount({ id: 1 }, {}),
  () => accounting.eraseAccount({ id: 1 }),
  () => accounting.listRecords({ of: { account: 1 }, hitAndRun: undefined, ...all }),
  () => accounting.torrent(hashes(1)),
  () => accounting.changeTorrents(hashes(1), {}),
  () => accounting.putToken(1, hashes(1), null),
  () => accounting.removeToken(1, hashes(1)),
  () => accounting.changes(0, 9),
  () => accounting.listFlags(0, 9),
  () => accounting.reviewFlag(1, null),
  () => accounting.readMark('one'),
  () => accounting.putMark('one', 1),
  () => accounting.purge({ sessions: 0, flags: 0, tokens: 0 }),
]

/** What a site keeps: rows by their names, taken from pages. */
class Copy {
  readonly #database: Database
  readonly #accounts = new Map<number, unknown>()
  readonly #torrents = new Map<string, unknown>()
  readonly #records = new Map<string, unknown>()
  #next = 0

  constructor(database: Database) {
    this.#database = database
  }

  async follow(limit: number, repeats: boolean): Promise<void> {
    for (let isLast = false; !isLast; ) {
      const page = await this.#database.accounting.changes(this.#next, limit)
      if (repeats) await this.#database.accounting.changes(this.#next, limit)
      for (const row of page.accounts) this.#accounts.set(row.id, row)
      for (const row of page.torrents) this.#torrents.set(row.infoHash.toHex(), row)
      for (const row of page.records)
        this.#records.set(`${row.account} ${row.infoHash.toHex()}`, row)
      for (const id of page.deleted) {
        this.#accounts.delete(id)
        for (const name of this.#records.keys())
          if (name.startsWith(`${id} `)) this.#records.delete(name)
      }
      expect(page.next).toBeGreaterThanOrEqual(this.#next)
      this.#next = page.next
      isLast = page.isLast
    }
  }

  async equals(): Promise<void> {
    const { accounting } = this.#database
    const accounts = await accounting.listAccounts({ userIds: undefined, sort: 'id', ...all })
    expect(accounts).toEqual(
      [...this.#accounts]
        .sort(([a], [b]) => a - b)
        .map(([, row]) => row) as (typeof accounts)[number][],
    )
    let count = 0
    for (const { id } of accounts)
      for (const row of await accounting.listRecords({
        of: { account: id },
        hitAndRun: undefined,
        ...all,
      })) {
        expect(this.#records.get(`${id} ${row.infoHash.toHex()}`)).toEqual(row)
        count++
      }
    expect(this.#records.size).toBe(count)
    for (const [text, row] of this.#torrents)
      expect(await accounting.torrent(Uint8Array.fromHex(text))).toEqual(row as never)
  }
}
