/** Migration of old tables on PostgreSQL, in place (docs/behaviours.md D3). */
import { describe, expect, test } from 'bun:test'
import { migratesOldTables } from '../support/database/migration.ts'
import { ServerPlace, skipReason, testServer } from '../support/database/servers.ts'

const server = testServer('postgresql')

describe.skipIf(!server)(server ? 'with a server' : skipReason('postgresql'), () => {
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
      ['public', 'whitelist'],
    ])
  })
})
