/** The MySQL driver on a real server (MySQL or MariaDB): the contract, and peculiarities of these servers. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { openMysql } from '../../src/database/mysql.ts'
import { hashes, key } from '../support/database/hashes.ts'
import { migratesOldTables } from '../support/database/migration.ts'
import { newName } from '../support/database/names.ts'
import { survivesAccountingFaults } from '../support/database/server-accounting-faults.ts'
import { survivesFaults } from '../support/database/server-faults.ts'
import { PrivateServer, ServerPlace, skipReason, testServer } from '../support/database/servers.ts'
import { signsContract } from '../support/database/suite.ts'

const server = testServer('mysql')

describe.skipIf(!server)(server ? 'with a server' : skipReason('mysql'), () => {
  signsContract('mysql', 'mysql', () => ServerPlace.on(server!))
  if (server) survivesFaults(server)
  if (server) survivesAccountingFaults(server)

  test('ids that run out are not taken for a duplicate key', async () => {
    await using place = await ServerPlace.on(server!)
    const database = await place.open()
    await place.sql('INSERT INTO torrents (id, info_hash) VALUES (2147483647, "x")')
    await expect(
      database.addDownloads(hashes(1), Float64Array.of(1), newName()),
    ).rejects.toMatchObject({
      fault: 'refused',
    })
    await database.close()
  })
})

describe.skipIf(!server)(server ? 'with odd defaults' : skipReason('mysql'), () => {
  let odd: PrivateServer
  beforeAll(async () => {
    odd = await PrivateServer.start(server!, [
      '--encrypted',
      '--sql-mode=ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,NO_UNSIGNED_SUBTRACTION',
      '--autocommit=0',
      '--transaction-isolation=SERIALIZABLE',
      '--default-storage-engine=MyISAM',
      '--character-set-server=latin1',
      '--collation-server=latin1_german1_ci',
      '--skip-character-set-client-handshake',
      '--log-bin',
      '--binlog-format=STATEMENT',
    ])
  })
  afterAll(() => odd[Symbol.asyncDispose]())

  signsContract('mysql with odd defaults', 'mysql', () => ServerPlace.on(odd.config))

  test('the defaults are odd, and nothing depends on them', async () => {
    await using place = await ServerPlace.on(odd.config)
    const [defaults] = await place.sql(
      'SELECT @@GLOBAL.autocommit, @@GLOBAL.sql_mode, @@GLOBAL.binlog_format, @@character_set_results',
    )
    expect(defaults).toEqual(['0', expect.stringContaining('NO_BACKSLASH'), 'STATEMENT', 'latin1'])
    const database = await place.open()
    expect(await database.downloadsTotal()).toBe(0)
    // Reads see the present rows, not those of the connection's first read.
    await place.sql('UPDATE torrent_aggregate_metrics SET value = 9')
    expect(await database.downloadsTotal()).toBe(9)
    // A statement outside a transaction is committed.
    await database.addKeys([{ key: key(1), validUntil: 1n }])
    expect(await database.removeKeysExpiredBefore(9n)).toBe(1)
    expect(await place.sql('SELECT COUNT(*) FROM `keys`')).toEqual([['0']])
    await database.close()
  })

  test('connections are encrypted where the server can', async () => {
    await using place = await ServerPlace.on(odd.config)
    await place.sql(`CREATE USER secret IDENTIFIED BY 'only over TLS' REQUIRE SSL`)
    await place.sql('GRANT ALL ON *.* TO secret')
    const database = await openMysql({
      ...place.config,
      driver: 'mysql',
      user: 'secret',
      password: 'only over TLS',
    })
    await database.ping()
    await database.close()
  })
})

describe.skipIf(!server)(server ? 'with tables of the reference' : skipReason('mysql'), () => {
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

  test('a user who may not make tables can use those of accounting', async () => {
    await using place = await ServerPlace.on(server!)
    const first = await place.open()
    const { secret } = await first.accounting.open()
    await first.close()
    const user = `u_${place.config.database.slice(-12)}`
    await place.sql(`CREATE USER ${user} IDENTIFIED BY 'no tables'`)
    const rights = 'SELECT, INSERT, UPDATE, DELETE'
    await place.sql(`GRANT ${rights} ON ${place.config.database}.* TO ${user}`)
    const database = await openMysql({
      ...place.config,
      driver: 'mysql',
      user,
      password: 'no tables',
    })
    expect((await database.accounting.open()).secret).toEqual(secret)
    await database.close()
    await place.sql(`DROP USER ${user}`)
  })

  // The comparison of two columns with different collations is an error.
  test.each([
    'CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci',
    'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
    'CHARACTER SET latin1 COLLATE latin1_general_cs',
    'CHARACTER SET ascii COLLATE ascii_bin',
  ])('N27: keys in %s are joined with their accounts', async (collation) => {
    await using place = await ServerPlace.on(server!)
    const keys = (options: string) => `\`key\` VARCHAR(32) ${options} NOT NULL`
    await place.sql(
      `CREATE TABLE \`keys\` (id INT PRIMARY KEY AUTO_INCREMENT, ${keys(collation)} UNIQUE, valid_until BIGINT)`,
    )
    await place.sql(`INSERT INTO \`keys\` (\`key\`) VALUES ('${key(1)}')`)
    const joined = async (adopted: number) => {
      const database = await place.open()
      const { accounting } = database
      await accounting.open()
      expect(await accounting.adoptKeys()).toBe(adopted)
      expect((await accounting.readKeys(0n)).rows).toEqual([
        { key: key(1), validUntil: null, account: 1, userId: null },
      ])
      expect(await accounting.purge({ sessions: 0, flags: 0, tokens: 0 })).toBe(0)
      await database.close()
    }
    await joined(1)
    // Another program changes it meanwhile.
    await place.sql(
      `ALTER TABLE \`keys\` MODIFY ${keys('CHARACTER SET latin2 COLLATE latin2_czech_cs')}`,
    )
    await joined(0)
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
