/** Accounting as the management API, the feeds and the metrics use it. */
import type { AccountSettings, Flag, FlagKind, TorrentSettings } from '../accounting/batch.ts'
import type {
  AccountingDatabase,
  AccountName,
  AccountRow,
  Adjustment,
  Erased,
} from '../database/accounting-contract.ts'

export type AccountingStatus = {
  readonly level: 'torrents' | 'users'
  /** Number of the last write. */
  readonly batch: number
  /** Sessions that owe the database something, and bytes up and down that they owe. */
  readonly owedRecords: number
  readonly owedBytes: number
  /** Seconds since the oldest of it is owed. */
  readonly lagSeconds: number
  /** Announces that no ring had room for. */
  readonly eventsLost: number
  readonly sessions: number
  /** undefined: the database works. No secrets. */
  readonly trouble: string | undefined
}

/** What happened, after it was written. `batch`: number of the write; there are rows in `changes` that were not before. */
export type AccountingEvent =
  | { readonly kind: 'batch'; readonly batch: number }
  | {
      readonly kind: 'completed'
      readonly batch: number
      readonly account: number
      readonly infoHash: Uint8Array
      readonly at: number
    }
  | { readonly kind: 'flag'; readonly batch: number; readonly flag: Flag }

/**
 * Calls reject with a `DatabaseError`. Those that read answer with everything that was announced before the call, as
 * far as it can be written in a second; only `changes` answers with what is written. Those that change something apply
 * to what is announced after it. The database's own method says what each returns.
 */
export type AccountingStore = Pick<
  AccountingDatabase,
  | 'listAccounts'
  | 'account'
  | 'listRecords'
  | 'torrent'
  | 'putToken'
  | 'removeToken'
  | 'changes'
  | 'listFlags'
  | 'reviewFlag'
  | 'readMark'
  | 'putMark'
> & {
  status(): AccountingStatus
  /** Resolves when what was announced before the call is written: for those who read `changes` at once. */
  settled(): Promise<void>
  /** Torrents that an account leeches and seeds now, as far as this tracker serves it. */
  activity(account: number): { readonly leeching: number; readonly seeding: number }
  changeAccount(name: AccountName, settings: Partial<AccountSettings>): Promise<AccountRow | null>
  adjustAccount(name: AccountName, adjustment: Adjustment): Promise<AccountRow | null>
  eraseAccount(name: AccountName): Promise<Erased | null>
  changeTorrents(
    hashes: Uint8Array,
    settings: Partial<TorrentSettings>,
  ): ReturnType<AccountingDatabase['changeTorrents']>
  /** Calls `listener`, which must not throw, for each event from now on. The result ends that. */
  follow(listener: (event: AccountingEvent) => void): () => void
  meter(): AccountingMeter
}

/** What the metrics show. */
export type AccountingMeter = AccountingStatus & {
  /** Announces by event. */
  readonly events: Readonly<Record<'none' | 'completed' | 'started' | 'stopped', number>>
  /** Part of each serving thread's ring that is in use, from 0 to 1. */
  readonly rings: readonly number[]
  readonly batches: Readonly<Record<'written' | 'failed', number>>
  readonly uploaded: number
  readonly downloaded: number
  readonly flags: Readonly<Record<FlagKind, number>>
  readonly limited: Readonly<Record<'slots' | 'clients' | 'no_download', number>>
}
