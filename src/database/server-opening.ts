/**
 * Opening the database of a server: a connection of its own brings the tables up to date, within the time that a
 * start may take.
 */
import { Deadline, TooLate } from '../time/deadline.ts'
import type { AccountingDialect } from './accounting-sql.ts'
import { Connections } from './connections.ts'
import {
  cannotOpen,
  type Database,
  DatabaseError,
  type Fault,
  OPENING_MILLISECONDS,
} from './contract.ts'
import type { Dialect } from './dialects.ts'
import { migrate, type SchemaDialect } from './migrate.ts'
import { connectBy, type Server } from './session.ts'
import { SqlDatabase } from './sql-database.ts'

/** Earlier than the limit of the start, which names no cause. */
const WHOLE_MILLISECONDS = OPENING_MILLISECONDS - 500
const LOCK_MILLISECONDS = WHOLE_MILLISECONDS - 500

export async function openServer(
  server: Server,
  sql: Dialect,
  schema: SchemaDialect,
  accounting: AccountingDialect,
): Promise<Database> {
  const deadline = Deadline.in(WHOLE_MILLISECONDS)
  let isConnected = false
  try {
    // No limit on statements: a server that rewrites a large table goes on, and the next start finds it done.
    const connection = await connectBy(deadline, server, LOCK_MILLISECONDS, 0)
    isConnected = true
    try {
      await deadline.run(() => migrate(connection, sql, schema))
      await deadline.run(() => connection.end())
    } finally {
      // Its locks end with it.
      connection.destroy()
    }
  } catch (error) {
    const [fault, reason] = whyNot(server, error, isConnected)
    throw cannotOpen(server.config, fault, reason)
  }
  return new SqlDatabase(new Connections(server), sql, accounting)
}

function whyNot(server: Server, error: unknown, isConnected: boolean): [Fault, string] {
  if (error instanceof DatabaseError) return [error.fault, error.message]
  if (!(error instanceof TooLate)) {
    const { fault, reason } = server.failureOf(error)
    return [fault, withRemedy(reason)]
  }
  const reason = isConnected
    ? `its tables were not up to date within ${WHOLE_MILLISECONDS} ms: ` +
      'the server may be changing a large one, start again when it is done'
    : withRemedy(`no answer within ${WHOLE_MILLISECONDS} ms`)
  return ['late', reason]
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
