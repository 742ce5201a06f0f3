/** Faults of the way to a database server while accounting writes, the same for both drivers. */
import { describe, expect, test } from 'bun:test'
import type { AccountingDatabase } from '../../../src/database/accounting-contract.ts'
import type { Database } from '../../../src/database/contract.ts'
import { withAccounts } from './accounting.ts'
import { failureOf } from './failure.ts'
import { key } from './hashes.ts'
import { BreakingWay } from './proxy.ts'
import { openDriver, type ServerConfig, ServerPlace } from './servers.ts'
import { Writer } from './suite-accounting-write.ts'

export function survivesAccountingFaults(server: ServerConfig): void {
  const withWay = async (
    deed: (database: Database, way: BreakingWay, account: number) => Promise<void>,
  ) => {
    await using place = await ServerPlace.on(server)
    await using way = await BreakingWay.to(place.config)
    const database = await openDriver(way.config)
    const [account] = await withAccounts(database, 1)
    await deed(database, way, account!)
    await database.close()
  }

  describe('a batch of accounting', () => {
    test.each(['asked', 'answered'] as const)(
      'N17: whose COMMIT is %s when the connection is lost is added once',
      (breaks) =>
        withWay(async (database, way, account) => {
          const writer = new Writer(database)
          const owing = [{ account, torrent: 1, up: 5, completed: true }]
          way.breaks = breaks
          expect((await failureOf(() => writer.write(owing))).fault).toBe('unreachable')
          const between = await movedBy(database.accounting, account)
          expect(between).toEqual(breaks === 'asked' ? [0n, 0n, 0] : [5n, 1n, 1])
          const { isRepeated } = await writer.again(owing)
          expect(isRepeated).toBe(breaks === 'answered')
          expect(await movedBy(database.accounting, account)).toEqual([5n, 1n, 1])
        }),
    )

    test('N17: whose connection is lost at any statement is added once', () =>
      withWay(async (database, way, account) => {
        const writer = new Writer(database)
        const sum = async () => (await movedBy(database.accounting, account))[0]
        let times = 0n
        // The statements of later batches are prepared already.
        for (let isWhole = false; !isWhole; times++) {
          const owing = [
            { account, torrent: 1, peer: 1, up: 5, completed: true },
            { account, torrent: 2 + Number(times), peer: 1, ended: times % 2n === 0n },
          ]
          way.asks = Number(times)
          const outcome = await writer.write(owing).catch((error) => error.fault as string)
          isWhole = typeof outcome !== 'string'
          way.asks = Number.POSITIVE_INFINITY
          if (isWhole) break
          expect(outcome).toBe('unreachable')
          expect(await sum()).toBe(5n * times)
          await writer.again(owing)
          expect(await sum()).toBe(5n * (times + 1n))
        }
        expect(times).toBeGreaterThan(10n)
        expect(await movedBy(database.accounting, account)).toEqual([
          5n * (times + 1n),
          1n,
          Number(times) + 2,
        ])
      }))

    test('keys whose connection is lost at any statement are added with their accounts or not at all', () =>
      withWay(async (database, way) => {
        let number = 100
        for (let isWhole = false; !isWhole; number++) {
          const rows = [{ key: key(number), validUntil: null, userId: BigInt(number) }]
          way.asks = number - 100
          const outcome = await database.accounting.addKeys(rows).catch((error) => error.fault)
          isWhole = typeof outcome !== 'string'
          way.asks = Number.POSITIVE_INFINITY
          const [keys, adopted] = [
            await database.listKeys(0, 999),
            await database.accounting.listKeys(null, 0, 999),
          ]
          expect(adopted.map((row) => row.key)).toEqual(keys.map((row) => row.key))
          expect(keys.some((row) => row.key === key(number))).toBe(isWhole)
        }
        expect(number).toBeGreaterThan(106)
      }))
  })
}

/** Bytes, snatches and how many torrents. */
async function movedBy(
  accounting: AccountingDatabase,
  id: number,
): Promise<[bigint, bigint, number]> {
  const { uploaded, snatches } = (await accounting.account({ id }))!
  const page = { of: { account: id }, hitAndRun: undefined, offset: 0, limit: 999 }
  return [uploaded, snatches, (await accounting.listRecords(page)).length]
}
