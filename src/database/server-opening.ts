/**
 * How the database of a server is opened: one session of its own brings the tables up to date, within
 * the time that a start may take.
 */
import type { DatabaseConfig } from '../config/model.ts'
import { type Patience, TooLate, withinPatience } from '../time/deadline.ts'
import { type Database, DatabaseError, OPENING_MILLISECONDS } from './contract.ts'
import { cannotOpen } from './faults.ts'
import { ServerDatabase } from './server-database.ts'
import type { Statements } from './server-sql.ts'
import { connectWithin, type Server, type Session } from './session.ts'

/** A little less than is promised, so that the promise is kept. */
const WHOLE_MILLISECONDS = OPENING_MILLISECONDS - 500
const LOCK_MILLISECONDS = WHOLE_MILLISECONDS - 500

export type Migrate = (session: Session) => Promise<void>

export async function openServer(
  config: DatabaseConfig,
  server: Server,
  sql: Statements,
  migrate: Migrate,
): Promise<Database> {
  const progress = { connected: false }
  try {
    await withinPatience(WHOLE_MILLISECONDS, async (patience) => {
      // No limit on statements: a server that rewrites a large table goes on, and the next start finds it done.
      const session = await connectWithin(patience, server, LOCK_MILLISECONDS, 0)
      progress.connected = true
      await migrateWith(session, migrate, patience)
    })
  } catch (error) {
    throw openingFailure(config, server, error, progress.connected)
  }
  return new ServerDatabase(server, sql)
}

async function migrateWith(session: Session, migrate: Migrate, patience: Patience): Promise<void> {
  try {
    await patience.bear(() => migrate(session))
    await patience.bear(() => session.end())
  } finally {
    // Its locks go with it.
    session.destroy()
  }
}

function openingFailure(
  config: DatabaseConfig,
  server: Server,
  error: unknown,
  connected: boolean,
): DatabaseError {
  if (error instanceof DatabaseError) return cannotOpen(config, error.fault, error.message)
  if (error instanceof TooLate)
    return cannotOpen(
      config,
      'late',
      connected
        ? `its tables were not up to date within ${WHOLE_MILLISECONDS} ms: ` +
            'the server may be changing a large one, start again when it is done'
        : withRemedy(`no answer within ${WHOLE_MILLISECONDS} ms`),
    )
  const { fault, reason } = server.failureOf(error)
  return cannotOpen(config, fault, withRemedy(reason))
}

/** What an operator looks at first, for the mistakes that are made most. */
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
