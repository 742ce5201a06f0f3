/**
 * Real database servers for the tests: databases of one test's own on those that TEST_MYSQL_URL and
 * TEST_POSTGRES_URL name (servers.sh starts them), and private servers that a test may kill.
 */

import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL, type Subprocess } from 'bun'
import { createConnection } from 'mysql2/promise'
import type { DatabaseConfig } from '../../../src/config/model.ts'
import type { Database } from '../../../src/database/contract.ts'
import { openMysql } from '../../../src/database/mysql.ts'
import { openPostgres } from '../../../src/database/postgres.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { until } from '../until.ts'
import type { Place } from './suite.ts'

export type ServerConfig = DatabaseConfig & { driver: 'mysql' | 'postgresql' }
export type Rows = readonly (readonly unknown[])[]

/** What differs between the two from the outside. */
const KINDS = {
  mysql: { name: 'mysql', environment: 'TEST_MYSQL_URL', home: 'mysql' },
  postgresql: { name: 'postgres', environment: 'TEST_POSTGRES_URL', home: 'postgres' },
} as const

/** The server for the tests of a driver; undefined = not running, and they are skipped. */
export function testServer(driver: ServerConfig['driver']): ServerConfig | undefined {
  const text = Bun.env[KINDS[driver].environment]
  if (text === undefined) return undefined
  const url = new URL(text)
  return {
    driver,
    host: url.hostname,
    port: Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: KINDS[driver].home,
  }
}

/** Why the tests of a driver are skipped, for their names. */
export const skipReason = (driver: ServerConfig['driver']): string =>
  `skipped without ${KINDS[driver].environment} (test/support/database/servers.sh)`

/** A connection behind the driver's back. */
export interface Aside extends AsyncDisposable {
  run(statement: string): Promise<Rows>
}

export async function connectAside(config: ServerConfig): Promise<Aside> {
  const { host, port, user, password, database } = config
  if (config.driver === 'mysql') {
    const options = { supportBigNumbers: true, bigNumberStrings: true, rowsAsArray: true }
    const connection = await createConnection({ host, port, user, password, database, ...options })
    // The next statement notices an end that was not asked for.
    connection.on('error', () => undefined)
    await connection.query('SET autocommit = 1')
    return {
      async run(statement) {
        const [rows] = await connection.query(statement)
        return Array.isArray(rows) ? (rows as unknown[][]) : []
      },
      [Symbol.asyncDispose]: () => connection.end(),
    }
  }
  const options = { hostname: host, port, username: user, password, database, tls: false } as const
  const client = new SQL({ adapter: 'postgres', ...options, max: 1, bigint: true })
  await client.unsafe('SET statement_timeout = 0; SET lock_timeout = 0').simple()
  return {
    run: async (statement) => [...(await client.unsafe(statement).values())],
    [Symbol.asyncDispose]: () => client.close(),
  }
}

/** One statement on such a connection. */
export async function runSql(config: ServerConfig, statement: string): Promise<Rows> {
  await using aside = await connectAside(config)
  return await aside.run(statement)
}

export const openDriver = (config: ServerConfig): Promise<Database> =>
  config.driver === 'mysql'
    ? openMysql({ ...config, driver: 'mysql' })
    : openPostgres({ ...config, driver: 'postgresql' })

/** A database of its own; gone when it is disposed of. */
export class ServerPlace implements Place {
  readonly config: ServerConfig

  private constructor(config: ServerConfig) {
    this.config = config
  }

  /** `options` are those of CREATE DATABASE, `settings` those of sessions there (PostgreSQL). */
  static async on(
    server: ServerConfig,
    options = '',
    settings: readonly string[] = [],
  ): Promise<ServerPlace> {
    const database = `tracker_${crypto.randomUUID().replaceAll('-', '')}`
    await runSql(server, `CREATE DATABASE ${database} ${options}`)
    for (const setting of settings)
      await runSql(server, `ALTER DATABASE ${database} SET ${setting}`)
    return new ServerPlace({ ...server, database })
  }

  open(): Promise<Database> {
    return openDriver(this.config)
  }

  sql(statement: string): Promise<Rows> {
    return runSql(this.config, statement)
  }

