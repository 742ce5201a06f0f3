/**
 * Keys and whitelist as they are administered: the database first, then what every thread reads, one
 * operation after the other (spec/torrust-rest-api §6, §7). What fails changes nothing. Never says a
 * key in a message, never keeps the thread for longer than a slice of its work.
 */
import type { Access } from '../access/access.ts'
import { type Keys, packKeys, randomKey } from '../access/keys.ts'
import type { Slices, Table } from '../access/table.ts'
import { packHashes, type Whitelist } from '../access/whitelist.ts'
import { INFO_HASH_BYTES, KEY_CHARACTERS, Key } from '../bittorrent.ts'
import {
  type Database,
  DatabaseError,
  type Fault,
  type KeyRow,
  MOST_EXPIRED_KEYS,
  type Part,
} from '../database/contract.ts'
import type { Log } from '../log.ts'
import type { Clock } from '../time/clock.ts'
import { Queue } from './queue.ts'

/** How often `purge` should be called, and after which time expired keys leave memory and database. */
export const PURGE_EVERY_MILLISECONDS = 10 * 60_000
export const EXPIRED_IN_MEMORY_MILLISECONDS = 3_600_000
export const EXPIRED_IN_DATABASE_SECONDS = 7 * 86_400

/** Tries to find names for keys that are not taken; only very bad luck needs the second. */
const TRIES = 3
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
 * Administration of keys and whitelist. Each method changes the database first, then the tables that the
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

export type PermissionsOptions = {
  readonly database: Database
  /** Tables that are not there are not kept: nobody asks them, the database has it all. */
  readonly access: Access | undefined
  readonly clock: Clock
  readonly log: Log
}

export class Permissions implements PermissionStore {
  readonly #database: Database
  readonly #whitelist: Whitelist | undefined
  readonly #keys: Keys | undefined
  readonly #purges: boolean
  readonly #clock: Clock
  readonly #log: Log
  readonly #queue: Queue
  /** Nobody knows whether a write was done: memory and database may differ. */
  #inDoubt = false
  #isEnding = false

  constructor({ database, access, clock, log }: PermissionsOptions) {
    this.#database = database
    this.#whitelist = access?.whitelist
    this.#keys = access?.keys
    this.#purges = access?.checksExpiration ?? false
    this.#clock = clock
    this.#log = log
    this.#queue = new Queue(database.about)
  }

