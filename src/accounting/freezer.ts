/** Freezes what sessions owe into batches for the database, and learns when one is stored. */
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import {
  type AccountingBatch,
  type Flag,
  MOST_SESSIONS,
  OWED,
  SESSION,
  type SessionBatch,
} from './batch.ts'
import { CLIENT_BYTES, type Clients } from './clients.ts'
import type { Holdings } from './holdings.ts'
import type { Marks } from './marks.ts'
import { NONE } from './rows.ts'
import { Session } from './rules.ts'
import { FLAG } from './sessions.ts'

export type Frozen = Pick<AccountingBatch, 'hashes' | 'sessions' | 'flags'>

/** Flags of one batch, and how long one waits for a row of its torrent. */
const MOST_FLAGS = 500
const FLAG_SECONDS = 3_600
/** Sessions that one batch looks at, of each kind: those of torrents that may have no row yet are passed over. */
const MOST_VISITS = 4_000

export class Freezer {
  readonly #holdings: Holdings
  readonly #clients: Clients
  readonly #session = new Session()
  readonly #out = new Int32Array(MOST_SESSIONS)
  #count = 0
  /** Places of torrents in the batch. */
  readonly #places = new Map<number, number>()
  /** Bytes that the batch that is out owes, and the second since which something in it may be owed; 0: none is out. */
  bytes = 0
  since = 0

  constructor(holdings: Holdings, clients: Clients) {
    this.#holdings = holdings
    this.#clients = clients
  }

  /** Sessions of the batch that is out. */
  get count(): number {
    return this.#count
  }

