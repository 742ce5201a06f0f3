/**
 * MySQL and MariaDB, with mysql2. Every session sets what it depends on: nothing may depend on the defaults of a
 * server. Values are sent beside prepared statements, never inside them.
 */
import { connect as connectSocket, type Socket } from 'node:net'
import {
  type ConnectionOptions,
  createConnection,
  type Connection as MysqlClient,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise'
import { MYSQL_ACCOUNTING } from './accounting-sql.ts'
import type { Database } from './contract.ts'
import { MYSQL } from './dialects.ts'
import { type Failure, failureFrom, type Meaning, withoutValues } from './failure.ts'
import { mysqlSchema } from './mysql-schema.ts'
import { openServer } from './server-opening.ts'
import type { Connection, Row, Server, ServerConfig, Value } from './session.ts'

const KEEP_ALIVE_MILLISECONDS = 30_000
/** More than there are texts (dialects.ts): none is prepared twice on one connection. */
const MOST_STATEMENTS = 600

/** Connects, and brings the tables up to date (schema.ts). */
export const openMysql = (config: ServerConfig): Promise<Database> =>
  openServer(mysqlServer(config), MYSQL, mysqlSchema, MYSQL_ACCOUNTING)

export function mysqlServer(config: ServerConfig): Server {
  let options = isPath(config.host) ? {} : TLS
  const connect = async (signal: AbortSignal): Promise<Connection> => {
    try {
      return await logIn(config, signal, options)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === NO_TLS)) throw error
      options = {}
      return await logIn(config, signal, options)
    }
  }
  return { config, connect, settings, failureOf }
}

/**
 * REPEATABLE READ, because READ COMMITTED is refused where the binary log holds statements. `/*M!` is read by
 * MariaDB only, `/*!5` by MySQL only, for SELECT.
 */
function settings(lockMilliseconds: number, statementMilliseconds: number): string[] {
  const lockSeconds = Math.max(1, Math.floor(lockMilliseconds / 1_000))
  return [
    'SET NAMES utf8mb4',
    `SET SESSION autocommit = 1, default_storage_engine = InnoDB,
      sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION',
      lock_wait_timeout = ${lockSeconds}, innodb_lock_wait_timeout = ${lockSeconds}
      /*M!100102 , max_statement_time = ${statementMilliseconds / 1_000} */
      /*!50708 , max_execution_time = ${statementMilliseconds} */`,
    'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
  ]
}

/**
 * Like the reference: encrypted where the server can, whatever its certificate says, because servers make their
 * own. That keeps out eavesdroppers, not impostors.
 */
const TLS: ConnectionOptions = { ssl: { rejectUnauthorized: false } }
const NO_TLS = 'HANDSHAKE_NO_SSL_SUPPORT'

const isPath = (host: string): boolean => host.startsWith('/')

async function logIn(
  config: ServerConfig,
  signal: AbortSignal,
  options: ConnectionOptions,
): Promise<Connection> {
  signal.throwIfAborted()
  const { host, port, user, password, database } = config
  const socket = isPath(host) ? connectSocket({ path: host }) : connectSocket({ host, port })
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MILLISECONDS)
  signal.addEventListener('abort', () => socket.destroy(signal.reason))
  try {
    const client = await createConnection({
      ...options,
      stream: socket,
      user,
      password,
      database,
      // The caller has a deadline.
      connectTimeout: 0,
      charset: 'utf8mb4',
      supportBigNumbers: true,
      bigNumberStrings: true,
      maxPreparedStatements: MOST_STATEMENTS,
      // Otherwise it builds its parsers as source text that contains names from the server.
      disableEval: true,
    })
    return new MysqlConnection(client, socket)
  } catch (error) {
    socket.destroy()
    throw error
  }
}

class MysqlConnection implements Connection {
  alive = true
  readonly #client: MysqlClient
  readonly #socket: Socket

  constructor(client: MysqlClient, socket: Socket) {
    this.#client = client
    this.#socket = socket
    const gone = () => {
      this.alive = false
    }
    // Without a listener an error between two calls would end the thread.
    client.on('error', gone)
    client.on('end', gone)
    socket.on('close', gone)
  }

  async rows(sql: string, values?: readonly Value[]): Promise<readonly Row[]> {
    // As arrays: two columns may have the same name.
    return (await this.#do<RowDataPacket[][]>(sql, values)) as unknown[][]
  }

  async write(sql: string, values?: readonly Value[]): Promise<number> {
    return (await this.#do<ResultSetHeader>(sql, values)).affectedRows
  }

  async #do<T extends RowDataPacket[][] | ResultSetHeader>(
    sql: string,
    values: readonly Value[] = [],
  ): Promise<T> {
    const options = { sql, rowsAsArray: true }
    // Not every server can prepare the statements that begin and end a transaction.
    const [result] =
      values.length === 0
        ? await this.#client.query<T>(options)
        : await this.#client.execute<T>(options, [...values])
    return result
  }

  destroy(): void {
    this.alive = false
    // The library's own `destroy` waits for the server to hang up.
    this.#socket.destroy()
  }

  async end(): Promise<void> {
    this.alive = false
    await this.#client.end()
  }
}

/** By the numbers of the servers, which both MySQL and MariaDB have, or the names of errors of library and network. */
const MEANINGS: readonly Meaning[] = [
  // The server shuts down, has no connection to spare, or ended this one (KILL, too long idle).
  [/^(1040|1053|1077|1079|1317|1927|3169|4031) /, 'unreachable'],
  // The statement reached its time limit (MariaDB, MySQL).
  [/^(1969|3024) /, 'late'],
  // Another transaction was first, or changed what this one had read: this one is undone.
  [/^(1213|1020) /, 'again'],
  // A duplicate of an `id` means that the server has run out of them.
  [/^1062 (?!.*PRIMARY'$)/, 'duplicate', 'one of the rows is there already'],
  [/^1049 Unknown database '(.*)'$/, 'refused', 'database "$1" does not exist: create it first'],
  [/^ECONNREFUSED /, 'unreachable', 'connection refused'],
  [/^ENOTFOUND /, 'unreachable', 'no host has this name'],
  [/^[A-Z]/, 'unreachable'],
]

function failureOf(error: unknown): Failure {
  const { message } = error instanceof Error ? error : { message: String(error) }
  const { sqlState, errno, code, fatal } = error as Partial<MysqlError>
  // An SQL state means that the error comes from the server.
  const name = sqlState !== undefined ? errno : (code ?? (fatal === undefined ? '' : 'FATAL'))
  return failureFrom(name, withoutValues(message), MEANINGS)
}

type MysqlError = Record<'sqlState' | 'errno' | 'code' | 'fatal', unknown>
