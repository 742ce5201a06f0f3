/**
 * MySQL and MariaDB, with mysql2. Every session sets what it depends on: nothing may depend on the defaults of a
 * server. Values are sent beside prepared statements, never inside them.
 */
import { connect as connectSocket, type Socket } from 'node:net'
import {
  type Connection,
  type ConnectionOptions,
  createConnection,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise'
import { type Database, placeOf } from './contract.ts'
import { failureOf } from './mysql-failure.ts'
import { mysqlSchema } from './mysql-schema.ts'
import { openServer } from './server-opening.ts'
import { MYSQL } from './server-sql.ts'
import type { Row, Server, ServerConfig, Session, Value } from './session.ts'

const KEEP_ALIVE_MILLISECONDS = 30_000
/** More than there are texts (server-sql.ts): none is prepared twice on one connection. */
const MOST_STATEMENTS = 300

/** Connects, and brings the tables up to date (schema.ts). */
export const openMysql = (config: ServerConfig): Promise<Database> =>
  openServer(config, new MysqlServer(config), MYSQL, mysqlSchema)

export class MysqlServer implements Server {
  readonly driver = 'mysql'
  readonly about: string
  readonly failureOf = failureOf
  readonly #config: ServerConfig
  /** The server has no certificate. */
  #plain: boolean

  constructor(config: ServerConfig) {
    this.#config = config
    this.about = placeOf(config)
    this.#plain = isPath(config.host)
  }

  async connect(
    signal: AbortSignal,
    lockMilliseconds: number,
    statementMilliseconds: number,
  ): Promise<Session> {
    const session = await this.#logIn(signal)
    try {
      for (const statement of MYSQL.settings(lockMilliseconds, statementMilliseconds))
        await session.write(statement)
      return session
    } catch (error) {
      session.destroy()
      throw error
    }
  }

  async #logIn(signal: AbortSignal): Promise<Session> {
    if (!this.#plain)
      try {
        return await logIn(this.#config, signal, TLS)
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === NO_TLS)) throw error
        this.#plain = true
      }
    return await logIn(this.#config, signal, {})
  }
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
): Promise<Session> {
  signal.throwIfAborted()
  const { host, port, user, password, database } = config
  const socket = isPath(host) ? connectSocket({ path: host }) : connectSocket({ host, port })
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MILLISECONDS)
  signal.addEventListener('abort', () => socket.destroy(signal.reason))
  try {
    const connection = await createConnection({
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
    return new MysqlSession(connection, socket)
  } catch (error) {
    socket.destroy()
    throw error
  }
}

class MysqlSession implements Session {
  alive = true
  readonly #connection: Connection
  readonly #socket: Socket

  constructor(connection: Connection, socket: Socket) {
    this.#connection = connection
    this.#socket = socket
    const gone = () => {
      this.alive = false
    }
    // Without a listener an error between two calls would end the thread.
    connection.on('error', gone)
    connection.on('end', gone)
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
        ? await this.#connection.query<T>(options)
        : await this.#connection.execute<T>(options, [...values])
    return result
  }

  destroy(): void {
    this.alive = false
    // The library's own `destroy` waits for the server to hang up.
    this.#socket.destroy()
  }

  async end(): Promise<void> {
    this.alive = false
    await this.#connection.end()
  }
}
