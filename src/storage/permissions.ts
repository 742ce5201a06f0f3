/**
 * Administration of keys and whitelist (docs/behaviours.md K12–K15). No message contains a key, and the thread is
 * never held up for longer than a turn.
 */
import type { Access } from '../access/access.ts'
import { type Keys, packKeys, randomKey } from '../access/keys.ts'
import type { Table } from '../access/table.ts'
import { packHashes, type Whitelist } from '../access/whitelist.ts'
import { INFO_HASH_BYTES, isAuthKey, KEY_CHARACTERS } from '../bittorrent.ts'
import {
  CALL_MILLISECONDS,
  type Database,
  DatabaseError,
  type Fault,
  isNotBegun,
  type KeyRow,
  MOST_EXPIRED_KEYS,
  type Part,
} from '../database/contract.ts'
import type { Log } from '../log.ts'
import type { Clock } from '../time/clock.ts'
import { Deadline } from '../time/deadline.ts'
import { finish } from '../time/turns.ts'
import type { WatchedDatabase } from './watched-database.ts'

/** How often `purge` should be called, and the age at which expired keys leave memory and database. */
export const PURGE_EVERY_MILLISECONDS = 10 * 60_000
export const EXPIRED_IN_MEMORY_MILLISECONDS = 3_600_000
export const EXPIRED_IN_DATABASE_SECONDS = 7 * 86_400

/** Attempts to generate keys that do not exist; only very bad luck needs the second. */
const ATTEMPTS = 3
const TARGET = 'PERMISSIONS'
const HASHES = 'whitelisted torrents'
const KEYS = 'keys'

/** Beyond this (year 262142) a reference tracker on the same database could not print the expiry. */
export const LAST_EXPIRY_SECOND = 8_210_266_876_799n

/** An auth key as it is administered. */
export type AuthKey = {
  readonly key: string
  /** End of its validity in milliseconds since the epoch, fractions of a second included; null = permanent. */
  readonly expires: bigint | null
}

/** An auth key to add: `key` null = generate one; `secondsValid` null = permanent, else up to `LAST_EXPIRY_SECOND`. */
export type NewKey = { readonly key: string | null; readonly secondsValid: bigint | null }

/**
 * Each method changes the database first, then the tables that the
 * serving threads read. It rejects with a `PermissionFault` when the database fails: nothing was changed
 * then, unless the message says that this is not known. Calls are carried out one after the other, in their order.
 */
export interface PermissionStore {
  /** Packed info hashes, 20 bytes each. */
  addToWhitelist(hashes: Uint8Array): Promise<void>
  removeFromWhitelist(hashes: Uint8Array): Promise<void>
  reloadWhitelist(): Promise<void>
  listWhitelist(offset: number, limit: number): Promise<Uint8Array>
  /** In the order of `keys`. `duplicate` when a key exists already or is given twice: nothing was added. */
  addKeys(keys: readonly NewKey[]): Promise<readonly AuthKey[]>
  /** The number of keys that existed. */
  removeKeys(keys: readonly string[]): Promise<number>
  reloadKeys(): Promise<void>
  listKeys(offset: number, limit: number): Promise<readonly AuthKey[]>
}

export type PermissionFault = Error & { readonly fault: Fault }

type PermissionsOptions = {
  readonly database: WatchedDatabase
  /** A table that is absent is not kept in memory: nothing reads it, and the database has everything. */
  readonly access: Access | undefined
  readonly clock: Clock
  readonly log: Log
}

export class Permissions implements PermissionStore {
  readonly #database: WatchedDatabase
  readonly #whitelist: Whitelist | undefined
  readonly #keys: Keys | undefined
  readonly #purges: boolean
  readonly #clock: Clock
  readonly #log: Log
  readonly #queue: OperationQueue
  #isEnding = false

  constructor({ database, access, clock, log }: PermissionsOptions) {
    this.#database = database
    this.#whitelist = access?.whitelist
    this.#keys = access?.keys
    this.#purges = access?.checksExpiration ?? false
    this.#clock = clock
    this.#log = log
    this.#queue = new OperationQueue(database.about)
  }

