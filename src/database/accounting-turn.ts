/**
 * One accounting write. Writers take turns: the first thing each does is to lock the sequence, which also keeps them
 * from deadlocks. A transaction that does not end its turn takes no number, and leaves no trace of it.
 */
import { STATE } from './accounting-schema.ts'
import type { AccountingDialect } from './accounting-sql.ts'
import { DatabaseError } from './contract.ts'
import { batch } from './dialects.ts'
import { type Session, wholeNumber } from './session.ts'

/** Rows of `AccountingDialect.lock`. */
const LOCKED = 3

export class Turn {
  readonly session: Session
  readonly sql: AccountingDialect
  /** Number of this write. */
  readonly sequence: bigint
  readonly #stored: ReadonlyMap<string, bigint>
  #lastAccount: bigint
  #lastTorrent: bigint

  private constructor(
    session: Session,
    sql: AccountingDialect,
    stored: ReadonlyMap<string, bigint>,
  ) {
    this.session = session
    this.sql = sql
    this.#stored = stored
    this.sequence = stored.get(STATE.sequence)! + 1n
    this.#lastAccount = stored.get(STATE.lastAccount)!
    this.#lastTorrent = stored.get(STATE.lastTorrent)!
  }

  /** Must be the first of a transaction: what it reads before is of a time before its turn. */
  static async begin(session: Session, sql: AccountingDialect): Promise<Turn> {
    const rows = await session.rows(sql.lock)
    const stored = new Map(rows.map(([name, value]) => [String(name), wholeNumber(value)!]))
    if (stored.size === LOCKED) return new Turn(session, sql, stored)
    throw new DatabaseError(
      'invalid',
      'rows of the table "accounting_state" are missing: restore the database from a backup',
    )
  }

  /** Accounts, each new, by user id; null: without one. Ids in the order of `users`. */
  async makeAccounts(users: readonly (bigint | null)[], now: bigint): Promise<bigint[]> {
    const ids = users.map(() => ++this.#lastAccount)
    const made = ids.map((id, i) => [id, users[i]!, now, this.sequence] as const)
    await batch(
      this.session,
      this.sql.addAccounts,
      made.filter(([, user]) => user === null).map(([id, , ...rest]) => [id, ...rest]),
    )
    await batch(
      this.session,
      this.sql.addUsers,
      made.filter(([, user]) => user !== null),
    )
    return ids
  }

  /** For a torrent that has no row yet. */
  nextTorrent(): bigint {
    return ++this.#lastTorrent
  }

  /** Takes the number. The last statement of the transaction. */
  async end(): Promise<void> {
    const now: readonly (readonly [string, bigint])[] = [
      [STATE.lastAccount, this.#lastAccount],
      [STATE.lastTorrent, this.#lastTorrent],
      [STATE.sequence, this.sequence],
    ]
    for (const [name, value] of now)
      if (value !== this.#stored.get(name))
        await this.session.write(this.sql.setState, [value, name])
  }
}
