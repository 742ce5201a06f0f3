/**
 * PostgreSQL, with Bun's own client. The configuration alone decides where it connects and as whom: every
 * setting that the client would otherwise take from the environment is given.
 */
import { lookup } from 'node:dns/promises'
import { type ReservedSQL, SQL } from 'bun'
import { POSTGRES_ACCOUNTING } from './accounting-sql.ts'
import type { Database } from './contract.ts'
import { POSTGRES } from './dialects.ts'
import { type Failure, failureFrom, type Meaning, withoutValues } from './failure.ts'
import { postgresSchema } from './postgres-schema.ts'
import { openServer } from './server-opening.ts'
import type { Connection, Row, Server, ServerConfig, Value } from './session.ts'

/** Never reached: the deadlines of callers are shorter. 0 would mean half a minute to the client. */
const CONNECT_SECONDS = 20

/** Connects, and brings the tables up to date (schema.ts). */
export const openPostgres = (config: ServerConfig): Promise<Database> =>
  openServer(postgresServer(config), POSTGRES, postgresSchema, POSTGRES_ACCOUNTING)

export const postgresServer = (config: ServerConfig): Server => ({
  config,
  settings,
  failureOf,
  async connect(signal) {
    signal.throwIfAborted()
    const connection = new PostgresConnection(config)
    const giveUp = () => connection.destroy()
    signal.addEventListener('abort', giveUp)
    try {
      await connection.open()
      return connection
    } catch (error) {
      giveUp()
      throw await explained(error, config.host)
    }
  },
})

const settings = (lockMilliseconds: number, statementMilliseconds: number): string[] => [
  `SET client_encoding = 'UTF8'`,
  'SET standard_conforming_strings = on',
  `SET default_transaction_isolation = 'read committed'`,
  `SET lock_timeout = ${lockMilliseconds}`,
  `SET statement_timeout = ${statementMilliseconds}`,
]

function clientOf(
  { host, port, user, password, database }: ServerConfig,
  onclose: () => void,
): SQL {
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
    // Given, because the client would otherwise take PGOPTIONS and PGAPPNAME. PgBouncer accepts no options.
    connection: {
      ...(process.env.PGOPTIONS === undefined ? {} : { options: '' }),
      application_name: 'tracker',
    },
    max: 1,
    idleTimeout: 0,
    maxLifetime: 0,
    connectionTimeout: CONNECT_SECONDS,
    bigint: true,
    prepare: true,
    onclose,
  })
}

/** The client has one error for an unknown host name and for a closed port. */
async function explained(error: unknown, host: string): Promise<unknown> {
  if (!(error instanceof SQL.PostgresError) || error.code !== REFUSED || host.startsWith('/'))
    return error
  const isKnown = await lookup(host).then(
    () => true,
    () => false,
  )
  return isKnown ? error : new SQL.PostgresError('no host has this name', { code: 'CONNECTION' })
}

const REFUSED = 'ERR_POSTGRES_CONNECTION_REFUSED'

class PostgresConnection implements Connection {
  alive = true
  readonly #client: SQL
  #reserved: ReservedSQL | undefined

  constructor(config: ServerConfig) {
    this.#client = clientOf(config, () => {
      this.alive = false
    })
  }

  /** Reserved, because the client would replace a lost connection in the middle of a transaction. */
  async open(): Promise<void> {
    this.#reserved = await this.#client.reserve()
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
    return this.#reserved!.unsafe<unknown[][]>(numbered, [...values]).values()
  }

  destroy(): void {
    this.alive = false
    void this.#client.close({ timeout: 0 })
  }

  async end(): Promise<void> {
    this.alive = false
    // Closing waits for reserved connections.
    await this.#reserved?.release()
    await this.#client.close()
  }
}

/** By SQL states, or the client's own names of errors. */
const MEANINGS: readonly Meaning[] = [
  // The server shuts down, starts, has no connection to spare, or ended this one.
  [/^(08...|57P0[1-5]|25P03|53300) /, 'unreachable'],
  // The statement reached its time limit.
  [/^57014 /, 'late'],
  // Serialization failure, deadlock: this transaction is undone.
  [/^(40001|40P01) /, 'again'],
  // A duplicate of an `id` means that the sequence was set back.
  [/^23505 (?!.*_pkey)/, 'duplicate', 'one of the rows is there already'],
  [/^3D000 (.*)/, 'refused', '$1: create it first'],
  [new RegExp(`^${REFUSED} `), 'unreachable', 'connection refused'],
  [/^\w*(CONNECTION|TIMEOUT|TLS)/, 'unreachable'],
]

/** The values of a row are in the details of an error, which are never shown, and seldom in its message. */
function failureOf(error: unknown): Failure {
  const { message, errno, code } =
    error instanceof SQL.PostgresError ? error : { message: String(error), errno: '', code: '' }
  return failureFrom(errno ?? code, withoutValues(message), MEANINGS)
}
