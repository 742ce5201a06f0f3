/**
 * Opening the database of a server: a session of its own brings the tables up to date, within the time that a
 * start may take.
 */
import type { DatabaseConfig } from '../config/model.ts'
import { Deadline, TooLate } from '../time/deadline.ts'
import { cannotOpen, type Database, DatabaseError, OPENING_MILLISECONDS } from './contract.ts'
import { ServerDatabase } from './server-database.ts'
import { migrate, type ServerSchema } from './server-schema.ts'
import type { Dialect } from './server-sql.ts'
import { connectBy, type Server } from './session.ts'

/** Earlier than the limit of the start, which names no cause. */
const WHOLE_MILLISECONDS = OPENING_MILLISECONDS - 500
const LOCK_MILLISECONDS = WHOLE_MILLISECONDS - 500

export async function openServer<Column>(
  config: DatabaseConfig,
  server: Server,
  sql: Dialect,
  schema: ServerSchema<Column>,
): Promise<Database> {
  const deadline = Deadline.in(WHOLE_MILLISECONDS)
  let isConnected = false
  try {
    // No limit on statements: a server that rewrites a large table goes on, and the next start finds it done.
    const session = await connectBy(deadline, server, LOCK_MILLISECONDS, 0)
    isConnected = true
    try {
      await deadline.run(() => migrate(session, server, sql, schema))
      await deadline.run(() => session.end())
    } finally {
      // Its locks end with it.
      session.destroy()
    }
  } catch (error) {
    throw openingFailure(config, server, error, isConnected)
  }
  return new ServerDatabase(server, sql)
}

function openingFailure(
  config: DatabaseConfig,
  server: Server,
  error: unknown,
  isConnected: boolean,
): DatabaseError {
  if (error instanceof DatabaseError) return cannotOpen(config, error.fault, error.message)
  if (error instanceof TooLate)
    return cannotOpen(
      config,
      'late',
      isConnected
        ? `its tables were not up to date within ${WHOLE_MILLISECONDS} ms: ` +
            'the server may be changing a large one, start again when it is done'
        : withRemedy(`no answer within ${WHOLE_MILLISECONDS} ms`),
    )
  const { fault, reason } = server.failureOf(error)
  return cannotOpen(config, fault, withRemedy(reason))
}

/** What an operator should look at first after the most frequent mistakes. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/^connection refused/, 'is the server running, and are host and port right?'],
  [/^no host has this name/, 'check the host'],
  [/^no answer/, 'does something else listen at that port, or a firewall stand in between?'],
  [/access denied|authentication failed/i, 'check user and password, and what the user may do'],
]

const withRemedy = (reason: string): string => {
  const remedy = REMEDIES.find(([mistake]) => mistake.test(reason))?.[1]
  return remedy === undefined ? reason : `${reason}; ${remedy}`
}