  /** Fills the tables, which are empty, before the first request. */
  load(): Promise<void> {
    return this.#queue.inTurn(async () => {
      if (this.#whitelist !== undefined) {
        for await (const hashes of this.#hashes())
          if (!(await finish(this.#whitelist.putAll(packHashes(hashes)))))
            throw full(this.#whitelist, HASHES)
        this.#log.info(TARGET, `${this.#whitelist.size} torrents are whitelisted`)
      }
      if (this.#keys !== undefined) {
        for await (const rows of this.#keyRows())
          if (!(await finish(this.#keys.putAll(pack(rows.map(keyOf))))))
            throw full(this.#keys, KEYS)
        this.#log.info(TARGET, `${this.#keys.size} keys are known`)
      }
    })
  }

  addToWhitelist(hashes: Uint8Array): Promise<void> {
    return this.#queue.inTime(async (deadline) => {
      assertRoom(this.#whitelist, HASHES, hashes.length / INFO_HASH_BYTES)
      await this.#write((database) => database.addToWhitelist(hashes, deadline))
      if (this.#whitelist !== undefined) await finish(this.#whitelist.putAll(packHashes(hashes)))
    })
  }

  removeFromWhitelist(hashes: Uint8Array): Promise<void> {
    return this.#queue.inTime(async (deadline) => {
      await this.#write((database) => database.removeFromWhitelist(hashes, deadline))
      const { words } = packHashes(hashes)
      if (this.#whitelist !== undefined) await finish(this.#whitelist.removeAll(words))
    })
  }

  reloadWhitelist(): Promise<void> {
    // Without the deadline: a long list is read to its end, although the caller hears no more of it.
    return this.#queue.inTime(() => this.#readWhitelist())
  }

  listWhitelist(offset: number, limit: number): Promise<Uint8Array> {
    return this.#queue.inTime((deadline) =>
      this.#database.ask((database) => database.listWhitelist(offset, limit, deadline)),
    )
  }

  addKeys(keys: readonly NewKey[]): Promise<readonly AuthKey[]> {
    return this.#queue.inTime(async (deadline) => {
      assertRoom(this.#keys, KEYS, keys.length)
      const added = await this.#store(keys, deadline)
      if (this.#keys !== undefined) await finish(this.#keys.putAll(pack(added)))
      return added
    })
  }

  removeKeys(keys: readonly string[]): Promise<number> {
    return this.#queue.inTime(async (deadline) => {
      const count = await this.#write((database) => database.removeKeys(keys, deadline))
      const { words } = packKeys(keys.map((key) => ({ key, validUntil: 0 })))
      if (this.#keys !== undefined) await finish(this.#keys.removeAll(words))
      return count
    })
  }

  reloadKeys(): Promise<void> {
    return this.#queue.inTime(() => this.#readKeys())
  }

  listKeys(offset: number, limit: number): Promise<readonly AuthKey[]> {
    return this.#queue.inTime(async (deadline) => {
      const rows = await this.#database.ask((database) =>
        database.listKeys(offset, limit, deadline),
      )
      return rows.map(keyOf)
    })
  }

  /** To be called from time to time: forgets keys that expired long ago, if expiry is checked. Never rejects. */
  async purge(): Promise<void> {
    const keys = this.#keys
    if (!this.#purges || keys === undefined) return
    // The log has the reason; the next call tries again.
    await this.#purge(keys).catch(() => undefined)
  }

  /** Resolves when all operations are done, or after a moment if the database does not answer. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    return this.#queue.end()
  }

  #readWhitelist(): Promise<void> {
    return this.#reported('reloading the whitelist', async () => {
      // Nothing to fill, but a database that cannot be read is an error all the same.
      if (this.#whitelist === undefined)
        return void (await this.#database.ask((database) => database.listWhitelist(0, 1)))
      // All of it is read before anything changes.
      const parts = await Array.fromAsync(this.#hashes(), packHashes)
      if (!(await finish(this.#whitelist.replace(parts)))) throw full(this.#whitelist, HASHES)
    })
  }

  #readKeys(): Promise<void> {
    return this.#reported('reloading the keys', async () => {
      if (this.#keys === undefined)
        return void (await this.#database.ask((database) => database.listKeys(0, 1)))
      const parts = await Array.fromAsync(this.#keyRows(), (rows) => pack(rows.map(keyOf)))
      if (!(await finish(this.#keys.replace(parts)))) throw full(this.#keys, KEYS)
    })
  }

  /** Memory first, which must not grow while the database fails. */
  async #purge(table: Keys): Promise<void> {
    const now = this.#clock.milliseconds()
    const gone = now - EXPIRED_IN_MEMORY_MILLISECONDS
    await this.#queue.inTurn(() => finish(table.removeExpired(gone)))
    const second = BigInt(Math.floor(now / 1000) - EXPIRED_IN_DATABASE_SECONDS)
    const remove = () =>
      this.#reported('removing expired keys', () =>
        this.#database.ask((database) => database.removeKeysExpiredBefore(second)),
      )
    // Each in a turn of its own: other operations wait for one of them, not for all.
    while (!this.#isEnding && (await this.#queue.inTurn(remove)) === MOST_EXPIRED_KEYS);
  }

  /** After a write whose outcome is unknown, memory and database may differ. */
  async #write<T>(change: (database: Database) => Promise<T>): Promise<T> {
    try {
      return await this.#database.ask(change)
    } catch (error) {
      const fault = error instanceof DatabaseError ? error.fault : 'late'
      const isInDoubt = (fault === 'late' && !isNotBegun(error)) || fault === 'unreachable'
      if (isInDoubt) this.#database.whenItWorks(this.#readAgain)
      throw error
    }
  }

  readonly #readAgain = async (): Promise<void> => {
    try {
      await Promise.all([
        this.#queue.inTurn(() => this.#readWhitelist()),
        this.#queue.inTurn(() => this.#readKeys()),
      ])
    } catch {
      this.#database.whenItWorks(this.#readAgain)
    }
  }

