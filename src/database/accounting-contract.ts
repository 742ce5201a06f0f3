/**
 * What accounting asks of a database: accounts, their keys, and what they moved. The tables are called `accounting_…`;
 * those of the reference stay as they are. Info hashes are packed, 20 bytes each. Seconds are Unix seconds. Calls keep the
 * rules of `contract.ts`: each ends by its deadline, and a write is done completely or not at all.
 *
 * Every write takes the next sequence number, which it locks first: writers follow one another, and rows carry the
 * number of the write that changed them last. So what a reader has not seen yet is what has a greater number.
 */
import type {
  AccountingBatch,
  AccountSettings,
  Flag,
  LookupAnswer,
  LookupQuestion,
  TorrentSettings,
} from '../accounting/batch.ts'
import type { Deadline } from '../time/deadline.ts'
import type { KeyRow, Part } from './rows.ts'

export type AccountingState = {
  /** Key of the fingerprints of peer ids, 16 bytes: made with the tables, and kept. */
  readonly secret: Uint8Array
  /** Number of the last write. */
  readonly sequence: number
  readonly accounts: number
  readonly torrents: number
}

/** A key and whose it is. `userId`: what the site calls the user, if it does. */
export type AccountKeyRow = KeyRow & { readonly account: number; readonly userId: bigint | null }

/** Sums of 64 bits. They stop at the largest, and are never negative. */
export type Figures = {
  readonly uploaded: bigint
  readonly downloaded: bigint
  readonly creditedUploaded: bigint
  readonly creditedDownloaded: bigint
  readonly seedSeconds: bigint
  readonly leechSeconds: bigint
}

export type AccountRow = AccountSettings &
  Figures & {
    readonly id: number
    readonly userId: bigint | null
    readonly snatches: bigint
    readonly created: number
    readonly lastSeen: number | null
    /** Number of the write that changed it last. */
    readonly batch: number
  }

export type TorrentRow = TorrentSettings & {
  readonly infoHash: Uint8Array
  readonly uploaded: bigint
  readonly downloaded: bigint
  readonly snatches: bigint
  readonly seedSeconds: bigint
  readonly lastSeen: number | null
  readonly batch: number
}

/** What one account moved of one torrent. */
export type RecordRow = Figures & {
  readonly account: number
  readonly userId: bigint | null
  readonly infoHash: Uint8Array
  /** Bytes that its last announce had left. */
  readonly left: bigint
  readonly isActive: boolean
  readonly isSeeder: boolean
  readonly started: number
  readonly completed: number | null
  readonly lastSeen: number
  readonly announces: bigint
  /** The first 8 bytes of the last peer id of which they are printable and kept; null: there was none. */
  readonly client: string | null
  readonly batch: number
}

export type FlagRow = Flag & { readonly id: number; readonly reviewed: number | null }

export type Written = {
  readonly sequence: number
  /** It had been written before: nothing was added now. */
  readonly isRepeated: boolean
  /** Places of the sessions that were the first of their record to complete. */
  readonly firstCompleted: Int32Array
}

export type AccountName = { readonly id: number } | { readonly userId: bigint }

export const ACCOUNT_SORTS = ['id', 'uploaded', 'downloaded', 'ratio', 'last_seen'] as const
export type AccountSort = (typeof ACCOUNT_SORTS)[number]
export type AccountQuery = {
  /** Only these, at most some hundreds; undefined: all. */
  readonly userIds: readonly bigint[] | undefined
  /** `id` ascending; the others by credited figures, largest first, then by id. */
  readonly sort: AccountSort
  readonly offset: number
  readonly limit: number
}

/** What is added to the credited sums, which stop at 0. */
export type Adjustment = {
  readonly creditedUploaded?: bigint
  readonly creditedDownloaded?: bigint
}

export type RecordQuery = {
  /** Records of an account, by torrent; or of a torrent, by account: those of hidden accounts are left out. */
  readonly of: { readonly account: number } | { readonly infoHash: Uint8Array }
  /** Only records with a download that are not active, were seen last before `lastSeenBefore`, and seeded for less. */
  readonly hitAndRun:
    | { readonly minSeedSeconds: number; readonly lastSeenBefore: number }
    | undefined
  readonly offset: number
  readonly limit: number
}

/** Absolute figures of what changed; whole writes, about as many rows as were asked for. */
export type Changes = {
  readonly accounts: readonly AccountRow[]
  readonly torrents: readonly TorrentRow[]
  readonly records: readonly RecordRow[]
  /** Accounts that were erased. */
  readonly deleted: readonly number[]
  /** Everything up to this number is in the answer: ask for what comes after it next. */
  readonly next: number
  /** Nothing comes after it yet. */
  readonly isLast: boolean
}

