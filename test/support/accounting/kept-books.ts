/** Books with a ring in front of them and a database in maps behind. */
import { Accounts } from '../../../src/accounting/accounts.ts'
import type { AccountSettings, LookupAnswer } from '../../../src/accounting/batch.ts'
import { Books, type BooksParts } from '../../../src/accounting/books.ts'
import type { Frozen } from '../../../src/accounting/freezer.ts'
import { createRing, RING_ENTRIES, RingReader, RingWriter } from '../../../src/accounting/ring.ts'
import { createSlots, Slots } from '../../../src/accounting/slots.ts'
import type { BookSettings } from '../../../src/accounting/terms.ts'
import { Announce, type AnnounceEvent, Answer, EVENT, type Limit } from '../../../src/bittorrent.ts'
import { Stored, type StoredRecord } from './stored.ts'

export type Said = {
  account?: number
  torrent?: number
  peer?: number
  /** The last byte of an IPv4 address. */
  endpoint?: number
  event?: AnnounceEvent
  up?: number | bigint
  down?: number | bigint
  left?: number | bigint
  at?: number
  limit?: Limit | undefined
  leechers?: number
  /** Its connection is closed; it says nothing. */
  isGone?: boolean
}

export const T = 1_700_000_000
const SEED = Int32Array.of(1, 2, 3, 4)
export const SETTINGS: BookSettings = {
  level: 'users',
  upPercent: 100,
  downPercent: 100,
  maxBytesPerSecond: 2 ** 40,
  overSpeed: 'flag',
  storeClients: true,
  peerTimeoutSeconds: 2_700,
  idleSeconds: 450,
}
export const ACCOUNT: AccountSettings = {
  enabled: true,
  canDownload: true,
  maxDownloads: null,
  maxPeers: null,
  upPercent: 100,
  downPercent: 100,
  freeUntil: null,
  hidden: false,
}

export type KeptOptions = Partial<Pick<BooksParts, 'charge' | 'capacity'>> & {
  settings?: Partial<BookSettings>
}

export class KeptBooks {
  readonly settings: BookSettings
  readonly accounts = new Accounts(Accounts.create(1_000))
  readonly slots = new Slots(createSlots(SEED, 10_000), true)
  readonly stored: Stored
  readonly #options: KeptOptions
  readonly #announce = new Announce()
  readonly #answer = new Answer([])
  #ring = createRing()
  #writer = new RingWriter(this.#ring, SEED)
  reader = new RingReader(this.#ring)
  books: Books
  #out: Frozen | undefined
  #isStored = false
  now = T

  constructor(options: KeptOptions = {}) {
    this.#options = options
    this.settings = { ...SETTINGS, ...options.settings }
    this.stored = new Stored(this.settings.level === 'users')
    for (let id = 1; id < 100; id++) this.accounts.set(id, ACCOUNT)
    this.books = this.#open()
  }

  #open(): Books {
    const { accounts, slots, settings } = this
    return new Books({
      settings,
      accounts,
      slots,
      secret: Uint8Array.from({ length: 16 }, (_, i) => i),
      seed: SEED,
      charge: this.#options.charge ?? (() => true),
      capacity: this.#options.capacity ?? 10_000,
    })
  }

  hash(torrent: number): { words: Int32Array; hex: string } {
    const words = Int32Array.of(torrent, ~torrent, 7, 7, 7)
    return { words, hex: new Uint8Array(words.buffer).toHex() }
  }

  /** Only into the ring. */
  note(said: Said): void {
    const announce = this.#announce
    const { torrent = 1, peer = 1, endpoint = 1, at = this.now } = said
    announce.words.fill(0)
    announce.words.set(this.hash(torrent).words)
    announce.peerId.set(new TextEncoder().encode(`-QB4630-${String(peer).padStart(12, '0')}`))
    announce.family = 4
    announce.endpoint.set([10, 0, 0, endpoint, 1, 1])
    announce.event = said.event ?? EVENT.none
    ;[said.up, said.down, said.left].forEach((count, i) => {
      const bytes = BigInt.asUintN(64, BigInt(count ?? 0))
      announce.counts[i * 2] = Number(bytes >> 32n)
      announce.counts[i * 2 + 1] = Number(bytes & 0xffff_ffffn)
    })
    this.#answer.leechers = said.leechers ?? 2
    this.#answer.limit = said.limit
    const account = said.account ?? 1
    if (said.isGone) this.#writer.appendGone(account, announce, this.#answer, at)
    else this.#writer.append(account, announce, this.#answer, at)
  }

  drain(most: number = RING_ENTRIES): number {
    return this.books.drain(this.reader, most)
  }
  say(said: Said): void {
    this.note(said)
    this.drain()
  }

  /** What is asked now, and how to answer it later. */
  ask(): (() => void) | undefined {
    const question = this.books.question()
    if (question === undefined) return undefined
    const answer: LookupAnswer = this.stored.lookUp(question)
    return () => this.books.answer(answer)
  }
  answerAll(): void {
    for (let answer = this.ask(); answer; answer = this.ask()) answer()
  }

  freeze(isIdle = true, mayCreate: () => boolean = () => true): Frozen | undefined {
    this.#out ??= this.books.freeze(this.now, isIdle, mayCreate)
    return this.#out
  }
  /** Writes the batch that is out, or writes it again; `knows`: and the books hear of it. */
  write(knows = true): void {
    if (!this.#out) return
    if (!this.#isStored) this.stored.write(this.#out)
    this.#isStored = true
    if (!knows) return
    this.#out = undefined
    this.#isStored = false
    this.books.written()
  }

  /** Looks up and writes everything. */
  settle(isIdle = true): void {
    this.drain()
    this.answerAll()
    while (this.freeze(isIdle)) this.write()
  }

  expire(now = this.now): void {
    for (const _ of this.books.expire(now));
  }

  /** New books; what was not stored is lost. */
  crash(): void {
    for (let id = 1; id < 100; id++) {
      this.accounts.forget(id)
      this.accounts.set(id, ACCOUNT)
    }
    this.#out = undefined
    this.#isStored = false
    this.#ring = createRing()
    this.#writer = new RingWriter(this.#ring, SEED)
    this.reader = new RingReader(this.#ring)
    this.books = this.#open()
  }

  record(account = 1, torrent = 1): Partial<StoredRecord> {
    return this.stored.records.get(`${account}/${this.hash(torrent).hex}`) ?? {}
  }
}
