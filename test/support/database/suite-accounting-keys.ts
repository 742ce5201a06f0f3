/** The part of the contract suite about accounts and whose keys are whose. */
import { describe, expect } from 'bun:test'

import type { Database } from '../../../src/database/contract.ts'
import { batchOf, NOW, withAccounts } from './accounting.ts'
import { failureOf, faultOf } from './failure.ts'
import { hashes, key } from './hashes.ts'
import { newName } from './names.ts'
import { readParts } from './reading.ts'
import type { Signing } from './signing.ts'
import type { Place } from './suite.ts'

const LARGEST = 2n ** 63n - 1n

const keyOf = (number: number, userId: bigint | null = null, validUntil: bigint | null = null) => ({
  key: key(number),
  validUntil,
  userId,
})

/** All of them by key. */
const accountsOfKeys = async ({ accounting }: Database) =>
  (await accounting.listKeys(null, 0, 99)).map((row) => [
    Number(row.key.slice(3)),
    row.account,
    row.userId,
  ])

export function signsAccountingKeys(suite: Signing): void {
  describe('accounts', () => {
    suite.signs('N26: have no table before accounting is opened', async (_, place) => {
      const table = suite.driver === 'sqlite3' ? 'sqlite_master' : 'information_schema.tables'
      const named = suite.driver === 'sqlite3' ? 'name' : 'table_name'
      const tables = `SELECT ${named} FROM ${table} WHERE ${named} LIKE 'accounting%'`
      expect(await place.sql(tables)).toEqual([])
    })

    suite.signs('begin empty, and keep their secret', async (database, place) => {
      const state = await database.accounting.open()
      expect(state).toMatchObject({ sequence: 0, accounts: 0, torrents: 0 })
      expect(new Set(state.secret).size).toBeGreaterThan(4)
      const other = await place.open()
      const [again, same] = await Promise.all([other.accounting.open(), database.accounting.open()])
      expect([again.secret, same.secret]).toEqual([state.secret, state.secret])
      await other.close()
    })

    suite.signs('of a start that was cut short are completed', async (database, place) => {
      const { secret } = await database.accounting.open()
      await place.sql("DELETE FROM accounting_state WHERE name IN ('schema', 'last_torrent')")
      await place.sql('DROP TABLE accounting_flags')
      expect((await database.accounting.open()).secret).toEqual(secret)
      expect(await database.accounting.listFlags(0, 9)).toEqual([])
      expect(await database.accounting.putToken(1, hashes(1), null)).toBe(false)
    })

    suite.signs('may be opened by many at once', async (_, place) => {
      const all = await Promise.all(Array.from({ length: 4 }, () => place.open()))
      const states = await Promise.all(all.map(({ accounting }) => accounting.open()))
      expect(new Set(states.map(({ secret }) => secret.toHex())).size).toBe(1)
      for (const one of all) await one.close()
    })

    suite.signs('of a newer program are left alone', async (database, place) => {
      await database.accounting.open()
      await place.sql("UPDATE accounting_state SET value = 2 WHERE name = 'schema'")
      const { fault, message } = await failureOf(() => database.accounting.open())
      expect([fault, message]).toEqual([
        'invalid',
        `the database ${database.about}: a newer version made its accounting tables (schema 2, this one knows 1): use that version, or turn core.accounting off`,
      ])
    })

    suite.signs('are made with their keys, one for each user', async (database) => {
      const { accounting } = database
      await accounting.open()
      const user = -(2n ** 63n)
      const rows = [keyOf(3), keyOf(1, 17n, 60n), keyOf(2, user), keyOf(5, 17n), keyOf(4)]
      const added = await accounting.addKeys(rows)
      expect(added.map(({ account: _, ...row }) => row)).toEqual(rows)
      const ids = added.map(({ account }) => account) as [number, number, number, number, number]
      expect(ids[1]).toBe(ids[3])
      expect(new Set(ids).size).toBe(4)
      const [more] = await accounting.addKeys([keyOf(6, user)])
      expect(more!.account).toBe(ids[2])
      expect(await database.listKeys(0, 1)).toEqual([{ key: key(1), validUntil: 60n }])
      expect(await accountsOfKeys(database)).toEqual([
        [1, ids[1], 17n],
        [2, ids[2], user],
        [3, ids[0], null],
        [4, ids[4], null],
        [5, ids[1], 17n],
        [6, ids[2], user],
      ])
      expect((await accounting.listKeys(ids[1], 1, 9)).map((row) => row.key)).toEqual([key(5)])
      const parts = await readParts((from) => accounting.readKeys(from))
      expect(parts.flat().sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual([
        ...(await accounting.listKeys(null, 0, 99)),
      ])
      expect(await accounting.account({ userId: user })).toMatchObject({
        id: ids[2],
        userId: user,
        enabled: true,
        canDownload: true,
        maxDownloads: null,
        maxPeers: null,
        upPercent: 100,
        downPercent: 100,
        freeUntil: null,
        hidden: false,
        uploaded: 0n,
        lastSeen: null,
      })
      expect(await accounting.account({ userId: 18n })).toBeNull()
      expect(await accounting.account({ id: 99 })).toBeNull()
    })

    suite.signs('are not made when one of their keys exists', async (database) => {
      const { accounting } = database
      await accounting.open()
      await database.addKeys([{ key: key(2), validUntil: null }])
      const { sequence, accounts } = await accounting.open()
      const error = await failureOf(() => accounting.addKeys([keyOf(1, 5n), keyOf(2), keyOf(3)]))
      expect([error.fault, error.message.includes(key(2))]).toEqual(['duplicate', false])
      expect(await faultOf(() => accounting.addKeys([keyOf(4), keyOf(4)]))).toBe('duplicate')
      expect(await database.listKeys(0, 9)).toEqual([{ key: key(2), validUntil: null }])
      expect(await accounting.open()).toMatchObject({ sequence, accounts })
    })

    suite.signs('are given to keys that have none', async (database) => {
      const { accounting } = database
      await database.addKeys(
        Array.from({ length: 2_500 }, (_, i) => ({ key: key(1 + i), validUntil: BigInt(i) })),
      )
      await accounting.open()
      expect((await accounting.readKeys(0n)).rows).toEqual([])
      await accounting.addKeys([keyOf(9_999, 1n)])
      let adopted = 0
      for (let count = -1; count !== 0; adopted += count) count = await accounting.adoptKeys()
      expect(adopted).toBe(2_500)
      const rows = (await readParts((from) => accounting.readKeys(from))).flat()
      expect(rows.length).toBe(2_501)
      expect(new Set(rows.map(({ account }) => account)).size).toBe(2_501)
      expect(rows.every((row) => row.key === key(9_999) || row.userId === null)).toBe(true)
      await database.addKeys([{ key: key(5_000), validUntil: null }])
      expect([await accounting.adoptKeys(), await accounting.adoptKeys()]).toEqual([1, 0])
      expect((await accounting.open()).accounts).toBe(2_502)
    })

    suite.signs('and keys that mean nothing have nothing in common', async (database, place) => {
      await database.accounting.open()
      await suite.insertKey(place, 'too short', 5n)
      await suite.insertKey(place, `${key(1).slice(1)}!`, 5n)
      expect(await database.accounting.adoptKeys()).toBe(0)
      expect(await database.accounting.listKeys(null, 0, 9)).toEqual([])
    })

    suite.signs('N25: outlive their keys, and go on with the next', async (database) => {
      const { accounting } = database
      await accounting.open()
      const [first] = await accounting.addKeys([keyOf(1, 17n), keyOf(2)])
      await accounting.write(batchOf(newName(), [{ account: first!.account, torrent: 1, up: 7 }]))
      expect(await accounting.removeKeys([key(1), key(9), key(1), "'; --"])).toBe(1)
      expect(await accounting.removeKeys([key(1)])).toBe(0)
      expect(await accountsOfKeys(database)).toEqual([[2, expect.any(Number), null]])
      const [next] = await accounting.addKeys([keyOf(1, 17n, 5n)])
      expect(next!.account).toBe(first!.account)
      expect(await accounting.account({ userId: 17n })).toMatchObject({ uploaded: 7n })
    })

    suite.signs(
      'of a key that others removed are not those of its next owner',
      async (database) => {
        const { accounting } = database
        await accounting.open()
        const [first] = await accounting.addKeys([keyOf(1, 17n)])
        await database.removeKeys([key(1)])
        expect(await accountsOfKeys(database)).toEqual([])
        const [next] = await accounting.addKeys([keyOf(1, 18n)])
        expect(next!.account).not.toBe(first!.account)
        expect(await accountsOfKeys(database)).toEqual([[1, next!.account, 18n]])
      },
    )

    suite.signs('N25: get another key in place of one', async (database) => {
      const { accounting } = database
      await accounting.open()
      const [first, second] = await accounting.addKeys([keyOf(1, 17n, 60n), keyOf(2)])
      const replaced = await accounting.replaceKey(key(1), key(3))
      expect(replaced).toEqual({ ...keyOf(3, 17n, 60n), account: first!.account })
      expect(await accounting.replaceKey(key(2), key(4))).toEqual({
        ...keyOf(4),
        account: second!.account,
      })
      expect(await accounting.replaceKey(key(1), key(5))).toBeNull()
      expect(await accounting.replaceKey('none', key(5))).toBeNull()
      expect(await faultOf(() => accounting.replaceKey(key(3), key(4)))).toBe('duplicate')
      expect(await faultOf(() => accounting.replaceKey(key(3), key(3)))).toBe('duplicate')
      expect(await accountsOfKeys(database)).toEqual([
        [3, first!.account, 17n],
        [4, second!.account, null],
      ])
      // One that has no account yet gets one.
      await database.addKeys([{ key: key(7), validUntil: 9n }])
      const account = expect.any(Number)
      expect(await accounting.replaceKey(key(7), key(8))).toEqual({
        ...keyOf(8, null, 9n),
        account,
      })
    })

    suite.signs('have settings', async (database) => {
      const { accounting } = database
      const [id] = await withAccounts(database, 2)
      const before = (await accounting.account({ id: id! }))!
      const settings = {
        enabled: false,
        canDownload: false,
        maxDownloads: 3,
        maxPeers: 0,
        upPercent: 300,
        downPercent: 0,
        freeUntil: 2 ** 40,
        hidden: true,
      }
      const changed = (await accounting.changeAccount({ id: id! }, settings))!
      expect(changed).toEqual({ ...before, ...settings, batch: before.batch + 1 })
      expect(await accounting.account({ id: id! })).toEqual(changed)
      const back = { maxDownloads: null, freeUntil: null, enabled: true }
      await accounting.changeAccount({ id: id! }, back)
      const last = { ...changed, ...back, batch: before.batch + 2 }
      expect(await accounting.account({ id: id! })).toEqual(last)
      expect(await accounting.changeAccount({ id: 99 }, back)).toBeNull()
      const [parts] = await readParts((from) => accounting.readSettings(from))
      expect(parts!.map(({ id, hidden, upPercent }) => [id, hidden, upPercent])).toEqual([
        [1, true, 300],
        [2, false, 100],
      ])
    })

    suite.signs('are adjusted, but not below nothing or beyond 64 bits', async (database) => {
      const { accounting } = database
      await accounting.open()
      await accounting.addKeys([keyOf(1, 17n)])
      const name = { userId: 17n }
      const adjusted = async (creditedUploaded: bigint, creditedDownloaded?: bigint) => {
        const row = await accounting.adjustAccount(name, {
          creditedUploaded,
          ...(creditedDownloaded === undefined ? {} : { creditedDownloaded }),
        })
        expect(await accounting.account(name)).toEqual(row)
        return [row!.creditedUploaded, row!.creditedDownloaded, row!.uploaded]
      }
      expect(await adjusted(5n, 2n ** 62n)).toEqual([5n, 2n ** 62n, 0n])
      expect(await adjusted(-6n)).toEqual([0n, 2n ** 62n, 0n])
      expect(await adjusted(LARGEST, LARGEST)).toEqual([LARGEST, LARGEST, 0n])
      expect(await adjusted(1n, -LARGEST)).toEqual([LARGEST, 0n, 0n])
      expect(await accounting.adjustAccount({ userId: 18n }, {})).toBeNull()
    })

    suite.signs('are listed in any order, any part of them', async (database) => {
      const { accounting } = database
      await accounting.open()
      const rows = await accounting.addKeys([1, 2, 3, 4].map((n) => keyOf(n, BigInt(10 * n))))
      const [a, b, c, d] = rows.map(({ account }) => account) as [number, number, number, number]
      await accounting.write(
        batchOf(newName(), [
          { account: a, torrent: 1, up: 10, down: 5, seen: NOW },
          { account: b, torrent: 1, up: 30, down: 10, seen: NOW + 2 },
          { account: c, torrent: 1, up: 10, down: 0, seen: NOW + 1 },
        ]),
      )
      type Query = Parameters<typeof accounting.listAccounts>[0]
      const listed = async (query: Partial<Query> = {}) =>
        (
          await accounting.listAccounts({
            userIds: undefined,
            sort: 'id',
            offset: 0,
            limit: 9,
            ...query,
          })
        ).map(({ id }) => id)
      expect(await listed()).toEqual([a, b, c, d])
      expect(await listed({ sort: 'uploaded' })).toEqual([b, a, c, d])
      expect(await listed({ sort: 'downloaded' })).toEqual([b, a, c, d])
      expect(await listed({ sort: 'ratio' })).toEqual([b, a, c, d])
      expect(await listed({ sort: 'last_seen' })).toEqual([b, c, a, d])
      expect(await listed({ sort: 'last_seen', offset: 1, limit: 2 })).toEqual([c, a])
      expect(await listed({ userIds: [30n, 99n, 10n] })).toEqual([a, c])
      expect(await listed({ userIds: [30n, 20n, 10n], sort: 'uploaded', offset: 1 })).toEqual([
        a,
        c,
      ])
      expect(await listed({ userIds: [] })).toEqual([])
    })

    suite.signs('N30: are erased, and their keys begin a new one', async (database, place) => {
      const { accounting } = database
      await accounting.open()
      const rows = await accounting.addKeys([keyOf(1, 17n, 9n), keyOf(2, 17n), keyOf(3), keyOf(4)])
      const [id, , other, third] = rows.map(({ account }) => account) as [number, 0, number, number]
      await accounting.putToken(id!, hashes(1), null)
      const at = {
        kind: 'speed',
        at: NOW,
        infoHash: hashes(1),
        bytes: 1,
        seconds: 1,
        times: 1,
      } as const
      const sessions = [id!, other!].map((account) => ({ account, torrent: 1, up: 4, down: 2 }))
      const flags = [id!, other!].map((account) => ({ ...at, account }))
      await accounting.write(batchOf(newName(), sessions, { flags }))
      const erased = (await accounting.eraseAccount({ userId: 17n }))!
      const { successor } = erased
      expect({ ...erased, keys: erased.keys.toSorted((a, b) => (a.key < b.key ? -1 : 1)) }).toEqual(
        {
          id: id!,
          keys: [
            { key: key(1), validUntil: 9n },
            { key: key(2), validUntil: null },
          ],
          successor,
        },
      )
      expect(await rowsOf(place, id!)).toEqual([])
      expect(await accounting.account({ id: id! })).toBeNull()
      expect(await accounting.account({ userId: 17n })).toMatchObject({
        id: successor,
        uploaded: 0n,
      })
      expect(await accountsOfKeys(database)).toEqual([
        [1, successor, 17n],
        [2, successor, 17n],
        [3, other, null],
        [4, third, null],
      ])
      // What it moved stays with the torrent, and what it still owes is not added.
      expect(await accounting.torrent(hashes(1))).toMatchObject({ uploaded: 8n })
      const more = sessions.map((one) => ({ ...one, uploaded: 4 }))
      await accounting.write(batchOf(newName(), more, { flags }))
      expect(await rowsOf(place, id!)).toEqual([])
      expect(
        (await accounting.listFlags(0, 9)).map(({ account, times }) => [account, times]),
      ).toEqual([[other, 2]])
      expect(await accounting.torrent(hashes(1))).toMatchObject({ uploaded: 12n })

      await accounting.removeKeys([key(4)])
      expect(await accounting.eraseAccount({ id: third! })).toEqual({
        id: third!,
        keys: [],
        successor: null,
      })
      expect(await accounting.eraseAccount({ id: third! })).toBeNull()
      const [next] = await accounting.addKeys([keyOf(5)])
      expect(rows.map(({ account }) => account)).not.toContain(next!.account)
      expect((await accounting.changes(0, 99)).deleted.toSorted()).toEqual([id!, third!])
    })
  })
}

/** Names of the tables that hold its number. */
async function rowsOf(place: Place, account: number): Promise<string[]> {
  const found: string[] = []
  for (const table of ['keys', 'records', 'sessions', 'tokens', 'flags']) {
    const [row] = await place.sql(
      `SELECT COUNT(*) FROM accounting_${table} WHERE account = ${account}`,
    )
    if (Number(row![0]) > 0) found.push(table)
  }
  const [row] = await place.sql(`SELECT COUNT(*) FROM accounting_accounts WHERE id = ${account}`)
  return Number(row![0]) > 0 ? [...found, 'accounts'] : found
}
