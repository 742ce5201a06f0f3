/**
 * Which clients of a limited account are on which torrent. Any thread may ask; only the control thread changes it.
 * Beside an entry for each client there is one for each account and torrent, which counts them.
 */
import { hashWords, type Seed, secretsOf } from '../memory/hash.ts'
import { createTable, Table } from '../memory/table.ts'

/** Key: account, info hash, peer word (`ALL_CLIENTS`: all together). Value: clients, and leechers among them. */
const SHAPE = { key: 7, value: 2 } as const
const ALL_CLIENTS = 0
const CLIENTS = 0
const LEECHERS = 1
/** Clients of limited accounts, twice. Only address space is reserved: untouched pages cost nothing. */
const CAPACITY = 2 ** 22

export const createSlots = (seed: Seed, capacity: number = CAPACITY): SharedArrayBuffer =>
  createTable(SHAPE, capacity, seed)

export class Slots extends Table {
  readonly #secrets: Int32Array
  readonly #peerSecrets: Int32Array
  readonly #key = new Int32Array(SHAPE.key)
  readonly #value = new Int32Array(SHAPE.value)
  readonly #entry = { words: this.#key, values: this.#value }

  constructor(memory: SharedArrayBuffer, alone: boolean) {
    super(SHAPE, memory, alone)
    this.#secrets = secretsOf(this.seed, SHAPE.key, 'slot')
    this.#peerSecrets = secretsOf(this.seed, 5, 'peer id')
  }

  /** The word that stands for the peer id at `words[at…]` (five words). */
  peerWord(words: Int32Array, at: number): number {
    // 0 stands for all clients.
    return hashWords(this.#peerSecrets, words, at, 5) || 1
  }

  /**
   * A client is on the torrent whose info hash is at `words[at…]`, or goes on there as a leecher or seeder. A table that
   * is full does not count it.
   */
  enter(account: number, words: Int32Array, at: number, peer: number, isLeecher: boolean): void {
    const before = this.#leechers(account, words, at, peer)
    const leechers = Number(isLeecher)
    // Room for both entries, or a client would be counted that `leave` does not find.
    if (before === leechers || (before < 0 && !this.hasRoom(2))) return
    this.#value[CLIENTS] = 1
    this.#value[LEECHERS] = leechers
    this.put(this.#entry)
    this.#count(account, words, at, before < 0 ? 1 : 0, leechers - Math.max(before, 0))
  }

  /** A client leaves the torrent. */
  leave(account: number, words: Int32Array, at: number, peer: number): void {
    const before = this.#leechers(account, words, at, peer)
    if (before < 0) return
    this.remove(this.#key)
    this.#count(account, words, at, -1, -before)
  }

  /** Whether the account leeches the torrent. */
  holdsDownload(account: number, words: Int32Array, at = 0): boolean {
    this.#seek(account, words, at, ALL_CLIENTS)
    return this.read(this.#key, 0, this.#value) && this.#value[LEECHERS]! > 0
  }

  /** Clients that the account has on the torrent. */
  clients(account: number, words: Int32Array, at = 0): number {
    this.#seek(account, words, at, ALL_CLIENTS)
    return this.read(this.#key, 0, this.#value) ? this.#value[CLIENTS]! : 0
  }

  hasClient(account: number, words: Int32Array, at: number, peer: number): boolean {
    this.#seek(account, words, at, peer)
    return this.has(this.#key)
  }

  protected hashOf(words: Int32Array, at: number): number {
    return hashWords(this.#secrets, words, at, SHAPE.key)
  }

  /** Makes the key that of a client: 1 for a leecher, 0 for a seeder, −1 where it is not there. */
  #leechers(account: number, words: Int32Array, at: number, peer: number): number {
    this.#seek(account, words, at, peer)
    return this.read(this.#key, 0, this.#value) ? this.#value[LEECHERS]! : -1
  }

  #count(account: number, words: Int32Array, at: number, clients: number, leechers: number): void {
    this.#seek(account, words, at, ALL_CLIENTS)
    const value = this.#value
    if (!this.read(this.#key, 0, value)) value.fill(0)
    value[CLIENTS]! += clients
    value[LEECHERS]! += leechers
    if (value[CLIENTS]! > 0) this.put(this.#entry)
    else this.remove(this.#key)
  }

  #seek(account: number, words: Int32Array, at: number, peer: number): void {
    const key = this.#key
    key[0] = account
    for (let i = 0; i < 5; i++) key[1 + i] = words[at + i]!
    key[6] = peer
  }
}
