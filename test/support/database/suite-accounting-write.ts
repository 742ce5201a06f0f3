/** The part of the contract suite about what sessions moved. */
import { describe, expect } from 'bun:test'
import type { BatchName, Flag } from '../../../src/accounting/batch.ts'
import type { Database } from '../../../src/database/contract.ts'
import { dice, seed } from '../random.ts'
import { batchOf, lookUp, NOW, type Session, withAccounts } from './accounting.ts'
import { faultOf } from './failure.ts'
import { hashes } from './hashes.ts'
import { newName } from './names.ts'
import type { Signing } from './signing.ts'

const LARGEST = 2n ** 63n - 1n

/** One record, or nothing. */
const recordOf = async ({ accounting }: Database, account: number, torrent: number) => {
  const of = { account }
  const records = await accounting.listRecords({ of, hitAndRun: undefined, offset: 0, limit: 999 })
  const name = hashes(1, torrent).toHex()
  return records.find(({ infoHash }) => infoHash.toHex() === name)
}

/** The writes of one process. */
export class Writer {
  readonly #database: Database
  #name: BatchName = { ...newName(), number: 0 }

  constructor(database: Database) {
    this.#database = database
  }

  write(sessions: readonly Session[], more?: Parameters<typeof batchOf>[2]) {
    const { writer, number } = this.#name
    this.#name = { writer, number: number + 1 }
    return this.again(sessions, more)
  }

  /** Under the same name as the last. */
  again(sessions: readonly Session[], more?: Parameters<typeof batchOf>[2]) {
    return this.#database.accounting.write(batchOf(this.#name, sessions, more))
  }
}

