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
  if (config.driver === 'sqlite3') return (await import('./sqlite.ts')).openSqlite(config)
  if (config.driver === 'mysql') return (await import('./mysql.ts')).openMysql(config)
  return (await import('./postgres.ts')).openPostgres(config)
}

if (parentPort !== null) serveDatabase(parentPort, openDriver)
