/**
 * Accounting as the management API uses it. What an operator changes is written to the database first, then it applies
 * in memory; after an unknown outcome it is read again once the database works.
 */
import type { Accounts } from '../accounting/accounts.ts'
import {
  type AccountSettings,
  FOUND_SESSION,
  FOUND_TORRENT,
  MOST_LOOKUPS,
  type TorrentSettings,
} from '../accounting/batch.ts'
import type { Books } from '../accounting/books.ts'
import type { RingReader } from '../accounting/ring.ts'
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import type {
  AccountingDatabase,
  AccountName,
  AccountRow,
  Adjustment,
  Erased,
} from '../database/accounting-contract.ts'
import { CALL_MILLISECONDS, isInDoubt } from '../database/contract.ts'
import type { Clock } from '../time/clock.ts'
import { Deadline } from '../time/deadline.ts'
import { finish } from '../time/turns.ts'
import type {
  AccountingEvent,
  AccountingMeter,
  AccountingStatus,
  AccountingStore,
} from './accounting.ts'
import type { AccountingLoop } from './accounting-loop.ts'
import { type KnownAccounts, PLAIN } from './known-accounts.ts'
import type { Permissions } from './permissions.ts'
import type { WatchedDatabase } from './watched-database.ts'

type AccountingParts = {
  readonly level: AccountingStatus['level']
  readonly database: AccountingDatabase
  readonly books: Books
  readonly accounts: Accounts
  readonly rings: readonly RingReader[]
  readonly known: KnownAccounts
  readonly loop: AccountingLoop
  readonly permissions: Permissions
  /** That of the loop. */
  readonly watch: WatchedDatabase
  readonly clock: Clock
}

/** Up to so many accounts are counted again one by one, each of which looks at everything. */
const FEW_ACCOUNTS = 8

/** A torrent, or the token of an account for it, whose state in the database is not known. Account 0: no token. */
type Doubt = { readonly account: number; readonly infoHash: Uint8Array }

export class Accounting implements AccountingStore {
  readonly #parts: AccountingParts
  readonly #database: AccountingDatabase
  readonly #books: Books
  /** By account and torrent. */
  readonly #doubts = new Map<string, Doubt>()

  /** Accounts whose limits are not those any more that the books counted by. */
  readonly #changed = new Set<number>()
  #isCounting = false

  constructor(parts: AccountingParts) {
    this.#parts = parts
    this.#database = parts.database
    this.#books = parts.books
    parts.known.onLimits = (account) => {
      this.#changed.add(account)
      void this.#count()
    }
  }

  status(): AccountingStatus {
    const { level, rings, loop, watch, clock } = this.#parts
    const { sessions, owedRecords, owedBytes, oldestOwed } = this.#books.figures
    const state = watch.state()
    return {
      level,
      batch: loop.sequence,
      owedRecords,
      owedBytes,
      lagSeconds: oldestOwed === 0 ? 0 : Math.max(0, clock.seconds() - oldestOwed),
      eventsLost: rings.reduce((sum, { lost }) => sum + lost, 0),
      sessions,
      trouble: state.ok ? undefined : state.message,
    }
  }

  meter(): AccountingMeter {
    const { rings, loop } = this.#parts
    const { events, uploaded, downloaded, flags, limited } = this.#books.figures
    const { batches, failures } = loop.counts
    return {
      ...this.status(),
      events,
      rings: rings.map(({ used }) => used),
      batches: { written: batches, failed: failures },
      uploaded,
      downloaded,
      flags,
      limited: { slots: limited.slots, clients: limited.clients, no_download: limited.noDownload },
    }
  }

  activity(account: number): { readonly leeching: number; readonly seeding: number } {
    const { accounts } = this.#parts
    return { leeching: accounts.leeching(account), seeding: accounts.seeding(account) }
  }

  follow(listener: (event: AccountingEvent) => void): () => void {
    return this.#parts.loop.follow(listener)
  }

  settled(): Promise<void> {
    return this.#parts.loop.settled()
  }

  listAccounts: AccountingStore['listAccounts'] = (query) =>
    this.#read((deadline) => this.#database.listAccounts(query, deadline))
  account: AccountingStore['account'] = (name) =>
    this.#read((deadline) => this.#database.account(name, deadline))
  listRecords: AccountingStore['listRecords'] = (query) =>
    this.#read((deadline) => this.#database.listRecords(query, deadline))
  torrent: AccountingStore['torrent'] = (infoHash) =>
    this.#read((deadline) => this.#database.torrent(infoHash, deadline))
  listFlags: AccountingStore['listFlags'] = (offset, limit) =>
    this.#read((deadline) => this.#database.listFlags(offset, limit, deadline))
  changes: AccountingStore['changes'] = (after, limit) => this.#database.changes(after, limit)
  reviewFlag: AccountingStore['reviewFlag'] = (id, at) => this.#database.reviewFlag(id, at)
  readMark: AccountingStore['readMark'] = (name) => this.#database.readMark(name)
  putMark: AccountingStore['putMark'] = (name, value) => this.#database.putMark(name, value)

  changeAccount(name: AccountName, settings: Partial<AccountSettings>): Promise<AccountRow | null> {
    const { permissions, known, loop } = this.#parts
    return permissions.change(async (deadline) => {
      const row = await this.#database.changeAccount(name, settings, deadline)
      if (row === null) return null
      await loop.drained()
      known.set(row)
      loop.tell(row.batch)
      if (settings.enabled !== undefined) await permissions.followAccount(row.id, deadline)
      return row
    })
  }

