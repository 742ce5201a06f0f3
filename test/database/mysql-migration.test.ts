/** Migration of old tables on MySQL or MariaDB, in place (docs/behaviours.md D3), and peculiarities of these servers. */
import { describe, expect, test } from 'bun:test'
import { hashes, key } from '../support/database/hashes.ts'
import { migratesOldTables } from '../support/database/migration.ts'
import { ServerPlace, skipReason, testServer } from '../support/database/servers.ts'

const server = testServer('mysql')

describe.skipIf(!server)(server ? 'with a server' : skipReason('mysql'), () => {
  migratesOldTables('mysql', () => ServerPlace.on(server!))

  test('rows whose text is no valid key stay', async () => {
    await using place = await ServerPlace.on(server!)
    await place.sql(
      'CREATE TABLE `keys` (id INT PRIMARY KEY AUTO_INCREMENT, `key` VARCHAR(32) CHARACTER SET utf8mb4 NOT NULL UNIQUE, valid_until INT)',
    )
    await place.sql(`INSERT INTO \`keys\` VALUES (1, '\u{1f511} ключ', 5), (2, '${key(1)}', 6)`)
    const database = await place.open()
    expect(await database.listKeys(0, 9)).toEqual([{ key: key(1), validUntil: 6n }])
    await database.addKeys([{ key: key(1).toLowerCase(), validUntil: null }])
    expect((await database.listKeys(0, 9)).length).toBe(2)
    await database.close()
    expect(await place.sql('SELECT `key` FROM `keys` WHERE id = 1')).toEqual([['\u{1f511} ключ']])
  })

  test('tables without transactions get them', async () => {
    await using place = await ServerPlace.on(server!)
    await place.sql(
      'CREATE TABLE torrents (id INT PRIMARY KEY AUTO_INCREMENT, info_hash VARCHAR(40) NOT NULL UNIQUE, completed INT NOT NULL DEFAULT 0) ENGINE = MyISAM',
    )
    await place.sql(`INSERT INTO torrents VALUES (5, '${hashes(1).toHex()}', 7)`)
    const database = await place.open()
    expect(await database.downloadsTotal()).toBe(7)
    await database.close()
    expect(
      await place.sql(
        'SELECT DISTINCT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()',
      ),
    ).toEqual([['InnoDB']])
    expect((await place.sql('SELECT id FROM torrents'))[0]).toEqual([5])
  })
})