  /** A transaction that has done this and goes no further: its locks are held until it is disposed of. */
  async hold(statement: string): Promise<Aside> {
    const aside = await connectAside(this.config)
    await aside.run(this.config.driver === 'mysql' ? 'START TRANSACTION' : 'BEGIN')
    // Where two are in each other's way, this is not the one that gives in.
    if (this.config.driver !== 'mysql') await aside.run(`SET LOCAL deadlock_timeout = '1h'`)
    await aside.run(statement)
    return {
      run: (more) => aside.run(more),
      async [Symbol.asyncDispose]() {
        await aside.run('ROLLBACK')
        await aside[Symbol.asyncDispose]()
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const server = { ...this.config, database: KINDS[this.config.driver].home }
    const force = this.config.driver === 'mysql' ? '' : ' WITH (FORCE)'
    await runSql(server, `DROP DATABASE ${this.config.database}${force}`)
  }
}

const SCRIPT = join(import.meta.dir, 'servers.sh')
/** How often one is tried that has never run. */
const ATTEMPTS = 2

/** A server that belongs to one test, which may stop, kill or freeze it. */
export class PrivateServer implements AsyncDisposable {
  readonly config: ServerConfig
  readonly #directory = temporaryDirectory()
  readonly #options: string[] = []
  #process: Subprocess | undefined

  /** `account` is that of the server that runs already: the script gives all of them the same. */
  private constructor(account: ServerConfig, port: number) {
    this.config = { ...account, host: '127.0.0.1', port }
    // The user of the server has to get in.
    chmodSync(this.#directory.path, 0o711)
  }

  static async start(account: ServerConfig, options: readonly string[] = []) {
    for (let attempt = 1; ; attempt++) {
      const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
      const { port } = listener
      listener.stop(true)
      const server = new PrivateServer(account, port)
      server.#options.push(...options)
      try {
        await server.start()
        return server
      } catch (error) {
        await server[Symbol.asyncDispose]()
        // Another program may have taken the port before the server did.
        if (attempt === ATTEMPTS) throw error
      }
    }
  }

  /** Also after `kill`, with the data it had. */
  async start(): Promise<void> {
    const { name } = KINDS[this.config.driver]
    const home = this.#directory.at('server')
    const command = [SCRIPT, 'run', name, home, String(this.config.port), ...this.#options]
    await until(`the ${name} server of ${home} to answer`, async () => {
      // It may have to wait until the last of those that were killed before is gone.
      if (this.#isOver())
        this.#process = Bun.spawn(command, {
          stdio: ['ignore', 'ignore', 'inherit'],
          env: { ...process.env, DIES_WITH_PARENT: '1' },
        })
      return await runSql(this.config, 'SELECT 1').then(
        () => true,
        () => false,
      )
    })
  }

  /** Resolves when all its threads have stopped. */
  async freeze(): Promise<void> {
    this.#signal('SIGSTOP')
    const states = () =>
      this.#processes().flatMap((pid) =>
        readdirSync(`/proc/${pid}/task`).map((id) => stateOf(pid, id)),
      )
    // Z and nothing: it has ended.
    await until('the server to stand still', () => states().every((state) => 'TZ'.includes(state)))
  }

  thaw(): void {
    this.#signal('SIGCONT')
  }

  /** PostgreSQL has one for each connection. */
  #processes(): number[] {
    const { pid } = this.#process!
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return [...children.split(' ').filter(Boolean).map(Number), pid]
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    // A parent that stands still gets no more children.
    process.kill(this.#process!.pid, 'SIGSTOP')
    for (const pid of this.#processes()) process.kill(pid, signal)
  }

  #isOver(): boolean {
    const { exitCode, signalCode } = this.#process ?? {}
    return exitCode !== null || signalCode !== null
  }

  /** As when the power goes, for its processes. */
  async kill(): Promise<void> {
    if (this.#isOver()) return
    this.#signal('SIGKILL')
    await this.#process!.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    this.#directory[Symbol.dispose]()
  }
}

/** One letter. */
function stateOf(pid: number, thread: string): string {
  try {
    // What stands before the last bracket is the program's name.
    return readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').replace(/.*\) /s, '').charAt(0)
  } catch {
    return ''
  }
}
