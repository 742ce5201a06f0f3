/** The whitelist's part of the contract suite. */
import { describe, expect } from 'bun:test'
import type { Database } from '../../../src/database/contract.ts'
import { faultOf } from './failure.ts'
import { hashes, join, texts } from './hashes.ts'
import { readHashes, readParts } from './reading.ts'
import type { Signing } from './signing.ts'

export function signsWhitelist(suite: Signing): void {
  describe('the whitelist', () => {
    suite.signs('holds what was added, once', async (database) => {
      await database.addToWhitelist(hashes(1, 5))
      await database.addToWhitelist(join(hashes(3, 4), hashes(2, 4)))
      expect(await readHashes(database)).toEqual(texts(hashes(3, 4)))
    })

    suite.signs('is stored as lower-case hex digits', async (database, place) => {
      await database.addToWhitelist(Uint8Array.fromHex(`${'0123456789ABCDEF'.repeat(2)}abcdef01`))
      const [row] = await place.sql('SELECT info_hash FROM whitelist')
      expect(row).toEqual([`${'0123456789abcdef'.repeat(2)}abcdef01`])
    })

    suite.signs(
      'loses the removed hashes; absent and repeated ones may be among them',
      async (database) => {
        await database.addToWhitelist(hashes(10))
        await database.removeFromWhitelist(join(hashes(2, 4), hashes(1, 99), hashes(1, 4)))
        await database.removeFromWhitelist(hashes(2, 4))
        expect(await readHashes(database)).toEqual(texts(join(hashes(3, 1), hashes(5, 6))))
      },
    )

    suite.signs('is listed in order, any part of it', async (database) => {
      await database.addToWhitelist(join(hashes(5, 6), hashes(5, 1)))
      expect(await database.listWhitelist(0, 100)).toEqual(hashes(10))
      expect(await database.listWhitelist(3, 4)).toEqual(hashes(4, 4))
      expect(await database.listWhitelist(9, 4)).toEqual(hashes(1, 10))
      expect(await database.listWhitelist(10, 4)).toEqual(new Uint8Array(0))
      expect(await database.listWhitelist(4_294_967_295, 4_294_967_295)).toEqual(new Uint8Array(0))
    })

    suite.signs('is read part by part to the end, each hash once', async (database) => {
      const count = await growUntilTwoParts(database)
      expect(await readHashes(database)).toEqual(texts(hashes(count)))
      expect(await database.listWhitelist(count - 2, 9)).toEqual(hashes(2, count - 1))
      await database.removeFromWhitelist(hashes(count))
      expect(await readHashes(database)).toEqual([])
    })

    suite.signs('is read whole while others add and remove', async (database) => {
      const count = await growUntilTwoParts(database)
      const first = await database.readWhitelist(0n)
      // Some from the first part and some from the parts that follow.
      await database.removeFromWhitelist(join(hashes(10, 1), hashes(10, count - 9)))
      await database.addToWhitelist(hashes(10, count + 1))
      const rest = await readParts((from) => database.readWhitelist(from), first.next)
      const seen = texts(join(first.rows, ...rest))
      const once = new Set(seen)
      expect(once.size).toBe(seen.length)
      // Those that were there all the time.
      expect(texts(hashes(count - 20, 11)).filter((text) => !once.has(text))).toEqual([])
    })

    suite.signs('ignores rows that are no info hash', async (database, place) => {
      const digits = texts(hashes(3))
      for (const text of ['', digits[0]!.slice(1), `g${digits[0]!.slice(1)}`, 'not a hash'])
        await suite.insertHash(place, text)
      await database.addToWhitelist(hashes(3))
      await suite.insertHash(place, ` ${digits[0]!.slice(1)}`)
      expect(await readHashes(database)).toEqual(digits)
      expect(await database.listWhitelist(0, 2)).toEqual(hashes(2))
      expect(await database.listWhitelist(2, 2)).toEqual(hashes(1, 3))
    })

    suite.signs('is read on past any number of such rows', async (database, place) => {
      for (let i = 0; i < 30; i++) {
        const rows = Array.from({ length: 1_000 }, (_, j) => `('no hash ${i * 1_000 + j}')`)
        await place.sql(`INSERT INTO whitelist (info_hash) VALUES ${rows.join(',')}`)
      }
      await database.addToWhitelist(hashes(1))
      expect(await readHashes(database)).toEqual(texts(hashes(1)))
    })

    suite.signs(
      'knows and removes a hash that another program wrote in capitals',
      async (database, place) => {
        const [digits] = texts(hashes(1, 0xabcdef))
        await suite.insertHash(place, digits!.toUpperCase())
        expect(await readHashes(database)).toEqual([digits!])
        expect(await database.listWhitelist(0, 1)).toEqual(hashes(1, 0xabcdef))
        await database.removeFromWhitelist(hashes(1, 0xabcdef))
        expect(await readHashes(database)).toEqual([])
      },
    )

    suite.signs(
      'holds a hash once that another program wrote in capitals and in small letters',
      async (database, place) => {
        const [digits] = texts(hashes(1, 0xabcdef))
        await suite.insertHash(place, digits!.toUpperCase())
        await database.addToWhitelist(join(hashes(1, 0xabcdef), hashes(1)))
        const rows = await place.sql('SELECT info_hash FROM whitelist ORDER BY id')
        expect(rows).toEqual([[digits!.toUpperCase()], [texts(hashes(1))[0]]])
        // On MySQL the column holds no two such rows.
        if (suite.driver !== 'mysql') await suite.insertHash(place, digits!)
        expect(await database.listWhitelist(0, 9)).toEqual(join(hashes(1), hashes(1, 0xabcdef)))
        await database.removeFromWhitelist(hashes(1, 0xabcdef))
        expect(await readHashes(database)).toEqual(texts(hashes(1)))
      },
    )

    suite.signs('takes all of a batch or nothing of it', async (database, place) => {
      await database.addToWhitelist(hashes(1))
      await suite.forbid(place, 'whitelist', 'info_hash', texts(hashes(1, 4_999))[0]!)
      expect(await faultOf(() => database.addToWhitelist(hashes(5_000)))).toBe('refused')
      expect(await readHashes(database)).toEqual(texts(hashes(1)))
      await database.addToWhitelist(hashes(4_998))
      expect((await readHashes(database)).length).toBe(4_998)
    })
  })
}

/** Whitelists ever more hashes, numbered from 1, until a driver no longer reads them at one go. How many. */
async function growUntilTwoParts(database: Database): Promise<number> {
  let count = 0
  do {
    await database.addToWhitelist(hashes(4_000, count + 1))
    count += 4_000
  } while ((await database.readWhitelist(0n)).next === undefined && count < 200_000)
  return count
}