  freeze(
    now: number,
    isIdle: boolean,
    mayCreate: () => boolean,
    keepsClients: boolean,
  ): Frozen | undefined {
    const { urgent, idle, waiting, flags } = this.#holdings
    const since = [urgent.oldest, waiting.oldest].filter((second) => second > 0)
    let isRefused = false
    const may = (torrent: number): boolean => {
      const { torrents } = this.#holdings
      if (torrents.isStored(torrent) || this.#places.has(torrent)) return true
      if (isRefused || !torrents.isSettled(torrent)) return false
      isRefused = !mayCreate()
      return !isRefused
    }
    this.#collect(waiting, now, may)
    this.#collect(urgent, now, may)
    if (isIdle) this.#collect(idle, now, may)
    const taken = flags.take(MOST_FLAGS, (flag) => this.#fateOf(flag, now, mayCreate))
    if (this.#count === 0 && taken.length === 0) return undefined
    this.since = since.length === 0 ? 0 : Math.min(...since)
    const sessions = this.#sessions(keepsClients)
    this.#holdings.correctBytes()
    return { sessions, hashes: this.#hashes(taken), flags: taken }
  }

  /** Takes sessions that are marked, whose torrents `may` be written; the others wait. */
  #collect(marks: Marks, now: number, may: (torrent: number) => boolean): void {
    const holdings = this.#holdings
    const { sessions, waiting } = holdings
    for (let left = Math.min(marks.count, MOST_VISITS); left > 0; left--) {
      if (this.#count === MOST_SESSIONS) return
      const row = marks.next(sessions.high, now)
      if (!holdings.hasAccounts && sessions.has(row, FLAG.ended | FLAG.silent))
        if (!sessions.owes(row)) {
          holdings.free(row)
          continue
        }
      const torrent = holdings.torrentOf(row)
      if (may(torrent)) {
        holdings.unmark(row)
        if (!this.#places.has(torrent)) this.#places.set(torrent, this.#places.size)
        this.#out[this.#count++] = row
      } else if (marks !== waiting) {
        holdings.unmark(row)
        waiting.add(row, now)
      }
    }
  }

  /** A flag needs a row of its torrent. One whose torrent is refused a row does not wait for ever. */
  #fateOf({ infoHash, at }: Flag, now: number, mayCreate: () => boolean) {
    const { torrents } = this.#holdings
    const words = new Int32Array(infoHash.buffer)
    const torrent = torrents.find(words, 0, torrents.hash(words, 0))
    // Its sessions are gone, and it may have a row or not.
    if (torrent === NONE) return mayCreate() ? 'written' : 'dropped'
    if (torrents.isStored(torrent) || this.#places.has(torrent)) return 'written'
    return now - at > FLAG_SECONDS ? 'dropped' : 'waits'
  }

  #sessions(keepsClients: boolean): SessionBatch {
    const holdings = this.#holdings
    const { sessions, records } = holdings
    const session = this.#session
    const count = this.#count
    const batch = {
      account: new Float64Array(count),
      torrent: new Int32Array(count),
      peer: new Int32Array(count * 2),
      uploaded: new Float64Array(count),
      downloaded: new Float64Array(count),
      left: new Float64Array(count),
      what: new Uint8Array(count),
      began: new Float64Array(count),
      seen: new Float64Array(count),
      owed: new Float64Array(count * OWED.words),
      client: new Uint8Array(count * CLIENT_BYTES),
    }
    for (let i = 0; i < count; i++) {
      const row = this.#out[i]!
      const record = sessions.record(row)
      const at = sessions.fingerprintAt(row)
      const isGone = sessions.has(row, FLAG.ended | FLAG.silent)
      sessions.load(row, session)
      batch.account[i] = records.account(record)
      batch.torrent[i] = this.#places.get(records.torrent(record))!
      batch.peer[i * 2] = sessions.cells[at]!
      batch.peer[i * 2 + 1] = sessions.cells[at + 1]!
      batch.uploaded[i] = session.up
      batch.downloaded[i] = session.down
      batch.left[i] = sessions.left(row)
      batch.what[i] =
        (batch.left[i] === 0 ? SESSION.seeder : 0) |
        (sessions.has(row, FLAG.ended) ? SESSION.ended : 0) |
        (records.leeching(record) + records.seeding(record) > 0 ? SESSION.active : 0) |
        (records.seeding(record) > 0 ? SESSION.recordSeeder : 0) |
        (sessions.has(row, FLAG.owesCompletion) ? SESSION.completed : 0) |
        (sessions.has(row, FLAG.restarted) ? SESSION.restarted : 0) |
        (sessions.has(row, FLAG.stored) ? SESSION.stored : 0)
      batch.began[i] = sessions.began(row)
      batch.seen[i] = session.seen
      const bytes = sessions.owedBytes(row)
      holdings.owedBytes -= bytes
      this.bytes += bytes
      sessions.pay(row, batch.owed, i * OWED.words)
      if (keepsClients) this.#clients.write(sessions.client(row), batch.client, i * CLIENT_BYTES)
      sessions.clear(row, FLAG.restarted)
      if (sessions.has(row, FLAG.ended)) sessions.clear(row, FLAG.stored)
      else sessions.set(row, FLAG.stored)
      sessions.set(row, isGone ? FLAG.out | FLAG.leaves : FLAG.out)
    }
    return batch
  }

  /** Info hashes of the batch; those that only flags have come last. */
  #hashes(flags: readonly Flag[]): Uint8Array {
    const { torrents } = this.#holdings
    const count = this.#places.size
    const others = new Map<string, Uint8Array>()
    for (const { infoHash } of flags) {
      const words = new Int32Array(infoHash.buffer)
      const torrent = torrents.find(words, 0, torrents.hash(words, 0))
      if (torrent === NONE || !this.#places.has(torrent)) others.set(infoHash.toHex(), infoHash)
    }
    const hashes = new Uint8Array((count + others.size) * INFO_HASH_BYTES)
    for (const [torrent, place] of this.#places) torrents.copyInfoHash(torrent, hashes, place)
    ;[...others.values()].forEach((infoHash, i) => {
      hashes.set(infoHash, (count + i) * INFO_HASH_BYTES)
    })
    return hashes
  }

  /** The batch is stored: sessions that ended in it are forgotten, and its torrents have rows. */
  written(): void {
    const holdings = this.#holdings
    const { sessions, torrents, erased } = holdings
    for (const torrent of this.#places.keys()) torrents.store(torrent)
    this.#places.clear()
    for (let i = 0; i < this.#count; i++) {
      const row = this.#out[i]!
      const isGone = sessions.has(row, FLAG.leaves) || erased.has(holdings.accountOf(row))
      sessions.clear(row, FLAG.out | FLAG.leaves)
      if (isGone) holdings.free(row)
    }
    this.#count = 0
    this.bytes = this.since = 0
  }
}
