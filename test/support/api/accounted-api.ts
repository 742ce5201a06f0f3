/** A management API whose accounting stands in a real database, and what a tracker would write there. */
import { randomKey } from '../../../src/access/keys.ts'
import type { Flag } from '../../../src/accounting/batch.ts'
import type { Database } from '../../../src/database/contract.ts'
import type {
  AccountingEvent,
  AccountingStatus,
  AccountingStore,
} from '../../../src/storage/accounting.ts'
import { batchOf, type Session } from '../database/accounting.ts'
import { key } from '../database/hashes.ts'
import { SqliteFile } from '../database/sqlite-file.ts'
import type { Place } from '../database/suite.ts'
import { dechunk, type Reply } from '../http-client.ts'
import { askWithToken, serve } from './served-api.ts'

/** What a tracker does beside the database: it settles what is owed, and tells of it. */
function storeOver({ accounting }: Database) {
  const listeners = new Set<(event: AccountingEvent) => void>()
  const say = (event: AccountingEvent) => {
    for (const listener of listeners) listener(event)
  }
  const told = async <T>(change: Promise<T>): Promise<T> => {
    const result = await change
    store.sequence = (await accounting.open()).sequence
    say({ kind: 'batch', batch: store.sequence })
    return result
  }
  const store = {
    sequence: 0,
    get followers() {
      return listeners.size
    },
    settlements: 0,
    say,
    told,
    listAccounts: (query) => accounting.listAccounts(query),
    account: (name) => accounting.account(name),
    listRecords: (query) => accounting.listRecords(query),
    torrent: (hash) => accounting.torrent(hash),
    putToken: (account, hash, until) => told(accounting.putToken(account, hash, until)),
    removeToken: (account, hash) => told(accounting.removeToken(account, hash)),
    changes: (after, limit) => accounting.changes(after, limit),
    listFlags: (offset, limit) => accounting.listFlags(offset, limit),
    reviewFlag: (id, at) => accounting.reviewFlag(id, at),
    readMark: (name) => accounting.readMark(name),
    putMark: (name, value) => accounting.putMark(name, value),
    changeAccount: (name, settings) => told(accounting.changeAccount(name, settings)),
    adjustAccount: (name, adjustment) => told(accounting.adjustAccount(name, adjustment)),
    eraseAccount: (name) => told(accounting.eraseAccount(name)),
    changeTorrents: (hashes, settings) => told(accounting.changeTorrents(hashes, settings)),
    activity: (account) => ({ leeching: account, seeding: 2 * account }),
    settled: async () => void store.settlements++,
    status: (): AccountingStatus => ({
      level: 'users',
      batch: store.sequence,
      owedRecords: 3,
      owedBytes: 2 ** 40,
      lagSeconds: 1,
      eventsLost: 0,
      sessions: 4,
      trouble: undefined,
    }),
    follow(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    meter() {
      throw new Error('not asked for here')
    },
  } satisfies AccountingStore & Record<string, unknown> as AccountingStore & {
    sequence: number
    readonly followers: number
    settlements: number
    say: typeof say
    told: typeof told
  }
  return store
}

export type Accounted = Awaited<ReturnType<typeof accountedApi>>

export async function accountedApi(place: Place = SqliteFile.place()) {
  const database = await place.open()
  await database.accounting.open()
  const store = storeOver(database)
  const api = await serve({ accounting: store, databaseName: 'Sqlite3' })
  const writer = randomKey()
  let batches = 0
  const ask = async (method: string, path: string, body?: string | object) => {
    const reply = await askWithToken(api.url, {
      method,
      path: `/api/v1/${path}`,
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: reply.status, text: textOf(reply) }
  }
  return {
    ...api,
    place,
    database,
    store,
    ask,
    /** The answer of a request that succeeds, as a value. */
    async done(method: string, path: string, body?: string | object) {
      const { status, text } = await ask(method, path, body)
      if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`)
      return JSON.parse(text)
    },
    /** Accounts of these users, from number 1 on, each with a key. */
    accounts: (...userIds: readonly (bigint | null)[]) =>
      store.told(
        database.accounting.addKeys(
          userIds.map((userId, i) => ({ key: key(i + 1), validUntil: null, userId })),
        ),
      ),
    /** What a tracker owes. */
    write: (sessions: readonly Session[], flags: readonly Flag[] = []) =>
      store.told(
        database.accounting.write(batchOf({ writer, number: ++batches }, sessions, { flags })),
      ),
    async [Symbol.asyncDispose]() {
      await api.stop(0)
      await database.close()
      await place[Symbol.asyncDispose]()
    },
  }
}

const textOf = (reply: Reply): string => dechunk(reply).toString()