  /** Fills the tables, which are empty, before anybody asks them. */
  load(): Promise<void> {
    return this.#queue.inTurn(async () => {
      if (this.#whitelist !== undefined) {
        for await (const hashes of this.#hashes())
          if (!(await done(this.#whitelist.putAll(packHashes(hashes)))))
            throw full(this.#whitelist, HASHES)
        this.#log.info(TARGET, `${this.#whitelist.size} torrents are whitelisted`)
      }
      if (this.#keys !== undefined) {
        for await (const rows of this.#keyRows())
          if (!(await done(this.#keys.putAll(packRows(rows))))) throw full(this.#keys, KEYS)
        this.#log.info(TARGET, `${this.#keys.size} keys are known`)
      }
    })
  }

  addToWhitelist(hashes: Uint8Array): Promise<void> {
    return this.#queue.inTime(async () => {
      assertRoom(this.#whitelist, HASHES, hashes.length / INFO_HASH_BYTES)
      await this.#write(() => this.#database.addToWhitelist(hashes))
      if (this.#whitelist !== undefined) await done(this.#whitelist.putAll(packHashes(hashes)))
    })
  }

  removeFromWhitelist(hashes: Uint8Array): Promise<void> {
    return this.#queue.inTime(async () => {
      await this.#write(() => this.#database.removeFromWhitelist(hashes))
      const { words } = packHashes(hashes)
      if (this.#whitelist !== undefined) await done(this.#whitelist.removeAll(words))
    })
  }

  reloadWhitelist(): Promise<void> {
    return this.#queue.inTime(() => this.#readWhitelist())
  }

  listWhitelist(offset: number, limit: number): Promise<Uint8Array> {
    return this.#queue.inTime(() => this.#database.listWhitelist(offset, limit))
  }

  addKeys(keys: readonly NewKey[]): Promise<readonly AuthKey[]> {
    return this.#queue.inTime(async () => {
      assertRoom(this.#keys, KEYS, keys.length)
      const added = await this.#store(keys)
      if (this.#keys !== undefined) await done(this.#keys.putAll(packAuthKeys(added)))
      return added
    })
  }

  removeKeys(keys: readonly string[]): Promise<number> {
    return this.#queue.inTime(async () => {
      const count = await this.#write(() => this.#database.removeKeys(keys))
      const { words } = packKeys(keys.map((key) => ({ key, validUntil: 0 })))
      if (this.#keys !== undefined) await done(this.#keys.removeAll(words))
      return count
    })
  }

  reloadKeys(): Promise<void> {
    return this.#queue.inTime(() => this.#readKeys())
  }

  listKeys(offset: number, limit: number): Promise<readonly AuthKey[]> {
    return this.#queue.inTime(async () =>
      (await this.#database.listKeys(offset, limit)).map(({ key, validUntil }) => ({
        key,
        expires: validUntil === null ? null : validUntil * 1000n,
      })),
    )
  }

  /**
   * To be called from time to time: forgets keys that expired long ago, where expired keys are of no use.
   * Never rejects.
   */
  async purge(): Promise<void> {
    const keys = this.#keys
    if (!this.#purges || keys === undefined) return
    // The log was told; the next call tries again.
    await this.#purge(keys).catch(() => undefined)
  }

  /**
   * To be called often while the database works: reads again what may differ from it, after a write of
   * which nobody knows whether it was done. Never rejects.
   */
  async mend(): Promise<void> {
    if (!this.#inDoubt) return
    this.#inDoubt = false
    try {
      await Promise.all([
        this.#queue.inTurn(() => this.#readWhitelist()),
        this.#queue.inTurn(() => this.#readKeys()),
      ])
    } catch {
      this.#inDoubt = true
    }
  }

  /** Resolves when everything that was asked is done, or the database does not get on with it. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    return this.#queue.end()
  }

  #readWhitelist(): Promise<void> {
    return this.#reported('reloading the whitelist', async () => {
      // Nobody asks it here; that it cannot be read is told all the same.
      if (this.#whitelist === undefined) return void (await this.#database.listWhitelist(0, 1))
      // All of it is read before anything changes.
      const parts = await Array.fromAsync(this.#hashes(), packHashes)
      if (!(await done(this.#whitelist.replace(parts)))) throw full(this.#whitelist, HASHES)
    })
  }

  #readKeys(): Promise<void> {
    return this.#reported('reloading the keys', async () => {
      if (this.#keys === undefined) return void (await this.#database.listKeys(0, 1))
      const parts = await Array.fromAsync(this.#keyRows(), packRows)
      if (!(await done(this.#keys.replace(parts)))) throw full(this.#keys, KEYS)
    })
  }

  /** Memory first, which must not grow while the database fails. */
  async #purge(table: Keys): Promise<void> {
    const now = this.#clock.milliseconds()
    await this.#queue.inTurn(() => done(table.removeExpired(now - EXPIRED_IN_MEMORY_MILLISECONDS)))
    const second = BigInt(Math.floor(now / 1000) - EXPIRED_IN_DATABASE_SECONDS)
    const remove = () =>
      this.#reported('removing expired keys', () => this.#database.removeKeysExpiredBefore(second))
    // Each time a turn of its own: others wait for one of them, not for all.
    while (!this.#isEnding && (await this.#queue.inTurn(remove)) === MOST_EXPIRED_KEYS);
  }

  async #write<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const fault = error instanceof DatabaseError ? error.fault : 'late'
      if (fault === 'late' || fault === 'unreachable') this.#inDoubt = true
      throw error
    }
  }

  /** Puts the keys into the database, with names for those that have none. */
  async #store(keys: readonly NewKey[]): Promise<AuthKey[]> {
    const now = BigInt(this.#clock.milliseconds())
    const scratch = new Key()
    const invents = keys.some(({ key }) => key === null)
    for (let left = invents ? TRIES : 1; ; left--) {
      const named = keys.map(({ key, secondsValid }) => ({
        key: key ?? randomKey(),
        expires: secondsValid === null ? null : now + secondsValid * 1000n,
      }))
      if (!named.every(({ key }) => scratch.read(key)))
        throw new DatabaseError('invalid', `a key is ${KEY_CHARACTERS} letters and digits`)
      try {
        await this.#write(() => this.#database.addKeys(named.map(rowOf)))
        return named
      } catch (error) {
        const isTaken = error instanceof DatabaseError && error.fault === 'duplicate'
        if (!isTaken || left === 1) throw error
      }
    }
  }

  #hashes(): AsyncGenerator<Uint8Array, void, void> {
    return parts((from) => this.#database.readWhitelist(from))
  }

  #keyRows(): AsyncGenerator<readonly KeyRow[], void, void> {
    return parts((from) => this.#database.readKeys(from))
  }

  /** Tells the log of a failure. */
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

/** A long table of the database, part by part. */
async function* parts<T>(read: (from: bigint) => Promise<Part<T>>): AsyncGenerator<T, void, void> {
  for (let from: bigint | undefined = 0n; from !== undefined; ) {
    const { rows, next }: Part<T> = await read(from)
    yield rows
    from = next
  }
}

/** Steps through `slices`; between two steps everybody else has a turn. */
async function done<T>(slices: Slices<T>): Promise<T> {
  for (;;) {
    const step = slices.next()
    if (step.done === true) return step.value
    await new Promise(setImmediate)
  }
}

/** Before the database is asked: what it holds must fit the memory. */
function assertRoom(table: Table | undefined, what: string, count: number): void {
  if (table !== undefined && !table.hasRoom(count)) throw full(table, what)
}

const full = (table: Table, what: string): DatabaseError =>
  new DatabaseError('refused', `the memory has room for ${table.capacity} ${what} and no more`)

const rowOf = ({ key, expires }: AuthKey): KeyRow => ({
  key,
  validUntil: expires === null ? null : expires / 1000n,
})

const packAuthKeys = (keys: readonly AuthKey[]) =>
  packKeys(
    keys.map(({ key, expires }) => ({
      key,
      validUntil: expires === null ? Infinity : Number(expires),
    })),
  )

const packRows = (rows: readonly KeyRow[]) =>
  packKeys(
    rows.map(({ key, validUntil }) => ({
      key,
      validUntil: validUntil === null ? Infinity : Number(validUntil) * 1000,
    })),
  )
