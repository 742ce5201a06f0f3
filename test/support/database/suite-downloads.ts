/** The downloads' part of the contract suite. */
import { describe, expect } from 'bun:test'
import { NO_ROW } from '../../../src/database/contract.ts'
import { faultOf } from './failure.ts'
import { hashes, join, texts } from './hashes.ts'
import type { Signing } from './signing.ts'

const LARGEST = 2n ** 63n - 1n

export function signsDownloads(suite: Signing): void {
  describe('the downloads', () => {
    suite.signs('of a torrent grow, and the total with them', async (database, place) => {
      expect(await database.addDownloads(hashes(2), Float64Array.of(1, 5))).toBe(6)
      expect(await database.addDownloads(hashes(2, 2), Float64Array.of(10, 1))).toBe(17)
      expect(await database.downloadsOf(hashes(4))).toEqual(Float64Array.of(1, 15, 1, NO_ROW))
      expect(await database.downloadsTotal()).toBe(17)
      const [row] = await place.sql('SELECT info_hash FROM torrents ORDER BY info_hash')
      expect(row).toEqual([texts(hashes(1))[0]!])
      const [total] = await place.sql(
        "SELECT value FROM torrent_aggregate_metrics WHERE metric_name = 'torrents_downloads_total'",
      )
      expect(String(total![0])).toBe('17')
    })

    suite.signs('come in the order of the request, repetitions repeated', async (database) => {
      await database.addDownloads(hashes(3), Float64Array.of(1, 2, 3))
      const question = join(hashes(1, 3), hashes(1, 9), hashes(1, 1), hashes(1, 3))
      expect(await database.downloadsOf(question)).toEqual(Float64Array.of(3, NO_ROW, 1, 3))
      const counts = await database.downloadsOf(hashes(900))
      expect([counts.length, counts[0], counts[2], counts[3]]).toEqual([900, 1, 3, NO_ROW])
    })

    suite.signs('of a torrent that a batch names twice are both added', async (database) => {
      const batch = join(hashes(2), hashes(1), hashes(1))
      expect(await database.addDownloads(batch, Float64Array.of(1, 2, 4, 8))).toBe(15)
      expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(13, 2))
    })

    suite.signs('of 5,000 torrents are added in one call', async (database) => {
      const counts = Float64Array.from({ length: 5_000 }, (_, i) => i)
      const total = (5_000 * 4_999) / 2
      expect(await database.addDownloads(hashes(5_000), counts)).toBe(total)
      expect(await database.addDownloads(hashes(5_000), counts)).toBe(2 * total)
      expect(await database.downloadsOf(hashes(2, 4_998))).toEqual(Float64Array.of(9_994, 9_996))
    })

    suite.signs('may be many', async (database) => {
      const most = 2 ** 53 - 2
      expect(await database.addDownloads(hashes(1), Float64Array.of(most))).toBe(most)
      expect(await database.addDownloads(hashes(1), Float64Array.of(1))).toBe(most + 1)
      expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(most + 1))
    })

    suite.signs(
      'stored at the end of 64 bits are read, and never fall',
      async (database, place) => {
        const [digits] = texts(hashes(1))
        await place.sql(
          `INSERT INTO torrents (info_hash, completed) VALUES ('${digits}', ${LARGEST})`,
        )
        expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(Number(LARGEST)))
        // To refuse and to stay at the end are both right.
        await database.addDownloads(hashes(1), Float64Array.of(1)).catch((error) => {
          expect(error.fault).toBe('refused')
        })
        const [row] = await place.sql('SELECT completed FROM torrents')
        expect(String(row![0])).toBe(String(LARGEST))
      },
    )

    suite.signs(
      'stored under a hash in capitals are of the same torrent',
      async (database, place) => {
        const [one, two] = [hashes(1, 0xabcdef), hashes(1, 0xfedcba)]
        const capitals = texts(join(one, two)).map((text) => text.toUpperCase())
        for (const text of capitals)
          await place.sql(`INSERT INTO torrents (info_hash, completed) VALUES ('${text}', 40)`)
        expect(await database.downloadsOf(join(one, two))).toEqual(Float64Array.of(40, 40))
        // Beside a new one: no torrent gets a second row.
        const three = join(one, hashes(1, 0xaaaaaa), two)
        await database.addDownloads(three, Float64Array.of(1, 2, 3))
        await database.addDownloads(three, Float64Array.of(1, 2, 3))
        expect(await database.downloadsOf(three)).toEqual(Float64Array.of(42, 4, 46))
        const rows = await place.sql('SELECT info_hash, completed FROM torrents ORDER BY completed')
        expect(rows.map(([hash, count]) => [hash, Number(count)])).toEqual([
          [texts(hashes(1, 0xaaaaaa))[0], 4],
          [capitals[0], 42],
          [capitals[1], 46],
        ])
      },
    )

    // Trackers that did not know the first row have counted into the second from 0 on. On MySQL the column
    // holds no two such rows.
    if (suite.driver !== 'mysql')
      suite.signs(
        'stored in two rows that differ by case are added up',
        async (database, place) => {
          const hash = hashes(1, 0xabcdef)
          const [digits] = texts(hash)
          for (const [text, count] of [
            [digits!.toUpperCase(), 40],
            [digits!, 7],
          ])
            await place.sql(
              `INSERT INTO torrents (info_hash, completed) VALUES ('${text}', ${count})`,
            )
          expect(await database.downloadsOf(hash)).toEqual(Float64Array.of(47))
          await database.addDownloads(hash, Float64Array.of(5))
          expect(await database.downloadsOf(hash)).toEqual(Float64Array.of(52))
          // New completions go to the row that other programs find as well.
          const rows = await place.sql('SELECT completed FROM torrents ORDER BY completed')
          expect(rows.map(([count]) => Number(count))).toEqual([12, 40])
        },
      )

    suite.signs(
      'of a torrent with a row are distinct from those of one without',
      async (database) => {
        await database.addDownloads(hashes(1), Float64Array.of(0))
        expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(0, NO_ROW))
      },
    )

    suite.signs('that others stored as negative are 0', async (database, place) => {
      const [digits] = texts(hashes(1))
      await place.sql(`INSERT INTO torrents (info_hash, completed) VALUES ('${digits}', -5)`)
      expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(0))
      await database.addDownloads(hashes(1), Float64Array.of(2))
      expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(2))
    })

    suite.signs('are added once when an earlier try is proven by the total', async (database) => {
      expect(await database.addDownloads(hashes(1), Float64Array.of(5))).toBe(5)
      // That try's answer was lost; it would have left 5.
      expect(await database.addDownloads(hashes(1), Float64Array.of(5), 5)).toBe(5)
      expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(5))
      // Another try that never arrived would have left 8.
      expect(await database.addDownloads(hashes(1), Float64Array.of(3), 8)).toBe(8)
      expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(8))
      expect(await database.addDownloads(hashes(1), Float64Array.of(3), 8)).toBe(8)
      expect(await database.downloadsTotal()).toBe(8)
    })

    suite.signs('are added whole or not at all', async (database, place) => {
      await database.addDownloads(hashes(2), Float64Array.of(1, 1))
      await suite.forbid(place, 'torrents', 'info_hash', texts(hashes(1, 4_900))[0]!)
      const batch = () => database.addDownloads(hashes(5_000), new Float64Array(5_000).fill(1))
      expect(await faultOf(batch)).toBe('refused')
      expect(await database.downloadsOf(hashes(3))).toEqual(Float64Array.of(1, 1, NO_ROW))
      expect(await database.downloadsTotal()).toBe(2)
    })

    suite.signs('of torrents are not added without their total', async (database, place) => {
      await place.sql('DROP TABLE torrent_aggregate_metrics')
      const add = () => database.addDownloads(hashes(2), Float64Array.of(1, 1))
      expect(await faultOf(add)).toBe('refused')
      expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(NO_ROW, NO_ROW))
    })

    suite.signs('total comes back when its row is deleted', async (database, place) => {
      await database.addDownloads(hashes(1), Float64Array.of(1))
      await place.sql('DELETE FROM torrent_aggregate_metrics')
      expect(await database.downloadsTotal()).toBe(0)
      expect(await database.addDownloads(hashes(1), Float64Array.of(2))).toBe(2)
      expect(await database.downloadsTotal()).toBe(2)
    })

    suite.signs('total begins with the sum of the stored counts', async (database, place) => {
      await database.addDownloads(hashes(3), Float64Array.of(1, 2, 4))
      await database.close()
      await place.sql('DELETE FROM torrent_aggregate_metrics')
      const [digits] = texts(hashes(1, 9))
      await place.sql(`INSERT INTO torrents (info_hash, completed) VALUES ('${digits}', -5)`)
      const again = await place.open()
      expect(await again.downloadsTotal()).toBe(7)
      await again.close()
    })

    suite.signs('total that exists is left alone', async (database, place) => {
      await database.addDownloads(hashes(3), Float64Array.of(1, 2, 4))
      await database.close()
      await place.sql('UPDATE torrent_aggregate_metrics SET value = 1000')
      const again = await place.open()
      expect(await again.downloadsTotal()).toBe(1_000)
      await again.close()
    })
  })
}
