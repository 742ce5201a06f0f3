/**
 * PostgreSQL, with Bun's own client. The configuration alone decides where it connects and as whom: every
 * setting that the client would otherwise take from the environment is given.
 */
import { lookup } from 'node:dns/promises'
import { type ReservedSQL, SQL } from 'bun'
import { type Database, placeOf } from './contract.ts'
import { POSTGRES } from './dialects.ts'
import { type Failure, failureFrom, type Meaning, withoutValues } from './failure.ts'
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
