/**
 * Entry of the database thread. The tracker runs its driver here, because SQLite holds up its thread
 * while it waits for the disk, and because an exception in a client library must not reach the serving threads.
 * Only the configured driver is loaded.
 */
import { parentPort } from 'node:worker_threads'
import type { DatabaseConfig } from '../config/model.ts'
import type { Database } from './contract.ts'
import { serveDatabase } from './thread-service.ts'

async function openDriver(config: DatabaseConfig): Promise<Database> {
  switch (config.driver) {
    case 'sqlite3': {
      const { openSqlite } = await import('./sqlite.ts')
      return openSqlite(config)
    }
    case 'mysql': {
      const { openMysql } = await import('./mysql.ts')
      return openMysql({ ...config, driver: 'mysql' })
    }
    case 'postgresql': {
      const { openPostgres } = await import('./postgres.ts')
      return openPostgres({ ...config, driver: 'postgresql' })
    }
  }
}

if (parentPort !== null) serveDatabase(parentPort, openDriver)
