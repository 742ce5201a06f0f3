/**
 * The database's thread, the entry of a worker: no driver runs anywhere else, because SQLite holds its
 * thread while it waits for a disk, and because nothing a client library throws may reach the threads
 * that serve. Drivers are loaded when they are needed: nobody pays for those of others.
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