export type Erased = {
  readonly id: number
  /** Its keys, and their new account; null: it had none. */
  readonly keys: readonly KeyRow[]
  readonly successor: number | null
}

export interface AccountingDatabase {
  /** Creates what is missing of the tables. Rejects with one line if a newer program made them. First of all calls. */
  open(deadline?: Deadline): Promise<AccountingState>
  /** Gives keys without an account one each, some thousands at most. The number of keys: if not 0, there may be more. */
  adoptKeys(deadline?: Deadline): Promise<number>
  /** Settings of some thousands of accounts, ascending; begin with 0. */
  readSettings(
    from: bigint,
    deadline?: Deadline,
  ): Promise<Part<readonly (AccountSettings & { readonly id: number })[]>>
  /** Some thousands of keys in an order of the driver's own; begin with 0. A key that has no account is left out. */
  readKeys(from: bigint, deadline?: Deadline): Promise<Part<readonly AccountKeyRow[]>>
  /** Ascending by key; those of one account, if it is given. */
  listKeys(
    account: number | null,
    offset: number,
    limit: number,
    deadline?: Deadline,
  ): Promise<readonly AccountKeyRow[]>
  /**
   * Adds keys, each with an account: that of its user id, which is made if there is none; or one of its own. All or
   * none: rejects with fault `duplicate` when a key exists already or is given twice. In the order of `rows`.
   */
  addKeys(
    rows: readonly (KeyRow & { readonly userId: bigint | null })[],
    deadline?: Deadline,
  ): Promise<readonly AccountKeyRow[]>
  /** The number of keys that existed. Their accounts stay. */
  removeKeys(keys: readonly string[], deadline?: Deadline): Promise<number>
  /** Gives the account of `key` another key in its place, with the same validity. null: there is no such key. */
  replaceKey(key: string, newKey: string, deadline?: Deadline): Promise<AccountKeyRow | null>

  lookUp(question: LookupQuestion, deadline?: Deadline): Promise<LookupAnswer>
  write(batch: AccountingBatch, deadline?: Deadline): Promise<Written>

  listAccounts(query: AccountQuery, deadline?: Deadline): Promise<readonly AccountRow[]>
  account(name: AccountName, deadline?: Deadline): Promise<AccountRow | null>
  /** null: there is no such account. The same for those below. */
  changeAccount(
    name: AccountName,
    settings: Partial<AccountSettings>,
    deadline?: Deadline,
  ): Promise<AccountRow | null>
  adjustAccount(
    name: AccountName,
    adjustment: Adjustment,
    deadline?: Deadline,
  ): Promise<AccountRow | null>
  eraseAccount(name: AccountName, deadline?: Deadline): Promise<Erased | null>
  listRecords(query: RecordQuery, deadline?: Deadline): Promise<readonly RecordRow[]>
  torrent(infoHash: Uint8Array, deadline?: Deadline): Promise<TorrentRow | null>
  /** Torrents that are not known yet get a row. All or none. */
  changeTorrents(
    hashes: Uint8Array,
    settings: Partial<TorrentSettings>,
    deadline?: Deadline,
  ): Promise<readonly TorrentRow[]>
  /** A token makes the download of one account and torrent free until a second; null: for ever. false: no such account. */
  putToken(
    account: number,
    infoHash: Uint8Array,
    until: number | null,
    deadline?: Deadline,
  ): Promise<boolean>
  /** false: there was none. */
  removeToken(account: number, infoHash: Uint8Array, deadline?: Deadline): Promise<boolean>

  /** What was written after number `after`: about `limit` rows, but always whole writes. */
  changes(after: number, limit: number, deadline?: Deadline): Promise<Changes>
  /** Newest first. */
  listFlags(offset: number, limit: number, deadline?: Deadline): Promise<readonly FlagRow[]>
  /** Marks it as looked at, or not. null: there is no such flag. */
  reviewFlag(id: number, at: number | null, deadline?: Deadline): Promise<FlagRow | null>
  /** A number that others keep here, such as how far a feed was delivered; 0: it was never put. */
  readMark(name: string, deadline?: Deadline): Promise<number>
  putMark(name: string, value: number, deadline?: Deadline): Promise<void>
  /** Removes what is older, some thousands of rows at most. The number of rows: if not 0, there may be more. */
  purge(
    before: { readonly sessions: number; readonly flags: number; readonly tokens: number },
    deadline?: Deadline,
  ): Promise<number>
}