  /** Writes the keys to the database, and generates those that are not given. */
  async #store(keys: readonly NewKey[], deadline: Deadline): Promise<AuthKey[]> {
    const now = BigInt(this.#clock.milliseconds())
    const generates = keys.some(({ key }) => key === null)
    for (let left = generates ? ATTEMPTS : 1; ; left--) {
      const named = keys.map(({ key, secondsValid }) => ({
        key: key ?? randomKey(),
        expires: secondsValid === null ? null : now + secondsValid * 1000n,
      }))
      if (!named.every(({ key }) => isAuthKey(key)))
        throw new DatabaseError('invalid', `a key is ${KEY_CHARACTERS} letters and digits`)
      try {
        await this.#write((database) => database.addKeys(named.map(rowOf), deadline))
        return named
      } catch (error) {
        const isTaken = error instanceof DatabaseError && error.fault === 'duplicate'
        if (!isTaken || left === 1) throw error
      }
    }
  }

  #hashes(): AsyncGenerator<Uint8Array, void, void> {
    return parts((from) => this.#database.ask((database) => database.readWhitelist(from)))
  }

  #keyRows(): AsyncGenerator<readonly KeyRow[], void, void> {
    return parts((from) => this.#database.ask((database) => database.readKeys(from)))
  }

  /** Logs a failure. */
  async #reported<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      // Only a `DatabaseError` promises that its message holds no secret.
      const reason = error instanceof DatabaseError ? error.message : 'internal error'
      this.#log.error(TARGET, `${what} failed: ${reason}`)
      throw error
    }
  }
}

type OperationLimits = {
  /** Less than the API gives a request (A6), more than one call of the database may take. */
  readonly operationMilliseconds: number
  /** Time for the operations at the end: a database that hangs must not keep the program. */
  readonly endMilliseconds: number
}
const LIMITS: OperationLimits = { operationMilliseconds: 4_500, endMilliseconds: 1_000 }

/** Operations, one after the other. */
export class OperationQueue {
  readonly #about: string
  readonly #limits: OperationLimits
  #last: Promise<unknown> = Promise.resolve()
  /** Nothing is begun any more. */
  #isOver = false

  /** `about`: the database, for messages. */
  constructor(about: string, limits = LIMITS) {
    this.#about = about
    this.#limits = limits
  }

  /** Does `work` when all earlier operations have ended, well or badly. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      if (this.#isOver) throw this.#error('unreachable', 'is being closed')
      return work()
    })
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /**
   * The same for a caller who must be answered in time: its wait for the earlier ones counts. Work that has not
   * begun by the deadline is never done. Work that has begun may use the deadline, and goes on after it.
   */
  inTime<T>(work: (deadline: Deadline) => Promise<T>): Promise<T> {
    const { operationMilliseconds } = this.#limits
    const deadline = Deadline.in(operationMilliseconds)
    let isBegun = false
    const late = () => {
      const rest = isBegun ? 'whether it will be done is not known' : 'nothing was changed'
      const seconds = operationMilliseconds / 1_000
      return this.#error('late', `has not answered within ${seconds} s; ${rest}`)
    }
    const turn = this.inTurn(async () => {
      if (deadline.isOver) throw late()
      isBegun = true
      // After a long wait in the queue the call has less time than its own messages say.
      const isCut = deadline.left < CALL_MILLISECONDS
      try {
        return await work(deadline)
      } catch (error) {
        if (!isCut || !(error instanceof DatabaseError) || error.fault !== 'late') throw error
        isBegun = !isNotBegun(error)
        throw late()
      }
    })
    return deadline.run(() => turn, late)
  }

  /**
   * Resolves when everything is done, or after a moment: from then on nothing is begun. The database is closed
   * next, which ends what still hangs.
   */
  async end(): Promise<void> {
    const isDone = await Deadline.in(this.#limits.endMilliseconds).waitFor(this.#last)
    if (!isDone) this.#isOver = true
  }

  #error(fault: Fault, what: string): DatabaseError {
    return new DatabaseError(fault, `the database ${this.#about} ${what}`)
  }
}

/** A long table of the database, part by part. */
async function* parts<T>(read: (from: bigint) => Promise<Part<T>>): AsyncGenerator<T, void, void> {
  for (let from: bigint | undefined = 0n; from !== undefined; ) {
    const { rows, next }: Part<T> = await read(from)
    yield rows
    from = next
  }
}

/** Before the database is changed: what it holds must fit in memory. */
function assertRoom(table: Table | undefined, what: string, count: number): void {
  if (table !== undefined && !table.hasRoom(count)) throw full(table, what)
}

const full = (table: Table, what: string): DatabaseError =>
  new DatabaseError('refused', `the memory has room for ${table.capacity} ${what} and no more`)

const rowOf = ({ key, expires }: AuthKey): KeyRow => ({
  key,
  validUntil: expires === null ? null : expires / 1000n,
})

const keyOf = ({ key, validUntil }: KeyRow): AuthKey => ({
  key,
  expires: validUntil === null ? null : validUntil * 1000n,
})

const pack = (keys: readonly AuthKey[]) =>
  packKeys(
    keys.map(({ key, expires }) => ({
      key,
      validUntil: expires === null ? Infinity : Number(expires),
    })),
  )
