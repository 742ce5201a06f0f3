/**
 * Administration of keys and whitelist (docs/behaviours.md K12–K15). No message contains a key, and the thread is
 * never held up for longer than a turn.
 */
import type { Access } from '../access/access.ts'
import { type Keys, randomKey } from '../access/keys.ts'
import { packHashes } from '../access/whitelist.ts'
import { INFO_HASH_BYTES, isAuthKey, KEY_CHARACTERS } from '../bittorrent.ts'
import {
  type Database,
  DatabaseError,
  type Fault,
  isInDoubt,
  MOST_EXPIRED_KEYS,
} from '../database/contract.ts'
import type { Log } from '../log/log.ts'
import type { Table } from '../memory/table.ts'
import type { Clock } from '../time/clock.ts'
import type { Deadline } from '../time/deadline.ts'
import { finish } from '../time/turns.ts'
import {
  type AuthKey,
  authKeyOf,
  type KeyAccounts,
  keyOf,
  keysOf,
  keysWithAccounts,
  pack,
  rowOf,
  wordsOf,
} from './key-rows.ts'
import { assertRoom, full, type Mirror, parts } from './mirror.ts'
import { OperationQueue } from './queue.ts'
import type { WatchedDatabase } from './watched-database.ts'

export type { AuthKey } from './key-rows.ts'

/** How often `purge` should be called, and the age at which expired keys leave memory and database. */
export const PURGE_EVERY_MILLISECONDS = 10 * 60_000
export const EXPIRED_IN_MEMORY_MILLISECONDS = 3_600_000
export const EXPIRED_IN_DATABASE_SECONDS = 7 * 86_400

/** Keys of one account that are read at once. */
const PAGE = 1_000

const TARGET = 'PERMISSIONS'

/** An auth key to add: `key` null = generate one; `secondsValid` null = permanent. */
export type NewKey = {
  readonly key: string | null
  readonly secondsValid: bigint | null
  /** Keys of one user share an account; null or absent: it has one of its own. Ignored where there are no accounts. */
  readonly userId?: bigint | null
}

/** What the management API uses of it. */
export type PermissionStore = Omit<
  Permissions,
  | 'load'
  | 'prepare'
  | 'follow'
  | 'followAccount'
  | 'change'
  | 'settled'
  | 'purge'
  | typeof Symbol.asyncDispose
>

export type PermissionFault = Error & { readonly fault: Fault }

type PermissionsOptions = {
  readonly database: WatchedDatabase
  readonly access: Access | undefined
  readonly clock: Clock
  readonly log: Log
  /** Where each key has an account; otherwise undefined. */
  readonly accounts?: KeyAccounts | undefined
}

/**
 * Each method changes the database first, then the tables that the serving threads read. It rejects with a
 * `PermissionFault` when the database fails: nothing was changed then, unless the message leaves that open. Calls
 * are carried out one after the other, in their order.
 */
export class Permissions {
  readonly #watch: WatchedDatabase
  readonly #database: Database
  /** Keys that are forgotten when they have expired. */
  #expiring: Keys | undefined
  readonly #whitelist: Mirror
  readonly #keys: Mirror
  readonly #clock: Clock
  readonly #log: Log
  readonly #queue: OperationQueue
  readonly #accounts: KeyAccounts | undefined
  #isEnding = false