  /** What was announced before it is credited first. */
  async adjustAccount(name: AccountName, adjustment: Adjustment): Promise<AccountRow | null> {
    await this.settled()
    return await this.#parts.permissions.change(async (deadline) => {
      const row = await this.#database.adjustAccount(name, adjustment, deadline)
      if (row !== null) this.#parts.loop.tell(row.batch)
      return row
    })
  }

  eraseAccount(name: AccountName): Promise<Erased | null> {
    const { permissions, known, loop } = this.#parts
    return permissions.change(async (deadline) => {
      const erased = await this.#database.eraseAccount(name, deadline)
      if (erased === null) return null
      const { id, successor } = erased
      loop.tell(loop.sequence)
      try {
        if (successor !== null) {
          known.set({ id: successor, ...PLAIN })
          await permissions.followAccount(successor, deadline)
        }
      } finally {
        known.forget(id)
        await finish(this.#books.forgetAccount(id))
      }
      return erased
    })
  }

  changeTorrents(
    hashes: Uint8Array,
    settings: Partial<TorrentSettings>,
  ): ReturnType<AccountingDatabase['changeTorrents']> {
    return this.#change(0, hashes, async (deadline) => {
      const rows = await this.#database.changeTorrents(hashes, settings, deadline)
      await this.#parts.loop.drained()
      for (const row of rows) this.#books.changeTorrent(wordsOf(row.infoHash), row)
      this.#parts.loop.tell(Math.max(...rows.map(({ batch }) => batch)))
      return rows
    })
  }

  putToken(account: number, infoHash: Uint8Array, until: number | null): Promise<boolean> {
    return this.#change(account, infoHash, async (deadline) => {
      const isPut = await this.#database.putToken(account, infoHash, until, deadline)
      await this.#parts.loop.drained()
      if (isPut) this.#books.putToken(account, wordsOf(infoHash), until ?? Number.POSITIVE_INFINITY)
      return isPut
    })
  }

  removeToken(account: number, infoHash: Uint8Array): Promise<boolean> {
    return this.#change(account, infoHash, async (deadline) => {
      const isRemoved = await this.#database.removeToken(account, infoHash, deadline)
      await this.#parts.loop.drained()
      this.#books.putToken(account, wordsOf(infoHash), 0)
      return isRemoved
    })
  }

  async #count(): Promise<void> {
    if (this.#isCounting) return
    this.#isCounting = true
    while (this.#changed.size > 0) {
      const changed = [...this.#changed]
      this.#changed.clear()
      if (changed.length > FEW_ACCOUNTS) await finish(this.#books.recount())
      else for (const account of changed) await finish(this.#books.recount(account))
    }
    this.#isCounting = false
  }

  async #read<T>(read: (deadline: Deadline) => Promise<T>): Promise<T> {
    const deadline = Deadline.in(CALL_MILLISECONDS)
    await this.settled()
    return await read(deadline)
  }

  /** A change of torrents, or of the token of an account for one. */
  async #change<T>(
    account: number,
    hashes: Uint8Array,
    work: (deadline: Deadline) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#parts.permissions.change(work)
    } catch (error) {
      if (isInDoubt(error)) {
        for (let at = 0; at < hashes.length; at += INFO_HASH_BYTES) {
          const infoHash = hashes.slice(at, at + INFO_HASH_BYTES)
          this.#doubts.set(`${account} ${infoHash.toHex()}`, { account, infoHash })
        }
        this.#parts.watch.whenItWorks(this.#readAgain)
      }
      throw error
    }
  }

  readonly #readAgain = async (): Promise<void> => {
    const doubts = [...this.#doubts].slice(0, MOST_LOOKUPS)
    try {
      await this.#parts.permissions.change((deadline) =>
        this.#readDoubts(
          doubts.map(([, doubt]) => doubt),
          deadline,
        ),
      )
      for (const [name, doubt] of doubts)
        if (this.#doubts.get(name) === doubt) this.#doubts.delete(name)
    } catch {}
    if (this.#doubts.size > 0) this.#parts.watch.whenItWorks(this.#readAgain)
  }

  async #readDoubts(doubts: readonly Doubt[], deadline: Deadline): Promise<void> {
    const names = doubts.map(({ infoHash }) => infoHash.toHex())
    const distinct = [...new Set(names)]
    const { torrents, sessions } = await this.#database.lookUp(
      {
        hashes: Uint8Array.fromHex(distinct.join('')),
        account: Float64Array.from(doubts, ({ account }) => account),
        torrent: Int32Array.from(names, (name) => distinct.indexOf(name)),
        peer: new Int32Array(doubts.length * 2),
      },
      deadline,
    )
    for (const [i, name] of distinct.entries()) {
      const at = i * FOUND_TORRENT.words
      const isKnown = torrents[at + FOUND_TORRENT.known] === 1
      this.#books.changeTorrent(wordsOf(Uint8Array.fromHex(name)), {
        upPercent: isKnown ? torrents[at + FOUND_TORRENT.upPercent]! : PLAIN.upPercent,
        downPercent: isKnown ? torrents[at + FOUND_TORRENT.downPercent]! : PLAIN.downPercent,
        freeUntil: torrents[at + FOUND_TORRENT.freeUntil]! || null,
      })
    }
    for (const [i, { account, infoHash }] of doubts.entries()) {
      const until = sessions[i * FOUND_SESSION.words + FOUND_SESSION.tokenUntil]!
      if (account !== 0) this.#books.putToken(account, wordsOf(infoHash), until)
    }
  }
}

/** Five words in memory order, in memory of their own. */
const wordsOf = (infoHash: Uint8Array): Int32Array => new Int32Array(infoHash.slice().buffer)
