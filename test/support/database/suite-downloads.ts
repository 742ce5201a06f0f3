/** The downloads' part of the contract suite. */
import { describe, expect } from 'bun:test'
import { NO_ROW } from '../../../src/database/contract.ts'
import { faultOf } from './failure.ts'
import { hashes, join, texts } from './hashes.ts'
import { newName } from './names.ts'
import type { Signing } from './signing.ts'

const LARGEST = 2n ** 63n - 1n
const now = () => Math.floor(Date.now() / 1_000)

export function signsDownloads(suite: Signing): void {
  describe('the downloads', () => {
    suite.signs('of a torrent grow, and the total with them', async (database, place) => {
      expect(await database.addDownloads(hashes(2), Float64Array.of(1, 5), newName())).toBe(6)
      expect(await database.addDownloads(hashes(2, 2), Float64Array.of(10, 1), newName())).toBe(17)
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
      await database.addDownloads(hashes(3), Float64Array.of(1, 2, 3), newName())
      const question = join(hashes(1, 3), hashes(1, 9), hashes(1, 1), hashes(1, 3))
      expect(await database.downloadsOf(question)).toEqual(Float64Array.of(3, NO_ROW, 1, 3))
      const counts = await database.downloadsOf(hashes(900))
      expect([counts.length, counts[0], counts[2], counts[3]]).toEqual([900, 1, 3, NO_ROW])
    })

    suite.signs('of a torrent that a batch names twice are both added', async (database) => {
      const batch = join(hashes(2), hashes(1), hashes(1))
      expect(await database.addDownloads(batch, Float64Array.of(1, 2, 4, 8), newName())).toBe(15)
      expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(13, 2))
    })

    suite.signs('of 5,000 torrents are added in one call', async (database) => {
      const counts = Float64Array.from({ length: 5_000 }, (_, i) => i)
      const total = (5_000 * 4_999) / 2
      expect(await database.addDownloads(hashes(5_000), counts, newName())).toBe(total)
      expect(await database.addDownloads(hashes(5_000), counts, newName())).toBe(2 * total)
      expect(await database.downloadsOf(hashes(2, 4_998))).toEqual(Float64Array.of(9_994, 9_996))
    })

    suite.signs('may be many', async (database) => {
      const most = 2 ** 53 - 2
      expect(await database.addDownloads(hashes(1), Float64Array.of(most), newName())).toBe(most)
      expect(await database.addDownloads(hashes(1), Float64Array.of(1), newName())).toBe(most + 1)
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
        await database.addDownloads(hashes(1), Float64Array.of(1), newName()).catch((error) => {
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
        await database.addDownloads(three, Float64Array.of(1, 2, 3), newName())
        await database.addDownloads(three, Float64Array.of(1, 2, 3), newName())
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
          await database.addDownloads(hash, Float64Array.of(5), newName())
          expect(await database.downloadsOf(hash)).toEqual(Float64Array.of(52))
          // New completions go to the row that other programs find as well.
          const rows = await place.sql('SELECT completed FROM torrents ORDER BY completed')
          expect(rows.map(([count]) => Number(count))).toEqual([12, 40])
        },
      )

    suite.signs(
      'of a torrent with a row are distinct from those of one without',
      async (database) => {
        await database.addDownloads(hashes(1), Float64Array.of(0), newName())
        expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(0, NO_ROW))
      },
    )

    suite.signs('that others stored as negative are 0', async (database, place) => {
      const [digits] = texts(hashes(1))
      await place.sql(`INSERT INTO torrents (info_hash, completed) VALUES ('${digits}', -5)`)
      expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(0))
      await database.addDownloads(hashes(1), Float64Array.of(2), newName())
      expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(2))
    })

    suite.signs('under one name are added once', async (database) => {
      const { writer } = newName()
      const add = (number: number, count: number) =>
        database.addDownloads(hashes(1), Float64Array.of(count), { writer, number })
      expect(await add(1, 5)).toBe(5)
      expect(await add(1, 5)).toBe(5)
      // Numbers may be left out, and one that is not the last is done as well.
      expect(await add(7, 3)).toBe(8)
      expect(await add(7, 3)).toBe(8)
      expect(await add(6, 100)).toBe(8)
      expect(await add(1, 100)).toBe(8)
      expect(await add(2 ** 53 - 1, 1)).toBe(9)
      expect(await database.downloadsOf(hashes(1))).toEqual(Float64Array.of(9))
    })

    suite.signs('under one name at the same time are added once', async (database, place) => {
      const other = await place.open()
      try {
        const { writer } = newName()
        for (let number = 1; number <= 10; number++) {
          const tries = [database, other, database, other].map((one) =>
            one.addDownloads(hashes(2), Float64Array.of(1, 2), { writer, number }),
          )
          expect(await Promise.all(tries)).toEqual(Array(4).fill(3 * number))
        }
        expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(10, 20))
      } finally {
        await other.close()
      }
    })

    suite.signs('of two writers are all added, each with its own numbers', async (database) => {
      const one = 'a'.repeat(32)
      const other = 'A'.repeat(32)
      const add = (writer: string, number: number, count: number) =>
        database.addDownloads(hashes(1), Float64Array.of(count), { writer, number })
      expect(await add(one, 3, 1)).toBe(1)
      expect(await add(other, 1, 1)).toBe(2)
      expect(await add(other, 2, 1)).toBe(3)
      // What a writer is told is the total of all.
      expect(await add(one, 3, 1)).toBe(3)
      expect(await add(one, 4, 1)).toBe(4)
      expect(await add(other, 2, 1)).toBe(4)
      expect(await add(other, 3, 1)).toBe(5)
    })

    suite.signs('leave a row for each writer, and use up no ids', async (database, place) => {
      for (const [writer, numbers] of [
        ['b'.repeat(32), 5],
        ['c'.repeat(32), 3],
      ] as const)
        for (let number = 1; number <= numbers; number++)
          await database.addDownloads(hashes(1), Float64Array.of(1), { writer, number })
      const rows = await place.sql(
        `SELECT id, writer, batch, seen > ${now() - 600} AND seen < ${now() + 600} FROM tracker_writers ORDER BY id`,
      )
      expect(rows.map((row) => row.map(String))).toEqual([
        ['1', 'b'.repeat(32), '5', expect.stringMatching(/^(1|true)$/)],
        ['2', 'c'.repeat(32), '3', expect.stringMatching(/^(1|true)$/)],
      ])
    })

    suite.signs('of a writer are proven for 30 days after its last', async (database, place) => {
      const names = [newName(), newName(), newName()]
      for (const name of names) await database.addDownloads(hashes(1), Float64Array.of(1), name)
      const [ended, recent, last] = names.map(({ writer }) => writer)
      const daysAgo = (days: number, writer: string) =>
        place.sql(
          `UPDATE tracker_writers SET seen = seen - ${days * 86_400} WHERE writer = '${writer}'`,
        )
      await daysAgo(31, ended!)
      await daysAgo(29, recent!)
      await database.close()
      const again = await place.open()
      try {
        const rows = await place.sql('SELECT writer FROM tracker_writers ORDER BY id')
        expect(rows.map(([writer]) => writer)).toEqual([recent, last])
        // One that comes back all the same begins anew.
        const name = { writer: ended!, number: 2 }
        for (const total of [4, 4])
          expect(await again.addDownloads(hashes(1), Float64Array.of(1), name)).toBe(total)
      } finally {
        await again.close()
      }
    })

    suite.signs('are added whole or not at all', async (database, place) => {
      await database.addDownloads(hashes(2), Float64Array.of(1, 1), newName())
      await suite.forbid(place, 'torrents', 'info_hash', texts(hashes(1, 4_900))[0]!)
      const name = newName()
      const batch = () =>
        database.addDownloads(hashes(5_000), new Float64Array(5_000).fill(1), name)
      expect(await faultOf(batch)).toBe('refused')
      expect(await database.downloadsOf(hashes(3))).toEqual(Float64Array.of(1, 1, NO_ROW))
      expect(await database.downloadsTotal()).toBe(2)
      // Its name is not taken either.
      expect(await database.addDownloads(hashes(1), Float64Array.of(1), name)).toBe(3)
    })

    suite.signs('of torrents are not added without their total', async (database, place) => {
      await place.sql('DROP TABLE torrent_aggregate_metrics')
      const add = () => database.addDownloads(hashes(2), Float64Array.of(1, 1), newName())
      expect(await faultOf(add)).toBe('refused')
      expect(await database.downloadsOf(hashes(2))).toEqual(Float64Array.of(NO_ROW, NO_ROW))
    })

    suite.signs('total comes back when its row is deleted', async (database, place) => {
      await database.addDownloads(hashes(1), Float64Array.of(1), newName())
      await place.sql('DELETE FROM torrent_aggregate_metrics')
      expect(await database.downloadsTotal()).toBe(0)
      expect(await database.addDownloads(hashes(1), Float64Array.of(2), newName())).toBe(2)
      expect(await database.downloadsTotal()).toBe(2)
    })

    suite.signs('total begins with the sum of the stored counts', async (database, place) => {
      await database.addDownloads(hashes(3), Float64Array.of(1, 2, 4), newName())
      await database.close()
      await place.sql('DELETE FROM torrent_aggregate_metrics')
      const [digits] = texts(hashes(1, 9))
      await place.sql(`INSERT INTO torrents (info_hash, completed) VALUES ('${digits}', -5)`)
      const again = await place.open()
      expect(await again.downloadsTotal()).toBe(7)
      await again.close()
    })

    suite.signs('total that exists is left alone', async (database, place) => {
      await database.addDownloads(hashes(3), Float64Array.of(1, 2, 4), newName())
      await database.close()
      await place.sql('UPDATE torrent_aggregate_metrics SET value = 1000')
      const again = await place.open()
      expect(await again.downloadsTotal()).toBe(1_000)
      await again.close()
    })
  })
}
