/** The part of the contract suite about a database as a whole. */
import { describe, expect } from 'bun:test'
import { type Database, DRIVER_NAMES, NO_ROW } from '../../../src/database/contract.ts'
import { dice, seed } from '../random.ts'
import { failureOf, faultOf } from './failure.ts'
import { hashes, join, key, texts } from './hashes.ts'
import { newName } from './names.ts'
import { readHashes, readKeys } from './reading.ts'
import type { Signing } from './signing.ts'

export function signsWhole(suite: Signing): void {
  describe('the whole', () => {
    suite.signs('answers, and names itself', async (database) => {
      await database.ping()
      expect(database.about).toStartWith(suite.driver)
    })

    suite.signs('is empty when it is new', async (database) => {
      expect(await database.readWhitelist(0n)).toEqual({
        rows: new Uint8Array(0),
        next: undefined,
      })
      expect(await database.readKeys(0n)).toEqual({ rows: [], next: undefined })
      expect(await database.listWhitelist(0, 10)).toEqual(new Uint8Array(0))
      expect(await database.listKeys(0, 10)).toEqual([])
      expect(await database.downloadsTotal()).toBe(0)
      expect(await database.downloadsOf(hashes(3))).toEqual(new Float64Array(3).fill(NO_ROW))
    })

    suite.signs('every method accepts empty input', async (database) => {
      const none = new Uint8Array(0)
      await database.addToWhitelist(none)
      await database.removeFromWhitelist(none)
      await database.addKeys([])
      expect(await database.removeKeys([])).toBe(0)
      expect(await database.removeKeysExpiredBefore(0n)).toBe(0)
      expect(await database.downloadsOf(none)).toEqual(new Float64Array(0))
      expect(await database.addDownloads(none, new Float64Array(0), newName())).toBe(0)
      expect(await database.listWhitelist(0, 0)).toEqual(none)
      expect(await database.listKeys(0, 0)).toEqual([])
    })

    suite.signs('keeps everything when it is closed and opened again', async (database, place) => {
      await database.addToWhitelist(hashes(2))
      await database.addKeys([{ key: key(1), validUntil: 60n }])
      await database.addDownloads(hashes(2), Float64Array.of(3, 4), newName())
      await database.close()
      const again = await place.open()
      try {
        expect(await readHashes(again)).toEqual(texts(hashes(2)))
        expect(await again.listKeys(0, 9)).toEqual([{ key: key(1), validUntil: 60n }])
        expect(await again.downloadsOf(hashes(2))).toEqual(Float64Array.of(3, 4))
        expect(await again.downloadsTotal()).toBe(7)
      } finally {
        await again.close()
      }
    })

    suite.signs(
      'two that are open at once see each other, and both write',
      async (database, place) => {
        const other = await place.open()
        try {
          const rounds = Array.from({ length: 20 }, (_, i) => [
            database.addDownloads(hashes(3), Float64Array.of(1, 1, 1), newName()),
            other.addDownloads(hashes(3), Float64Array.of(1, 1, 1), newName()),
            (i % 2 ? database : other).addToWhitelist(hashes(2, 1 + i)),
          ])
          await Promise.all(rounds.flat())
          expect(await database.downloadsOf(hashes(3))).toEqual(Float64Array.of(40, 40, 40))
          expect(await other.downloadsTotal()).toBe(120)
          expect(await readHashes(other)).toEqual(texts(hashes(21)))
        } finally {
          await other.close()
        }
      },
    )

    suite.signs(
      `many calls at once are all done, none of them mixed up (SEED=${seed})`,
      async (database) => {
        const roll = dice()
        const added = new Float64Array(50)
        const work: Promise<unknown>[] = []
        let total = 0
        for (let i = 0; i < 150; i++) {
          // The same torrents in ever different orders: that makes servers deadlock.
          const chosen = Array.from({ length: 10 }, () => roll(50))
          for (const torrent of chosen) added[torrent]! += i
          total += 10 * i
          work.push(
            database.addDownloads(
              join(...chosen.map((torrent) => hashes(1, 1 + torrent))),
              new Float64Array(10).fill(i),
              newName(),
            ),
            database.addKeys([{ key: key(i), validUntil: BigInt(i) }]),
            database.addToWhitelist(hashes(5, 1 + i)),
            database.readWhitelist(0n),
            database.listKeys(0, 5),
          )
          // So many that they meet, and not more than a busy machine does within the time of one call.
          if (i % 10 === 9) await Promise.all(work.splice(0))
        }
        expect(await database.downloadsTotal()).toBe(total)
        expect(await database.downloadsOf(hashes(50))).toEqual(added)
        expect((await readKeys(database)).length).toBe(150)
        expect(await readHashes(database)).toEqual(texts(hashes(154)))
      },
    )

    suite.signs('rejects every call once it is closed', async (database) => {
      await database.close()
      await database.close()
      for (const call of [() => database.ping(), ...everyCall(database)])
        expect(await faultOf(call)).toBe('unreachable')
    })

    suite.signs('has the known words for tables that are gone', async (database, place) => {
      for (const table of ['whitelist', 'torrents', suite.keys, 'torrent_aggregate_metrics'])
        await place.sql(`DROP TABLE ${table}`)
      for (const call of everyCall(database)) {
        const error = await failureOf(call)
        expect([error.fault, error.message]).toEqual([
          'refused',
          expect.stringContaining(`The ${DRIVER_NAMES[suite.driver]} query was malformed: `),
        ])
        expect(error.message).not.toContain(key(1))
      }
      await database.ping()
    })
  })
}

/** Every call that needs a table, with something to do for each. */
const everyCall = (database: Database): (() => Promise<unknown>)[] => [
  () => database.readWhitelist(0n),
  () => database.listWhitelist(0, 9),
  () => database.addToWhitelist(hashes(1)),
  () => database.removeFromWhitelist(hashes(1)),
  () => database.readKeys(0n),
  () => database.listKeys(0, 9),
  () => database.addKeys([{ key: key(1), validUntil: null }]),
  () => database.removeKeys([key(1)]),
  () => database.removeKeysExpiredBefore(60n),
  () => database.downloadsOf(hashes(1)),
  () => database.downloadsTotal(),
  () => database.addDownloads(hashes(1), Float64Array.of(1), newName()),
]
