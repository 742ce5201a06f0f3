/**
 * What is decided about each account, from the database to the memory that serving threads and the books read.
 * Accounts that another tracker on the database changed are seen when everything is read again.
 */
import type { Accounts } from '../accounting/accounts.ts'
import type { AccountSettings } from '../accounting/batch.ts'
import type { AccountingDatabase } from '../database/accounting-contract.ts'
import type { Log } from '../log/log.ts'
import type { Deadline } from '../time/deadline.ts'
import { Turns } from '../time/turns.ts'

type Row = AccountSettings & { readonly id: number }

/** Of an account that nothing was decided about. */
export const PLAIN: AccountSettings = {
  enabled: true,
  canDownload: true,
  maxDownloads: null,
  maxPeers: null,
  upPercent: 100,
  downPercent: 100,
  freeUntil: null,
  hidden: false,
}

export class KnownAccounts {
  readonly #database: AccountingDatabase
  readonly #accounts: Accounts
  readonly #log: Log
  /** Accounts whose keys are refused. */
  readonly #disabled = new Set<number>()
  #isFull = false
  /** Is called when an account has other limits than before. */
  onLimits: (account: number) => void = () => {}

  constructor(database: AccountingDatabase, accounts: Accounts, log: Log) {
    this.#database = database
    this.#accounts = accounts
    this.#log = log
  }

  isEnabled(account: number): boolean {
    return !this.#disabled.has(account)
  }

  /** Reads what is decided about all accounts whose number is greater than `after` and not greater than `last`. */
  async read(after = 0, last = Number.POSITIVE_INFINITY, deadline?: Deadline): Promise<void> {
    const turns = new Turns()
    for (let from: bigint | undefined = BigInt(after); from !== undefined; ) {
      const { rows, next } = await this.#database.readSettings(from, deadline)
      for (const row of rows) {
        this.set(row)
        if (turns.isOver) await turns.next()
      }
      from = (rows.at(-1)?.id ?? last) >= last ? undefined : next
    }
  }

  /** Reads those of `accounts` that are not known: new ones, and some that another tracker made. */
  async learn(accounts: Iterable<number>, deadline?: Deadline): Promise<void> {
    let first = Number.POSITIVE_INFINITY
    let last = 0
    for (const account of accounts) {
      if (this.#accounts.knows(account)) continue
      first = Math.min(first, account)
      last = Math.max(last, account)
    }
    if (last > 0) await this.read(first - 1, last, deadline)
  }

  set(row: Row): void {
    const { id, enabled } = row
    if (enabled) this.#disabled.delete(id)
    else this.#disabled.add(id)
    const before = this.#limits(id)
    if (!this.#accounts.set(id, row)) this.#sayFull()
    else if (this.#limits(id) !== before) this.onLimits(id)
  }

  /** The account is erased; the books forget the rest of it. */
  forget(id: number): void {
    this.#disabled.delete(id)
  }

  #limits(id: number): string {
    return `${this.#accounts.maxDownloads(id)} ${this.#accounts.maxPeers(id)}`
  }

  #sayFull(): void {
    if (this.#isFull) return
    this.#isFull = true
    this.#log.warn(
      'ACCOUNTING',
      'there are more accounts than the memory has lines for: limits and percentages of the others are ignored',
    )
  }
}
