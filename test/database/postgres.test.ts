/** The PostgreSQL driver on a real server: the contract, and peculiarities of this server. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { openPostgres } from '../../src/database/postgres.ts'
import { migratesOldTables } from '../support/database/migration.ts'
import { survivesAccountingFaults } from '../support/database/server-accounting-faults.ts'
import { survivesFaults } from '../support/database/server-faults.ts'
import {
  PrivateServer,
  type ServerConfig,
  ServerPlace,
  skipReason,
  testServer,
} from '../support/database/servers.ts'
import { signsContract } from '../support/database/suite.ts'

const server = testServer('postgresql')

test('PgBouncer can stand in between: no start of a session has options, which it refuses', async () => {
  const REFUSAL = 'SFATAL\0C08P01\0Menough\0\0'
  let started = ''
  using proxy = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket, bytes) {
        // First it asks for encryption.
        if (bytes.length === 8) socket.write('N')
        else {
          started += bytes.toString()
          socket.write(`E\0\0\0${String.fromCharCode(4 + REFUSAL.length)}${REFUSAL}`)
        }
      },
    },
  })
  const { port } = proxy
  const account = { host: '127.0.0.1', port, user: 'tracker', password: '', database: 'some' }
  await expect(openPostgres({ driver: 'postgresql', ...account })).rejects.toThrow('enough')
  expect(started).toContain('application_name')
  expect(started).not.toContain('options')
})

describe.skipIf(!server)(server ? 'with a server' : skipReason('postgresql'), () => {
  signsContract('postgresql', 'postgresql', () => ServerPlace.on(server!))
  if (server) survivesFaults(server)
  if (server) survivesAccountingFaults(server)

  describe('no variable of the environment', () => {
    /** The output of a program that opens the database in such an environment. */
    const openIn = async (environment: Record<string, string>, config: ServerConfig) => {
      const opener = Bun.spawn(
        [process.execPath, join(import.meta.dir, '../support/database/opener.ts')],
        {
          stdin: new Blob([JSON.stringify(config)]),
          stdout: 'pipe',
          env: { PATH: process.env.PATH, ...environment },
        },
      )
      return (await opener.stdout.text()).trim()
    }

    test('changes where or how it connects', async () => {
      await using place = await ServerPlace.on(server!)
      const elsewhere = 'postgres://somebody:else@192.0.2.1:9/nothing?sslmode=verify-full'
      const environment = {
        DATABASE_URL: elsewhere,
        POSTGRES_URL: elsewhere,
        PGURL: elsewhere,
        PG_URL: elsewhere,
        TLS_DATABASE_URL: elsewhere,
        TLS_POSTGRES_DATABASE_URL: elsewhere,
        PGHOST: '192.0.2.1',
        PGPORT: '9',
        PGUSER: 'somebody',
        PGUSERNAME: 'somebody',
        PGPASSWORD: 'else',
        PGDATABASE: 'nothing',
        PGSSLMODE: 'verify-full',
        PGCHANNELBINDING: 'require',
        PGAPPNAME: 'nothing',
        PGOPTIONS: '-c search_path=nowhere -c default_transaction_read_only=on',
      }
      expect(await openIn(environment, place.config)).toBe('7')
    })

    test('lends a password', async () => {
      await using place = await ServerPlace.on(server!)
      const { password } = place.config
      const said = await openIn({ PGPASSWORD: password }, { ...place.config, password: '' })
      expect(said).toContain('authentication failed for user')
    })
  })
})

describe.skipIf(!server)(server ? 'with odd defaults' : skipReason('postgresql'), () => {
  signsContract('postgresql with odd defaults', 'postgresql', () =>
    ServerPlace.on(
      server!,
      `TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'
        LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR-u-ks-level1'`,
      [
        'default_transaction_isolation = serializable',
        'standard_conforming_strings = off',
        `client_encoding = 'LATIN1'`,
        'statement_timeout = 20',
        'lock_timeout = 20',
        'enable_indexscan = off',
      ],
    ),
  )
})

describe.skipIf(!server)(server ? 'with a server that encrypts' : skipReason('postgresql'), () => {
  let own: PrivateServer
  beforeAll(async () => {
    own = await PrivateServer.start(server!, ['--encrypted'])
  })
  afterAll(() => own[Symbol.asyncDispose]())

  test('connections are encrypted', async () => {
    await using place = await ServerPlace.on(own.config)
    const database = await place.open()
    await database.ping()
    expect(
      await place.sql(`SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE datname = '${place.config.database}' AND application_name = 'tracker'`),
    ).toEqual([[true]])
    await database.close()
  })
})

describe.skipIf(!server)(server ? 'with tables of the reference' : skipReason('postgresql'), () => {
  migratesOldTables('postgresql', () => ServerPlace.on(server!))

  test('tables are used where the search path finds them', async () => {
    await using place = await ServerPlace.on(server!)
    await place.sql('CREATE SCHEMA first')
    await place.sql(`ALTER DATABASE ${place.config.database} SET search_path = first, public`)
    await place.sql(
      'CREATE TABLE public.whitelist (id SERIAL PRIMARY KEY, info_hash VARCHAR(40) NOT NULL UNIQUE)',
    )
    const database = await place.open()
    await database.close()
    expect(
      await place.sql(
        `SELECT schemaname::text, tablename::text FROM pg_tables WHERE schemaname IN ('first', 'public') ORDER BY 1, 2`,
      ),
    ).toEqual([
      ['first', 'keys'],
      ['first', 'torrent_aggregate_metrics'],
      ['first', 'torrents'],
      ['first', 'tracker_writers'],
      ['public', 'whitelist'],
    ])
  })
})
