/**
 * Administration of keys and whitelist (docs/behaviours.md K12–K15). No message contains a key, and the thread is
 * never held up for longer than a turn.
 */
import type { Access } from '../access/access.ts'
import { type Keys, packKeys, randomKey } from '../access/keys.ts'
import { packHashes } from '../access/whitelist.ts'
import { INFO_HASH_BYTES, isAuthKey, KEY_CHARACTERS } from '../bittorrent.ts'
import {
  CALL_MILLISECONDS,
  closed,
  type Database,
  DatabaseError,
  type Fault,
  isInDoubt,
  type KeyRow,
  late,
  MOST_EXPIRED_KEYS,
  notBegun,
  type Part,
} from '../database/contract.ts'
import type { Log } from '../log/log.ts'
import type { Entries, Table } from '../memory/table.ts'
import type { Clock } from '../time/clock.ts'
import { Deadline } from '../time/deadline.ts'
import { finish } from '../time/turns.ts'
import type { WatchedDatabase } from './watched-database.ts'

/** How often `purge` should be called, and the age at which expired keys leave memory and database. */
export const PURGE_EVERY_MILLISECONDS = 10 * 60_000
export const EXPIRED_IN_MEMORY_MILLISECONDS = 3_600_000
export const EXPIRED_IN_DATABASE_SECONDS = 7 * 86_400

const TARGET = 'PERMISSIONS'

/** An auth key as it is administered. */
export type AuthKey = {
  readonly key: string
  /** End of its validity in milliseconds since the epoch, fractions of a second included; null = permanent. */
  readonly expires: bigint | null
}

/** An auth key to add: `key` null = generate one; `secondsValid` null = permanent. */
export type NewKey = { readonly key: string | null; readonly secondsValid: bigint | null }

/** What the management API uses of it. */
export type PermissionStore = Omit<
  Permissions,
  'load' | 'prepare' | 'follow' | 'settled' | 'purge' | typeof Symbol.asyncDispose
>

export type PermissionFault = Error & { readonly fault: Fault }

type PermissionsOptions = {
  readonly database: WatchedDatabase
  readonly access: Access | undefined
  readonly clock: Clock
  readonly log: Log
}

/** A table that serving threads read, and what fills it. */
type Mirror = {
  readonly name: 'whitelist' | 'keys'
  readonly entries: string
  /** undefined: nothing reads it, and the database has everything. */
  table: Table | undefined
  /** All that the database holds, part by part. */
  parts(): AsyncGenerator<Entries, void, void>
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
  #isEnding = false

  constructor({ database: watch, access, clock, log }: PermissionsOptions) {
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
      parts: () =>
        parts(
          (from) => database.readKeys(from),
          (rows) => pack(rows.map(keyOf)),
        ),
    }
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
      if (!added.every(({ key }) => isAuthKey(key)))
        throw new DatabaseError('invalid', `a key is ${KEY_CHARACTERS} letters and digits`)
      await this.#write(this.#database.addKeys(added.map(rowOf), deadline))
      if (table !== undefined) await finish(table.putAll(pack(added)))
      return added
    })
  }

  /** The number of keys that existed. */
  removeKeys(keys: readonly string[]): Promise<number> {
    return this.#queue.inTime(async (deadline) => {
      const count = await this.#write(this.#database.removeKeys(keys, deadline))
      const { table } = this.#keys
      const { words } = packKeys(keys.map((key) => ({ key, validUntil: 0 })))
      if (table !== undefined) await finish(table.removeAll(words))
      return count
    })
  }

  reloadKeys(): Promise<void> {
    return this.#queue.inTime(() => this.#reload(this.#keys))
  }

  listKeys(offset: number, limit: number): Promise<readonly AuthKey[]> {
    return this.#queue.inTime(async (deadline) => {
      const rows = await this.#database.listKeys(offset, limit, deadline)
      return rows.map(keyOf)
    })
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

  /** After a write whose outcome is unknown, memory and database may differ. */
  async #write<T>(change: Promise<T>): Promise<T> {
    try {
      return await change
    } catch (error) {
      if (isInDoubt(error)) this.#watch.whenItWorks(this.#readAgain)
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

/** Time for the operations at the end: a database that hangs must not keep the program. */
const END_MILLISECONDS = 1_000

/** Operations, one after the other. */
export class OperationQueue {
  readonly #about: string
  readonly #milliseconds: number
  #last: Promise<unknown> = Promise.resolve()
  /** Nothing is begun any more. */
  #isOver = false

  /** `about`: the database, for messages. `milliseconds`: less than the API gives a request (A6). */
  constructor(about: string, milliseconds = CALL_MILLISECONDS) {
    this.#about = about
    this.#milliseconds = milliseconds
  }

  /** Does `work` when all earlier operations have ended, well or badly. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      if (this.#isOver) throw closed(this.#about)
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
    const deadline = Deadline.in(this.#milliseconds)
    let isBegun = false
    const turn = this.inTurn(async () => {
      if (deadline.isOver) throw notBegun(this.#about)
      isBegun = true
      return await work(deadline)
    })
    return deadline.run(
      () => turn,
      () => (isBegun ? late(this.#about) : notBegun(this.#about)),
    )
  }

  /**
   * Resolves when everything is done, or after a moment: from then on nothing is begun. The database is closed
   * next, which ends what still hangs.
   */
  async end(milliseconds = END_MILLISECONDS): Promise<void> {
    this.#isOver = !(await Deadline.in(milliseconds).waitFor(this.#last))
  }
}

/** A long table of the database, part by part, as `pack` returns it. */
async function* parts<T>(
  read: (from: bigint) => Promise<Part<T>>,
  pack: (rows: T) => Entries,
): AsyncGenerator<Entries, void, void> {
  for (let from: bigint | undefined = 0n; from !== undefined; ) {
    const { rows, next }: Part<T> = await read(from)
    yield pack(rows)
    from = next
  }
}

/** Before the database is changed: what it holds must fit in memory. */
function assertRoom(mirror: Mirror, count: number): void {
  const { table, entries } = mirror
  if (table?.hasRoom(count) === false) throw full(entries, table)
}

const full = (entries: string, { capacity }: Table): DatabaseError =>
  new DatabaseError('refused', `the memory has room for ${capacity} ${entries} and no more`)

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
