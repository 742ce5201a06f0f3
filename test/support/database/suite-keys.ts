/** The keys' part of the contract suite. */
import { describe, expect } from 'bun:test'
import type { KeyRow } from '../../../src/database/contract.ts'
import { failureOf } from './failure.ts'
import { key } from './hashes.ts'
import { readKeys } from './reading.ts'
import type { Signing } from './signing.ts'

const LARGEST = 2n ** 63n - 1n

export function signsKeys(suite: Signing): void {
  describe('the keys', () => {
    const rows: readonly KeyRow[] = [
      { key: key(1), validUntil: null },
      { key: key(2), validUntil: 0n },
      { key: key(3), validUntil: 2_147_483_648n },
      { key: key(4), validUntil: 8_210_266_876_799n },
      { key: key(5), validUntil: 2n ** 53n + 1n },
      { key: key(6), validUntil: LARGEST },
    ]

    suite.signs(
      'come back to the second, the permanent ones as permanent',
      async (database, place) => {
        await database.addKeys(rows)
        expect(await readKeys(database)).toEqual([...rows])
        expect(await database.listKeys(0, 100)).toEqual([...rows])
        const stored = await place.sql(
          `SELECT valid_until FROM ${suite.keys} ORDER BY ${suite.key}`,
        )
        expect(stored.map(([second]) => (second === null ? null : String(second)))).toEqual(
          rows.map((row) => (row.validUntil === null ? null : String(row.validUntil))),
        )
      },
    )

    suite.signs('are listed in order, any part of them', async (database) => {
      await database.addKeys(rows.toReversed())
      expect(await database.listKeys(2, 3)).toEqual(rows.slice(2, 5))
      expect(await database.listKeys(5, 3)).toEqual(rows.slice(5))
      expect(await database.listKeys(6, 3)).toEqual([])
      expect(await database.listKeys(4_294_967_295, 4_294_967_295)).toEqual([])
    })

    suite.signs('that differ only by case are different keys', async (database) => {
      const pair = ['a', 'A'].map((letter) => ({ key: letter.repeat(32), validUntil: null }))
      await database.addKeys(pair)
      expect(await database.listKeys(0, 9)).toEqual(pair.toReversed())
      expect(await database.removeKeys([pair[0]!.key])).toBe(1)
      expect(await database.listKeys(0, 9)).toEqual([pair[1]!])
    })

    suite.signs('are added all or not at all when one exists', async (database) => {
      await database.addKeys([rows[1]!])
      const error = await failureOf(() => database.addKeys([rows[0]!, rows[1]!, rows[2]!]))
      expect(error.fault).toBe('duplicate')
      expect(error.message).not.toContain(key(1))
      expect(await readKeys(database)).toEqual([rows[1]!])
      const twice = await failureOf(() => database.addKeys([rows[3]!, rows[4]!, rows[3]!]))
      expect([twice.fault, twice.message.includes(key(4))]).toEqual(['duplicate', false])
      expect(await readKeys(database)).toEqual([rows[1]!])
    })

    suite.signs(
      'are added all or not at all when the database says no',
      async (database, place) => {
        await suite.forbid(place, suite.keys, suite.key, key(3))
        const error = await failureOf(() => database.addKeys(rows))
        expect(error.fault).toBe('refused')
        for (const row of rows) expect(error.message).not.toContain(row.key)
        expect(await readKeys(database)).toEqual([])
      },
    )

    suite.signs('beyond 64 bits are refused, not cut', async (database) => {
      const row = { key: key(7), validUntil: LARGEST + 1n }
      const error = await failureOf(() => database.addKeys([rows[0]!, row]))
      expect(error.fault).toBe('refused')
      expect(await readKeys(database)).toEqual([])
    })

    suite.signs('are removed by name; unknown ones do not count', async (database) => {
      await database.addKeys(rows)
      expect(await database.removeKeys([key(2), key(9), key(4), key(2)])).toBe(2)
      expect(await database.removeKeys([key(2)])).toBe(0)
      expect((await readKeys(database)).map((row) => row.key)).toEqual([1, 3, 5, 6].map(key))
    })

    suite.signs('named like SQL are only names', async (database) => {
      const odd = 'DROPTABLEkeysSELECTFROMWHEREnull'
      await database.addKeys([rows[0]!, { key: odd, validUntil: null }])
      const tricks = [
        `' OR '1'='1`,
        `'; DROP TABLE ${suite.keys}; --`,
        `\\' OR 1=1 #`,
        '%',
        '_'.repeat(32),
        '0',
        `${key(1)} `,
        key(1).toLowerCase(),
      ]
      expect(await database.removeKeys(tricks)).toBe(0)
      expect((await readKeys(database)).map((row) => row.key)).toEqual([odd, key(1)])
    })

    suite.signs('that ended before a second go, the others stay', async (database, place) => {
      await database.addKeys(rows)
      await suite.insertKey(place, key(7), -60n)
      expect(await database.removeKeysExpiredBefore(0n)).toBe(0)
      expect(await database.removeKeysExpiredBefore(60n)).toBe(1)
      expect(await database.removeKeysExpiredBefore(61n)).toBe(1)
      expect(await database.removeKeysExpiredBefore(8_210_266_876_799n)).toBe(1)
      expect((await readKeys(database)).map((row) => row.key)).toEqual([1, 4, 5, 6].map(key))
      expect(await database.removeKeysExpiredBefore(LARGEST)).toBe(2)
      expect((await readKeys(database)).map((row) => row.key)).toEqual([1, 6].map(key))
    })

    suite.signs('that ended go a bounded number at a time', async (database) => {
      const second = 60n
      const ended = Array.from({ length: 25_000 }, (_, i) => ({ key: key(i), validUntil: 59n }))
      const good = [second, LARGEST, null].map((validUntil, i) => ({
        key: key(25_000 + i),
        validUntil,
      }))
      // Between the others, so that they are met on the way.
      await database.addKeys([good[0]!])
      for (let i = 0; i < ended.length; i += 5_000)
        await database.addKeys(ended.slice(i, i + 5_000))
      await database.addKeys(good.slice(1))
      for (const count of [10_000, 10_000, 5_000, 0])
        expect(await database.removeKeysExpiredBefore(second)).toBe(count)
      expect(await database.listKeys(0, 9)).toEqual(good)
    })

    suite.signs('are read part by part to the end, each once', async (database) => {
      let count = 0
      do {
        const more = Array.from({ length: 4_000 }, (_, i) => ({
          key: key(count + i),
          validUntil: BigInt(count + i),
        }))
        await database.addKeys(more)
        count += more.length
      } while ((await database.readKeys(0n)).next === undefined && count < 200_000)
      const read = await readKeys(database)
      expect(read.length).toBe(count)
      expect(read.every((row, i) => row.key === key(i) && row.validUntil === BigInt(i))).toBe(true)
      const every = read.map((row) => row.key)
      expect(await database.removeKeys(every)).toBe(count)
      expect(await readKeys(database)).toEqual([])
    })

    suite.signs('of other programs that are no valid keys are ignored', async (database, place) => {
      for (const text of ['', 'x'.repeat(31), `${'x'.repeat(31)}-`, `${'x'.repeat(31)}%`])
        await suite.insertKey(place, text, 'NULL')
      await database.addKeys(rows)
      expect(await readKeys(database)).toEqual([...rows])
      expect(await database.listKeys(0, 2)).toEqual(rows.slice(0, 2))
      expect(await database.listKeys(2, 2)).toEqual(rows.slice(2, 4))
    })

    suite.signs(
      'of other programs may have a negative time, whose sign is ignored',
      async (database, place) => {
        await suite.insertKey(place, key(1), -60n)
        await suite.insertKey(place, key(2), -LARGEST)
        await place.sql(
          `INSERT INTO ${suite.keys} (${suite.key}, valid_until) VALUES ('${key(3)}', -9223372036854775807 - 1)`,
        )
        await suite.insertKey(place, key(4), 60n)
        expect(await database.listKeys(0, 2)).toEqual([
          { key: key(1), validUntil: 60n },
          { key: key(2), validUntil: LARGEST },
        ])
        expect((await readKeys(database)).map((row) => row.key)).toContain(key(4))
        expect(await database.removeKeysExpiredBefore(61n)).toBe(2)
      },
    )
  })
}
