/**
 * Whether a database server lets the tracker in: logs in with the driver's own connection, and asks for the
 * version. Opening a database would bring its tables up to date; this does not.
 */

import type { DatabaseConfig } from '../config/model.ts'
import { DRIVER_NAMES } from '../database/contract.ts'
import { connectBy, type Server } from '../database/session.ts'
import { oneLine } from '../text/printable.ts'
import { Deadline, TooLate } from '../time/deadline.ts'

type ServerConfig = DatabaseConfig & { readonly driver: 'mysql' | 'postgresql' }

export type Answer =
  /** What is there and what came of it, in a few words. */
  | { readonly server: string }
  /** One line, without secrets. */
  | { readonly trouble: string }

export async function knock(config: ServerConfig, milliseconds: number): Promise<Answer> {
  const server = await serverOf(config)
  const deadline = Deadline.in(milliseconds)
  try {
    const session = await connectBy(deadline, server, milliseconds, milliseconds)
    try {
      const [row] = await deadline.run(() => session.rows('SELECT version()'))
      await deadline.run(() => session.end())
      return {
        server: `${DRIVER_NAMES[config.driver]} answers, and lets ${config.user} in (${oneLine(String(row?.[0]))})`,
      }
    } finally {
      session.destroy()
    }
  } catch (error) {
    if (error instanceof TooLate) return { trouble: `no answer within ${milliseconds / 1000} s` }
    return { trouble: oneLine(server.failureOf(error).reason) }
  }
}

/** Only the driver that is needed is loaded. */
async function serverOf(config: ServerConfig): Promise<Server> {
  if (config.driver === 'mysql') {
    const { MysqlServer } = await import('../database/mysql.ts')
    return new MysqlServer({ ...config, driver: 'mysql' })
  }
  const { PostgresServer } = await import('../database/postgres.ts')
  return new PostgresServer({ ...config, driver: 'postgresql' })
}