  constructor({ database: watch, access, clock, log, accounts }: PermissionsOptions) {
    const { database } = watch
    this.#watch = watch
    this.#database = database
    this.#whitelist = {
      name: 'whitelist',
      entries: 'whitelisted torrents',
      table: undefined,
      parts: () => parts((from) => database.readWhitelist(from), packHashes),
    }
    this.#keys = {
      name: 'keys',
      entries: 'keys',
      table: undefined,
      parts: () => (accounts === undefined ? keysOf(database) : keysWithAccounts(accounts)),
    }
    this.#accounts = accounts
    this.#clock = clock
    this.#log = log
    this.#queue = new OperationQueue(database.about)
    this.follow(access)
  }

  /** Fills the tables, which are empty, before the first request. */
  load(): Promise<void> {
    return this.#queue.inTurn(async () => {
      for (const mirror of [this.#whitelist, this.#keys])
        if (mirror.table !== undefined) await this.#fill(mirror, mirror.table)
    })
  }

  /**
   * Fills the tables that `access` has and this has not, and keeps them up to date from here on. Call `follow` next:
   * with `access`, or with what there was before, also if it rejects.
   */
  prepare(access: Access | undefined): Promise<void> {
    return this.#queue.inTurn(async () => {
      for (const mirror of [this.#whitelist, this.#keys]) {
        const table = access?.[mirror.name]
        if (table === undefined || mirror.table !== undefined) continue
        await this.#fill(mirror, table)
        mirror.table = table
      }
    })
  }

  /** Keeps the tables of `access` up to date, which are filled, and no others. */
  follow(access: Access | undefined): void {
    this.#whitelist.table = access?.whitelist
    this.#keys.table = access?.keys
    this.#expiring = access?.checksExpiration ? access.keys : undefined
  }

  /** Resolves when everything that was begun has ended: no table of before is changed any more. */
  settled(): Promise<void> {
    return this.#queue.inTurn(async () => {})
  }

  /** Packed info hashes, 20 bytes each. */
  addToWhitelist(hashes: Uint8Array): Promise<void> {
    return this.#queue.inTime(async (deadline) => {
      assertRoom(this.#whitelist, hashes.length / INFO_HASH_BYTES)
      await this.#write(this.#database.addToWhitelist(hashes, deadline))
      const { table } = this.#whitelist
      if (table !== undefined) await finish(table.putAll(packHashes(hashes)))
    })
  }

  removeFromWhitelist(hashes: Uint8Array): Promise<void> {
    return this.#queue.inTime(async (deadline) => {
      await this.#write(this.#database.removeFromWhitelist(hashes, deadline))
      const { table } = this.#whitelist
      if (table !== undefined) await finish(table.removeAll(packHashes(hashes).words))
    })
  }

  reloadWhitelist(): Promise<void> {
    // Without the deadline: a long list is read to its end, although the caller hears no more of it.
    return this.#queue.inTime(() => this.#reload(this.#whitelist))
  }

  listWhitelist(offset: number, limit: number): Promise<Uint8Array> {
    return this.#queue.inTime((deadline) => this.#database.listWhitelist(offset, limit, deadline))
  }

  /** In the order of `keys`. `duplicate` when a key exists already or is given twice: nothing was added. */
  addKeys(keys: readonly NewKey[]): Promise<readonly AuthKey[]> {
    return this.#queue.inTime(async (deadline) => {
      const { table } = this.#keys
      assertRoom(this.#keys, keys.length)
      const now = BigInt(this.#clock.milliseconds())
      const added = keys.map(({ key, secondsValid }) => ({
        key: key ?? randomKey(),
        expires: secondsValid === null ? null : now + secondsValid * 1000n,
      }))
      assertKeys(added.map(({ key }) => key))
      if (this.#accounts === undefined) {
        await this.#write(this.#database.addKeys(added.map(rowOf), deadline))
        if (table !== undefined) await finish(table.putAll(pack(added)))
        return added
      }
      const userIds = keys.map(({ userId = null }) => userId)
      return await this.#write(this.#addWithAccounts(this.#accounts, added, userIds, deadline))
    })
  }

  /** The number of keys that existed. */
  removeKeys(keys: readonly string[]): Promise<number> {
    return this.#queue.inTime(async (deadline) => {
      const database = this.#accounts?.database ?? this.#database
      const count = await this.#write(database.removeKeys(keys, deadline))
      const { table } = this.#keys
      if (table !== undefined) await finish(table.removeAll(wordsOf(keys)))
      return count
    })
  }

  /**
   * Gives the account of `key` another key in its place, which is good for as long; `newKey` null = generate one. At no
   * time is neither of them served. null: there is no such key.
   */
  replaceKey(key: string, newKey: string | null): Promise<AuthKey | null> {
    return this.#queue.inTime(async (deadline) => {
      const accounts = this.#accounts
      if (accounts === undefined)
        throw new DatabaseError('invalid', 'keys have no accounts: core.accounting.level')
      const { table } = this.#keys
      assertRoom(this.#keys, 1)
      const fresh = newKey ?? randomKey()
      assertKeys([fresh])
      const row = await this.#write(accounts.database.replaceKey(key, fresh, deadline))
      if (row === null) return null
      const replaced = authKeyOf(row)
      if (table !== undefined) {
        if (accounts.known.isEnabled(row.account)) await finish(table.putAll(pack([replaced])))
        await finish(table.removeAll(wordsOf([key])))
      }
      return replaced
    })
  }

  reloadKeys(): Promise<void> {
    return this.#queue.inTime(() => this.#reload(this.#keys))
  }

  listKeys(offset: number, limit: number): Promise<readonly AuthKey[]> {
    return this.#queue.inTime(async (deadline) => {
      if (this.#accounts === undefined)
        return (await this.#database.listKeys(offset, limit, deadline)).map(keyOf)
      const rows = await this.#accounts.database.listKeys(null, offset, limit, deadline)
      return rows.map(authKeyOf)
    })
  }

  /**
   * Does `work`, which changes something in the database that memory follows, in its turn. If it fails in the middle,
   * memory is read again once the database works.
   */
  change<T>(work: (deadline: Deadline) => Promise<T>): Promise<T> {
    return this.#queue.inTime((deadline) => this.#write(work(deadline)))
  }

  /** Part of a `change`: keys of an account are served from here on, or not, as is decided about it. */
  async followAccount(account: number, deadline: Deadline): Promise<void> {
    const { table } = this.#keys
    if (table === undefined || this.#accounts === undefined) return
    const { database, known } = this.#accounts
    for (let offset = 0, isLast = false; !isLast; offset += PAGE) {
      const rows = await database.listKeys(account, offset, PAGE, deadline)
      if (known.isEnabled(account)) await finish(table.putAll(pack(rows.map(authKeyOf))))
      else await finish(table.removeAll(wordsOf(rows.map(({ key }) => key))))
      isLast = rows.length < PAGE
    }
  }

  /**
   * To be called from time to time: forgets keys that expired long ago, if expiry is checked. Memory first, which must
   * not grow while the database fails. Never rejects: the log has the reason, and the next call tries again.
   */
  async purge(): Promise<void> {
    const table = this.#expiring
    if (table === undefined) return
    const now = this.#clock.milliseconds()
    const second = BigInt(Math.floor(now / 1000) - EXPIRED_IN_DATABASE_SECONDS)
    const remove = () =>
      this.#reported('removing expired keys', () => this.#database.removeKeysExpiredBefore(second))
    try {
      const gone = now - EXPIRED_IN_MEMORY_MILLISECONDS
      await this.#queue.inTurn(() => finish(table.removeExpired(gone)))
      // Each in a turn of its own: other operations wait for one of them, not for all.
      while (!this.#isEnding && (await this.#queue.inTurn(remove)) === MOST_EXPIRED_KEYS);
    } catch {}
  }

  /** Resolves when all operations are done, or after a moment if the database does not answer. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    return this.#queue.end()
  }

  async #addWithAccounts(
    { database, known }: KeyAccounts,
    added: readonly AuthKey[],
    userIds: readonly (bigint | null)[],
    deadline: Deadline,
  ): Promise<readonly AuthKey[]> {
    const rows = added.map((one, i) => ({ ...rowOf(one), userId: userIds[i]! }))
    const stored = await database.addKeys(rows, deadline)
    await known.learn(
      stored.map(({ account }) => account),
      deadline,
    )
    const keys = added.map((one, i) => {
      const { account, userId } = stored[i]!
      return { ...one, account, userId }
    })
    const { table } = this.#keys
    const served = keys.filter(({ account }) => known.isEnabled(account))
    if (table !== undefined) await finish(table.putAll(pack(served)))
    return keys
  }

  async #fill(mirror: Mirror, table: Table): Promise<void> {
    for await (const part of mirror.parts())
      if (!(await finish(table.putAll(part)))) throw full(mirror.entries, table)
    const { entries } = mirror
    this.#log.info(TARGET, '{entries} known: {count}', { entries, count: table.size })
  }

  #reload(mirror: Mirror): Promise<void> {
    return this.#reported(`reloading the ${mirror.name}`, async () => {
      // Nothing to fill, but a database that cannot be read is an error all the same.
      if (mirror.table === undefined) return void (await mirror.parts().next())
      // All of it is read before anything changes.
      const read = await Array.fromAsync(mirror.parts())
      if (!(await finish(mirror.table.replace(read)))) throw full(mirror.entries, mirror.table)
    })
  }

  /** After a write whose outcome is unknown, or that is done in part, memory and database may differ. */
  async #write<T>(change: Promise<T>): Promise<T> {
    try {
      return await change
    } catch (error) {
      const isHalfDone = this.#accounts !== undefined && !leavesAll(error)
      if (isInDoubt(error) || isHalfDone) this.#watch.whenItWorks(this.#readAgain)
      throw error
    }
  }

  readonly #readAgain = async (): Promise<void> => {
    try {
      await Promise.all([
        this.#queue.inTurn(() => this.#reload(this.#whitelist)),
        this.#queue.inTurn(() => this.#reload(this.#keys)),
      ])
    } catch {
      this.#watch.whenItWorks(this.#readAgain)
    }
  }

  /** Logs a failure. */
  async #reported<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      // Only a `DatabaseError` promises that its message holds no secret.
      const reason = error instanceof DatabaseError ? error.message : 'internal error'
      this.#log.error(TARGET, '{what} failed: {reason}', { what, reason })
      throw error
    }
  }
}

function assertKeys(keys: readonly string[]): void {
  if (!keys.every(isAuthKey))
    throw new DatabaseError('invalid', `a key is ${KEY_CHARACTERS} letters and digits`)
}

/** Whether nothing was changed, neither here nor there: the data of the call was wrong. */
const leavesAll = (error: unknown): boolean =>
  error instanceof DatabaseError && (error.fault === 'duplicate' || error.fault === 'invalid')
