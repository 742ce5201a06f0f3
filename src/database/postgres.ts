/**
 * PostgreSQL, with Bun's own client. The configuration alone decides where it connects and as whom: every
 * setting that the client would otherwise take from the environment is given.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { type ReservedSQL, SQL } from 'bun'
import { type Database, placeOf } from './contract.ts'
import { POSTGRES } from './dialects.ts'
import { failureOf } from './postgres-failure.ts'
import { postgresSchema } from './postgres-schema.ts'
import { openServer } from './server-opening.ts'
import type { Connection, Row, Server, ServerConfig, Value } from './session.ts'

/** Never reached: the deadlines of callers are shorter. 0 would mean half a minute to the client. */
const CONNECT_SECONDS = 20

/** Connects, and brings the tables up to date (schema.ts). */
export const openPostgres = (config: ServerConfig): Promise<Database> =>
  openServer(config, new PostgresServer(config), POSTGRES, postgresSchema)

export class PostgresServer implements Server {
  readonly driver = 'postgresql'
  readonly about: string
  readonly failureOf = failureOf
  readonly #config: ServerConfig

  constructor(config: ServerConfig) {
    this.#config = config
    this.about = placeOf(config)
  }

  async connect(
    signal: AbortSignal,
    lockMilliseconds: number,
    statementMilliseconds: number,
  ): Promise<Connection> {
    signal.throwIfAborted()
    const life = { alive: true }
    const client = clientOf(this.#config, life)
    const giveUp = () => void client.close({ timeout: 0 })
    signal.addEventListener('abort', giveUp)
    try {
      // Reserved, because the client would replace a lost connection in the middle of a transaction.
      const connection = new PostgresConnection(client, await client.reserve(), life)
      for (const [name, value] of Object.entries(SETTINGS))
        await connection.write(`SET ${name} = ${value}`)
      await connection.write(`SET lock_timeout = ${lockMilliseconds}`)
      await connection.write(`SET statement_timeout = ${statementMilliseconds}`)
      return connection
    } catch (error) {
      giveUp()
      throw await explained(error, this.#config.host)
    }
  }
}

/** What every session must be, whatever the defaults of server, user and database are. */
const SETTINGS = {
  client_encoding: `'UTF8'`,
  standard_conforming_strings: 'on',
  default_transaction_isolation: `'read committed'`,
}

function clientOf(config: ServerConfig, life: { alive: boolean }): SQL {
  const { host, port, user, password, database } = config
  return new SQL({
    adapter: 'postgres',
    // May be a directory of sockets.
    hostname: host,
    port,
    username: user,
    // A function, because the client replaces an empty text with PGPASSWORD.
    password: () => password,
    database,
    // Like the reference: encrypted where the server can, whatever its certificate says.
    tls: 'prefer',
    channelBinding: 'disable',
    // Given, because the client would otherwise take PGOPTIONS and PGAPPNAME.
    connection: { options: '', application_name: 'tracker' },
    max: 1,
    idleTimeout: 0,
    maxLifetime: 0,
    connectionTimeout: CONNECT_SECONDS,
    bigint: true,
    prepare: true,
    onclose: () => {
      life.alive = false
    },
  })
}

/** The client has one error for an unknown host name and for a closed port. */
async function explained(error: unknown, host: string): Promise<unknown> {
  if (!(error instanceof SQL.PostgresError) || error.code !== 'ERR_POSTGRES_CONNECTION_REFUSED')
    return error
  const isKnown =
    isIP(host) !== 0 ||
    host.startsWith('/') ||
    (await lookup(host).then(
      () => true,
      () => false,
    ))
  return new SQL.PostgresError(isKnown ? 'connection refused' : 'no host has this name', {
    code: error.code,
  })
}

class PostgresConnection implements Connection {
  readonly #client: SQL
  readonly #connection: ReservedSQL
  readonly #life: { alive: boolean }

  constructor(client: SQL, connection: ReservedSQL, life: { alive: boolean }) {
    this.#client = client
    this.#connection = connection
    this.#life = life
  }

  get alive(): boolean {
    return this.#life.alive
  }

  async rows(sql: string, values?: readonly Value[]): Promise<readonly Row[]> {
    return await this.#do(sql, values)
  }

  async write(sql: string, values?: readonly Value[]): Promise<number> {
    return (await this.#do(sql, values)).affectedRows
  }

  #do(sql: string, values: readonly Value[] = []): SQL.Query<unknown[][]> {
    let count = 0
    const numbered = sql.replaceAll('?', () => `$${++count}`)
    return this.#connection.unsafe<unknown[][]>(numbered, [...values]).values()
  }

  destroy(): void {
    this.#life.alive = false
    void this.#client.close({ timeout: 0 })
  }

  async end(): Promise<void> {
    this.#life.alive = false
    // Closing waits for reserved connections.
    await this.#connection.release()
    await this.#client.close()
  }
}