export function signsAccountingWrite(suite: Signing): void {
  describe('what was moved', () => {
    suite.signs('N2: adds up in record, account and torrent', async (database) => {
      const { accounting } = database
      const [a, b] = await withAccounts(database, 2)
      const writer = new Writer(database)
      const first = await writer.write([
        {
          account: a!,
          torrent: 1,
          peer: 1,
          up: 10,
          down: 4,
          creditedUp: 20,
          creditedDown: 0,
          seed: 5,
        },
        {
          account: a!,
          torrent: 1,
          peer: 2,
          up: 1,
          down: 1,
          leech: 7,
          seen: NOW + 9,
          left: 5,
          client: '-TR4000-',
        },
        { account: b!, torrent: 1, peer: 1, up: 100 },
        { account: a!, torrent: 2, peer: 1, down: 1_000, began: NOW - 50, seen: NOW - 9 },
      ])
      await writer.write([
        {
          account: a!,
          torrent: 1,
          peer: 1,
          up: 1,
          active: true,
          seeder: true,
          seen: NOW + 20,
          began: NOW + 1,
        },
      ])
      expect(await accounting.account({ id: a! })).toMatchObject({
        uploaded: 12n,
        downloaded: 1_005n,
        creditedUploaded: 22n,
        creditedDownloaded: 1_001n,
        seedSeconds: 5n,
        leechSeconds: 7n,
        snatches: 0n,
        lastSeen: NOW + 20,
        batch: first.sequence + 1,
      })
      expect(await accounting.account({ id: b! })).toMatchObject({
        uploaded: 100n,
        lastSeen: NOW,
        batch: first.sequence,
      })
      expect(await recordOf(database, a!, 1)).toEqual({
        account: a!,
        userId: null,
        infoHash: hashes(1),
        uploaded: 12n,
        downloaded: 5n,
        creditedUploaded: 22n,
        creditedDownloaded: 1n,
        seedSeconds: 5n,
        leechSeconds: 7n,
        left: 0n,
        isActive: true,
        isSeeder: true,
        started: NOW,
        completed: null,
        lastSeen: NOW + 20,
        announces: 3n,
        client: '-TR4000-',
        batch: first.sequence + 1,
      })
      expect(await recordOf(database, a!, 2)).toMatchObject({ started: NOW - 50, isActive: false })
      expect(await accounting.torrent(hashes(1))).toEqual({
        infoHash: hashes(1),
        uploaded: 112n,
        downloaded: 5n,
        snatches: 0n,
        seedSeconds: 5n,
        upPercent: 100,
        downPercent: 100,
        freeUntil: null,
        lastSeen: NOW + 20,
        batch: first.sequence + 1,
      })
      expect(await accounting.torrent(hashes(1, 9))).toBeNull()
    })

    suite.signs('keeps the client and what was left of the last announce', async (database) => {
      const [a] = await withAccounts(database, 1)
      const writer = new Writer(database)
      const client = async (clients: readonly string[]) => {
        await writer.write(
          clients.map((client, i) => ({
            account: a!,
            torrent: 1,
            peer: i,
            client,
            seen: NOW - i,
            left: i,
          })),
        )
        const record = await recordOf(database, a!, 1)
        return [record!.client, record!.left]
      }
      expect(await client(['-qB5000-', '-TR4000-'])).toEqual(['-qB5000-', 0n])
      expect(await client(['\';\\"--%_'])).toEqual(['\';\\"--%_', 0n])
      expect(await client(['M7-9-2--'])).toEqual(['M7-9-2--', 0n])
      // One without a name leaves that of the client before.
      expect(await client(['\x01\x02bytes!'])).toEqual(['M7-9-2--', 0n])
      expect(await client([''])).toEqual(['M7-9-2--', 0n])
    })

    suite.signs('N9: saturates, whatever is claimed', async (database, place) => {
      const { accounting } = database
      const [a] = await withAccounts(database, 1)
      const writer = new Writer(database)
      const most = Number.MAX_SAFE_INTEGER
      const claims = [Number.NaN, -5, Number.POSITIVE_INFINITY, 2 ** 64, 2 ** 63, most, 0.5]
      await writer.write(
        claims.map((claim, peer) => ({
          account: a!,
          torrent: 1,
          peer,
          up: claim,
          down: claim,
          seed: claim,
          leech: claim,
          left: claim,
          uploaded: claim,
          downloaded: claim,
        })),
      )
      const sums = {
        uploaded: LARGEST,
        downloaded: LARGEST,
        creditedUploaded: LARGEST,
        leechSeconds: LARGEST,
      }
      expect(await accounting.account({ id: a! })).toMatchObject(sums)
      expect(await recordOf(database, a!, 1)).toMatchObject({ ...sums, left: 0n })
      await writer.write([{ account: a!, torrent: 1, up: most, down: 1 }])
      expect(await accounting.account({ id: a! })).toMatchObject(sums)
      expect(await accounting.torrent(hashes(1))).toMatchObject({
        uploaded: LARGEST,
        seedSeconds: LARGEST,
      })
      // What others stored as negative is nothing.
      await place.sql('UPDATE accounting_accounts SET uploaded = -5')
      expect(await accounting.account({ id: a! })).toMatchObject({ uploaded: 0n })
      await writer.write([{ account: a!, torrent: 1, up: 3 }])
      expect(await accounting.account({ id: a! })).toMatchObject({ uploaded: 3n })
    })

    suite.signs('N14: completes a record once', async (database) => {
      const { accounting } = database
      const [a, b] = await withAccounts(database, 2)
      const writer = new Writer(database)
      const firsts = async (sessions: readonly Session[]) => [
        ...(await writer.write(sessions.map((one) => ({ ...one, completed: true }))))
          .firstCompleted,
      ]
      expect(
        await firsts([
          { account: a!, torrent: 1, peer: 1, seen: NOW + 5 },
          { account: a!, torrent: 1, peer: 2, seen: NOW + 3 },
          { account: b!, torrent: 1, peer: 3 },
        ]),
      ).toEqual([1, 2])
      expect(
        await firsts([
          { account: a!, torrent: 1, peer: 1, seen: NOW + 90 },
          { account: a!, torrent: 2, peer: 1, seen: NOW + 91 },
        ]),
      ).toEqual([1])
      expect(await recordOf(database, a!, 1)).toMatchObject({ completed: NOW + 3 })
      expect(await accounting.account({ id: a! })).toMatchObject({ snatches: 2n })
      expect(await accounting.torrent(hashes(1))).toMatchObject({ snatches: 2n })
    })

    suite.signs('N33: of torrents alone makes no account', async (database, place) => {
      const { accounting } = database
      await accounting.open()
      const writer = new Writer(database)
      const written = await writer.write(
        [
          { account: 0, torrent: 1, peer: 1, up: 5, down: 3, seed: 9, completed: true },
          { account: 0, torrent: 1, peer: 2, up: 1, completed: true },
        ],
        { hasAccounts: false },
      )
      expect([...written.firstCompleted]).toEqual([0, 1])
      expect(await accounting.torrent(hashes(1))).toMatchObject({
        uploaded: 6n,
        downloaded: 3n,
        snatches: 2n,
        seedSeconds: 9n,
      })
      for (const table of ['accounts', 'records', 'sessions'])
        expect(await place.sql(`SELECT * FROM accounting_${table}`)).toEqual([])
    })

    suite.signs(
      'is known of sessions, tokens and torrents that are looked up',
      async (database) => {
        const { accounting } = database
        const [a, b] = await withAccounts(database, 2)
        const writer = new Writer(database)
        await writer.write([
          {
            account: a!,
            torrent: 1,
            peer: 7,
            uploaded: 2 ** 53 - 1,
            downloaded: 5,
            seen: NOW + 4,
            seeder: true,
          },
          { account: a!, torrent: 1, peer: -7, uploaded: 8 },
          { account: b!, torrent: 2, peer: 7, uploaded: 9 },
        ])
        await accounting.putToken(a!, hashes(1), NOW + 60)
        await accounting.putToken(b!, hashes(1), null)
        await accounting.changeTorrents(hashes(1), {
          upPercent: 200,
          downPercent: 0,
          freeUntil: NOW + 7,
        })
        const question = [
          { account: a!, torrent: 1, peer: 7 },
          { account: b!, torrent: 1, peer: 7 },
          { account: b!, torrent: 2, peer: 7 },
          { account: a!, torrent: 1, peer: -7 },
          { account: a!, torrent: 3, peer: 7 },
          { account: a!, torrent: 1, peer: 8 },
        ]
        expect(await lookUp(accounting, question)).toEqual({
          torrents: [[200, 0, NOW + 7], [100, 100, 0], undefined],
          sessions: [
            { uploaded: 2 ** 53 - 1, downloaded: 5, seeder: 1, seen: NOW + 4 },
            undefined,
            { uploaded: 9, downloaded: 0, seeder: 0, seen: NOW },
            { uploaded: 8, downloaded: 0, seeder: 0, seen: NOW },
            undefined,
            undefined,
          ],
          tokens: [NOW + 60, Infinity, 0, NOW + 60, 0, NOW + 60],
          counted: [NOW + 4, 0, NOW, NOW + 4, 0, NOW + 4],
        })
        await writer.write([{ account: a!, torrent: 1, peer: 7, ended: true, seen: NOW - 9 }])
        const after = await lookUp(accounting, question)
        expect(after.sessions.map((found) => found !== undefined)).toEqual([
          false,
          false,
          true,
          true,
          false,
          false,
        ])
        // What comes late makes nothing older.
        expect(after.counted[0]).toBe(NOW + 4)
        expect(await lookUp(accounting, [])).toEqual({
          torrents: [],
          sessions: [],
          tokens: [],
          counted: [],
        })
      },
    )

    suite.signs('of 2,000 sessions is written in one call, and looked up', async (database) => {
      const { accounting } = database
      const ids = await withAccounts(database, 50)
      const writer = new Writer(database)
      const sessions = Array.from({ length: 2_000 }, (_, i) => ({
        account: ids[i % 50]!,
        torrent: 1 + (i % 1_999),
        peer: 2_000 - i,
        up: i,
        uploaded: i,
      }))
      await writer.write(sessions)
      await writer.write(sessions)
      const { sessions: found } = await lookUp(accounting, sessions)
      expect(found.map((row) => row?.uploaded)).toEqual(sessions.map(({ up }) => up))
      const page = { userIds: undefined, sort: 'id', offset: 0, limit: 99 } as const
      const sum = (await accounting.listAccounts(page)).reduce((all, row) => all + row.uploaded, 0n)
      expect(sum).toBe(2n * 1_999n * 1_000n)
      await writer.write(sessions.map((one) => ({ ...one, up: 0, ended: true })))
      expect((await lookUp(accounting, sessions)).sessions.filter(Boolean)).toEqual([])
    })

    suite.signs('N17: is added once, however often it is written', async (database) => {
      const { accounting } = database
      const [a] = await withAccounts(database, 1)
      const writer = new Writer(database)
      const owing = [{ account: a!, torrent: 1, up: 5, completed: true }]
      const { sequence } = await writer.write(owing)
      expect(await writer.again(owing)).toMatchObject({ sequence, isRepeated: true })
      await new Writer(database).write(owing.map((one) => ({ ...one, peer: 2 })))
      expect(await writer.again(owing)).toMatchObject({ sequence: sequence + 1, isRepeated: true })
      expect(await accounting.account({ id: a! })).toMatchObject({ uploaded: 10n })
    })

    suite.signs('N17: is written whole or not at all', async (database, place) => {
      const { accounting } = database
      const [a] = await withAccounts(database, 1)
      const writer = new Writer(database)
      const flag = { kind: 'shared_id', at: NOW, account: a!, infoHash: hashes(1) } as const
      const flags = [{ ...flag, bytes: 1, seconds: 1, times: 1 }]
      await writer.write([{ account: a!, torrent: 1, up: 5 }])
      const before = await accounting.changes(0, 99)
      const sessions = [
        { account: a!, torrent: 1, up: 7, client: 'forbid-1', seen: NOW + 1 },
        { account: a!, torrent: 2, up: 9 },
      ]
      await writer.write([]).then(() => undefined)
      for (const [table, column, value] of [
        ['torrents', 'info_hash', hashes(1, 2).toHex()],
        ['records', 'client', 'forbid-1'],
        ['sessions', 'seen', NOW + 1],
        ['flags', 'kind', 'shared_id'],
      ] as const) {
        await suite.forbid(place, `accounting_${table}`, column, value)
        expect(await faultOf(() => writer.write(sessions, { flags }))).toBe('refused')
        expect({ ...(await accounting.changes(0, 99)), next: before.next }).toEqual(before)
        await suite.allow(place, `accounting_${table}`)
      }
      await writer.again(sessions, { flags })
      expect(await accounting.account({ id: a! })).toMatchObject({ uploaded: 21n })
    })

    suite.signs('N19: by a session that moves is added once', async (database, place) => {
      const other = await place.open()
      const { accounting } = database
      const [a] = await withAccounts(database, 1)
      const [here, there] = [new Writer(database), new Writer(other)]
      const one = { account: a!, torrent: 1, peer: 5 }
      const uploaded = async () => {
        const { uploaded, creditedUploaded, downloaded } = (await accounting.account({ id: a! }))!
        return [uploaded, creditedUploaded, downloaded]
      }
      await here.write([{ ...one, uploaded: 0 }])
      // Both saw it grow to 100 before either wrote.
      await there.write([{ ...one, uploaded: 100, up: 100, creditedUp: 300 }])
      await here.write([{ ...one, uploaded: 100, up: 100, creditedUp: 300 }])
      expect(await uploaded()).toEqual([100n, 300n, 0n])
      // The other one has counted 10 of these 40; and what was downloaded is counted by itself.
      await there.write([{ ...one, uploaded: 110, up: 10, downloaded: 7, down: 7 }])
      await here.write([{ ...one, uploaded: 140, up: 40, creditedUp: 79, downloaded: 6, down: 6 }])
      expect(await uploaded()).toEqual([140n, 369n, 7n])
      const stored = async () => (await lookUp(accounting, [one])).sessions[0]
      expect(await stored()).toMatchObject({ uploaded: 140, downloaded: 7 })
      // Its own rows follow it wherever it goes: a restart of the client is one.
      await here.write([{ ...one, uploaded: 3, up: 3, downloaded: 0 }])
      expect(await uploaded()).toEqual([143n, 372n, 7n])
      expect(await stored()).toMatchObject({ uploaded: 3, downloaded: 0 })
      // It ends there, and what it owes here is known there.
      await there.write([{ ...one, uploaded: 50, up: 47, ended: true }])
      await here.write([{ ...one, uploaded: 50, up: 47, ended: true }])
      expect(await uploaded()).toEqual([190n, 419n, 7n])
      await here.write([{ ...one, uploaded: 60, up: 10 }])
      await here.write([{ ...one, uploaded: 60, ended: true }])
      expect(await uploaded()).toEqual([200n, 429n, 7n])
      expect(await stored()).toBeUndefined()
      await other.close()
    })

    suite.signs('raises flags, one an hour', async (database) => {
      const { accounting } = database
      const [a, b] = await withAccounts(database, 2)
      const writer = new Writer(database)
      const hour = NOW - (NOW % 3_600)
      const flag = (more: Partial<Flag>): Flag => ({
        kind: 'speed',
        at: hour,
        account: a!,
        infoHash: hashes(1),
        bytes: 10,
        seconds: 2,
        times: 1,
        ...more,
      })
      const flags = [
        flag({}),
        flag({ at: hour + 3_599, bytes: 5 }),
        flag({ at: hour + 3_600 }),
        flag({ kind: 'no_leechers' }),
        flag({ account: b!, infoHash: hashes(1, 2) }),
        flag({ account: 999 }),
      ]
      await writer.write([], { flags })
      await writer.write([], { flags: [flag({ at: hour + 60, bytes: 2 ** 53 - 1 })] })
      const listed = await accounting.listFlags(0, 9)
      const ids = listed.map(({ id }) => id)
      expect(ids).toEqual(ids.toSorted((x, y) => y - x))
      expect(listed.map(({ id: _, ...row }) => row).toReversed()).toEqual([
        { ...flag({ bytes: 2 ** 53 + 14, seconds: 6, times: 3 }), reviewed: null },
        { ...flag({ at: hour + 3_600 }), reviewed: null },
        { ...flag({ kind: 'no_leechers' }), reviewed: null },
        { ...flag({ account: b!, infoHash: hashes(1, 2) }), reviewed: null },
      ])
      expect((await accounting.listFlags(1, 2)).map(({ id }) => id)).toEqual(ids.slice(1, 3))
      expect(await accounting.reviewFlag(ids[0]!, NOW)).toEqual({ ...listed[0]!, reviewed: NOW })
      expect(await accounting.reviewFlag(ids[0]!, null)).toEqual(listed[0]!)
      expect(await accounting.reviewFlag(12_345, NOW)).toBeNull()
    })

    suite.signs(
      `N19: of two trackers adds up whatever else they do at once (SEED=${seed})`,
      async (database, place) => {
        const { accounting } = database
        const ids = await withAccounts(database, 20)
        const other = await place.open()
        const roll = dice()
        const naive = new Map<number, bigint>(ids.map((id) => [id, 0n]))
        const run = async (one: Database, keys: number) => {
          const writer = new Writer(one)
          for (let round = 0; round < 15; round++) {
            // Sessions of this tracker alone, in any order.
            const sessions = Array.from({ length: 60 }, () => ({
              account: ids[roll(20)]!,
              torrent: 1 + roll(30),
              peer: keys + roll(1_000_000),
              up: roll(1_000),
            }))
            const distinct = [
              ...new Map(sessions.map((s) => [`${s.account} ${s.torrent} ${s.peer}`, s])).values(),
            ]
            for (const { account, up } of distinct)
              naive.set(account, naive.get(account)! + BigInt(up))
            const name = `${keys + round}`.padStart(32, 'k')
            await Promise.all([
              writer.write(distinct).then(() => writer.again(distinct)),
              one.accounting.addKeys([{ key: name, validUntil: null, userId: BigInt(round) }]),
              one.accounting.changeAccount({ id: ids[roll(20)]! }, { upPercent: roll(500) }),
              one.accounting.putToken(ids[roll(20)]!, hashes(1, 1 + roll(30)), null),
              one.accounting.changeTorrents(hashes(5, 1 + roll(30)), { downPercent: roll(100) }),
              one.accounting.purge({ sessions: 0, flags: 0, tokens: 0 }),
              one.addKeys([{ key: name.toUpperCase(), validUntil: 1n }]),
              one.removeKeysExpiredBefore(5n),
              one.accounting.adoptKeys(),
            ])
            await one.accounting.removeKeys([name])
          }
        }
        await Promise.all([run(database, 0), run(other, 2_000_000)])
        for (const [id, sum] of naive)
          expect(await accounting.account({ id })).toMatchObject({ uploaded: sum })
        await other.close()
      },
    )
  })
}
