/**
 * How a database is named and how its failures read (spec/torrust-rest-api §9.5), the same for every
 * driver. What a server or a library said goes in as it is: whoever calls must know it holds no secret.
 */
import type { DatabaseConfig } from '../config/model.ts'
import { DatabaseError, DRIVER_NAMES, type Driver, type Fault } from './contract.ts'

/** Driver and place, as in `Database.about`. */
export function placeOf(config: DatabaseConfig): string {
  if (config.driver === 'sqlite3') return `sqlite3:${config.path}`
  const host = config.host.includes(':') ? `[${config.host}]` : config.host
  return `${config.driver}://${host}:${config.port}/${config.database}`
}

/** Whatever keeps a database from opening, in one line: `reason` is what and, where there is one, the remedy. */
export const cannotOpen = (config: DatabaseConfig, fault: Fault, reason: string): DatabaseError =>
  new DatabaseError(fault, `cannot open the database ${placeOf(config)}: ${reason}`)

/** Any statement that failed, in the words that clients of the management API know. */
export const queryFailed = (driver: Driver, fault: Fault, reason: string): DatabaseError =>
  new DatabaseError(fault, `The ${DRIVER_NAMES[driver]} query was malformed: ${reason}`)

/** Calls after `close`. */
export const closed = (place: string): DatabaseError =>
  new DatabaseError('unreachable', `the database ${place} is closed`)
