/**
 * What the drivers share below the contract: a session with a database, where sessions come from, and a server
 * that is connected to. Nothing here knows what is stored.
 */
import type { DatabaseConfig } from '../config/model.ts'
import type { Deadline } from '../time/deadline.ts'
import type { Failure } from './failure.ts'

export type ServerConfig = Extract<DatabaseConfig, { host: string }>

export type Value = string | bigint | number | null
/** Columns in the order of the statement. Whole numbers are bigint, number or text: see `wholeNumber`. */
export type Row = readonly unknown[]

/** It does one thing at a time; everything may reject with the errors of the library. */
export interface Session {
  /** `?` stands for a value; values are sent beside the statement, never inside it. */
  rows(sql: string, values?: readonly Value[]): Promise<readonly Row[]>
  /** The number of rows that it changed. */
  write(sql: string, values?: readonly Value[]): Promise<number>
}

export type Work<T> = (session: Session) => Promise<T>

/**
 * The sessions of one database, shared by all calls. Every call ends by its deadline, and rejects with a
 * `DatabaseError` only.
 */
export interface Sessions {
  /** Driver and place, without secrets. */
  readonly about: string
  /** Statements that each stand for themselves. */
  run<T>(work: Work<T>, deadline?: Deadline): Promise<T>
  /** All of the work or, if it throws, nothing of it. It may be done again from the start. */
  transact<T>(work: Work<T>, deadline?: Deadline): Promise<T>
  /** Waits for the calls in hand. Later ones reject. */
  close(): Promise<void>
}

/** A session over a network. */
export interface Connection extends Session {
  /** Once false it stays false. */
  readonly alive: boolean
  /** At once. What it is doing rejects or never settles. */
  destroy(): void
  /** Disconnects politely. */
  end(): Promise<void>
}

export interface Server {
  readonly config: ServerConfig
  /** When `signal` aborts, which it does only while this connects, nothing of the connection is left. */
  connect(signal: AbortSignal): Promise<Connection>
  /**
   * Statements that make a session what it must be, whatever the defaults of the server are. It stops waiting for a
   * lock and stops a statement after these times, 0 = never: that relieves the server, as far as it can. Deadlines do
   * not depend on it.
   */
  settings(lockMilliseconds: number, statementMilliseconds: number): string[]
  failureOf(error: unknown): Failure
}

/** A connection with these settings by the deadline, even if the server falls silent in the middle of a greeting. */
export const connectBy = (
  deadline: Deadline,
  server: Server,
  lockMilliseconds: number,
  statementMilliseconds: number,
): Promise<Connection> =>
  deadline.run(async (signal) => {
    const connection = await server.connect(signal)
    const destroy = () => connection.destroy()
    signal.addEventListener('abort', destroy)
    try {
      signal.throwIfAborted()
      for (const statement of server.settings(lockMilliseconds, statementMilliseconds))
        await connection.write(statement)
      return connection
    } catch (error) {
      destroy()
      throw error
    }
  })

/** A whole number in any form in which the libraries return it; null for NULL and everything else. */
export function wholeNumber(value: unknown): bigint | null {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  if (typeof value === 'string' && /^-?\d+$/.test(value)) return BigInt(value)
  return null
}
