/**
 * Databases for the completions of a tracker, a new one for each run: a file, or a database on the server of
 * TEST_MYSQL_URL or TEST_POSTGRES_URL, which is dropped afterwards.
 */
import { Database } from 'bun:sqlite'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { SQL } from 'bun'
import { undoOnInterrupt } from './run.ts'

/** Stored completions: the sum over the torrents, and the tracker's own total. */
export type Stored = { readonly torrents: number; readonly total: number }

export type Store = AsyncDisposable & {
  /** TOML for the configuration of a tracker that stores completions in it. */
  readonly toml: string
  read(): Promise<Stored>
}

export type StoreKind = { readonly name: string; open(room: string): Promise<Store> }

const POLICY = '[core.tracker_policy]\npersistent_torrent_completed_stat = true'
const SUM = 'SELECT COALESCE(SUM(completed), 0) AS value FROM torrents'
const TOTAL = `SELECT value FROM torrent_aggregate_metrics WHERE metric_name = 'torrents_downloads_total'`

/** Servers only if their variables are set. */
export function storeKinds(): StoreKind[] {
  const { TEST_MYSQL_URL: mysql, TEST_POSTGRES_URL: postgres } = process.env
  return [
    { name: 'sqlite3', open: openFile },
    ...(mysql ? [{ name: 'mysql', open: () => openOnServer('mysql', mysql) }] : []),
    ...(postgres ? [{ name: 'postgresql', open: () => openOnServer('postgresql', postgres) }] : []),
  ]
}

async function openFile(room: string): Promise<Store> {
  const file = 'tracker.db'
  const read = async () => {
    using database = new Database(join(room, file), { readonly: true })
    const value = (query: string) => database.query<{ value: number }, []>(query).get()?.value ?? 0
    return { torrents: value(SUM), total: value(TOTAL) }
  }
  const toml = `${POLICY}\n[core.database]\ndriver = "sqlite3"\npath = "./${file}"`
  return {
    toml,
    read,
    async [Symbol.asyncDispose]() {
      removeFile(room, file)
    },
  }
}

/** Removes a database with the files that SQLite keeps beside it. */
export function removeFile(room: string, file: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(room, file + suffix), { force: true })
}

async function openOnServer(driver: 'mysql' | 'postgresql', address: string): Promise<Store> {
  const url = new URL(address)
  const name = `bench_${crypto.randomUUID().slice(0, 8)}`
  const connect = (database: string) =>
    new SQL({
      adapter: driver === 'mysql' ? 'mysql' : 'postgres',
      hostname: url.hostname,
      port: Number(url.port),
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database,
      max: 1,
    })
  const administer = async (statement: string) => {
    await using connection = connect(driver === 'mysql' ? 'mysql' : 'postgres')
    await connection.unsafe(statement)
  }
  // A tracker that did not stop in time may still be connected.
  const force = driver === 'mysql' ? '' : ' WITH (FORCE)'
  const drop = () => administer(`DROP DATABASE IF EXISTS ${name}${force}`)
  await administer(`CREATE DATABASE ${name}`)
  undoOnInterrupt.add(drop)
  return {
    toml: serverToml(driver, url, name),
    async read() {
      await using connection = connect(name)
      const value = async (query: string) => Number((await connection.unsafe(query))[0]?.value ?? 0)
      return { torrents: await value(SUM), total: await value(TOTAL) }
    },
    async [Symbol.asyncDispose]() {
      await drop()
      undoOnInterrupt.delete(drop)
    },
  }
}

const serverToml = (driver: string, url: URL, database: string) => `${POLICY}
[core.database]
driver = "${driver}"
host = "${url.hostname}"
port = ${url.port}
user = ${JSON.stringify(decodeURIComponent(url.username))}
password = ${JSON.stringify(decodeURIComponent(url.password))}
database = "${database}"`
