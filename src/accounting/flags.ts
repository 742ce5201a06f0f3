/** What looked like cheating since the last batch. Those of one kind, account and torrent within an hour are one. */
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import { FLAG_KINDS, type Flag, type FlagKind } from './batch.ts'
import { add } from './rules.ts'

/** Flags that wait, of all accounts and of one. More are only counted: the database is away, or one makes up torrents. */
const MOST_WAITING = 10_000
const MOST_OF_ACCOUNT = MOST_WAITING / 4
const HOUR = 3_600
/** Accounts whose upload of an hour is summed up. */
const ACCOUNTS = 2 ** 22
const LINE = { hour: 0, bytes: 1, numbers: 2 } as const

export class Flags {
  readonly #waiting = new Map<string, { -readonly [K in keyof Flag]: Flag[K] }>()
  /** How many of them each account has. */
  readonly #ofAccount = new Map<number, number>()
  readonly #hours: Float64Array
  /** Since the start, by kind. */
  readonly counts: Record<FlagKind, number> = { speed: 0, no_leechers: 0, shared_id: 0 }

  /** Bytes of the memory that they need. */
  static readonly bytes: number = ACCOUNTS * LINE.numbers * 8

  constructor(memory: SharedArrayBuffer, from: number) {
    this.#hours = new Float64Array(memory, from, ACCOUNTS * LINE.numbers)
  }

  get size(): number {
    return this.#waiting.size
  }

  /** The torrent's info hash is at `words[at…]`. */
  add(
    kind: FlagKind,
    account: number,
    words: Int32Array,
    at: number,
    second: number,
    bytes: number,
    seconds: number,
  ): void {
    this.counts[kind]++
    const infoHash = new Uint8Array(words.buffer, words.byteOffset + at * 4, INFO_HASH_BYTES)
    const hour = Math.floor(second / HOUR)
    const key = `${FLAG_KINDS.indexOf(kind)}/${account}/${hour}/${infoHash.toHex()}`
    const flag = this.#waiting.get(key)
    const own = this.#ofAccount.get(account) ?? 0
    if (flag) {
      flag.times++
      flag.bytes = add(flag.bytes, bytes)
      flag.seconds += seconds
    } else if (this.#waiting.size < MOST_WAITING && own < MOST_OF_ACCOUNT) {
      this.#ofAccount.set(account, own + 1)
      this.#waiting.set(key, {
        kind,
        at: second,
        account,
        infoHash: Uint8Array.from(infoHash),
        bytes,
        seconds,
        times: 1,
      })
    }
  }

  /** Adds `bytes` to what an account uploaded in this hour: the sum. Accounts beyond the table have none. */
  inHour(account: number, second: number, bytes: number): number {
    const hours = this.#hours
    const at = account * LINE.numbers
    if (account >= ACCOUNTS) return 0
    const hour = Math.floor(second / HOUR)
    if (hours[at + LINE.hour] !== hour) hours[at + LINE.bytes] = 0
    hours[at + LINE.hour] = hour
    hours[at + LINE.bytes] = add(hours[at + LINE.bytes]!, bytes)
    return hours[at + LINE.bytes]!
  }

  /**
   * Removes and returns those whose `fate` is to be written, `most` at most, the oldest first; those that are to be dropped
   * are removed, too.
   */
  take(most: number, fate: (flag: Flag) => 'written' | 'waits' | 'dropped'): Flag[] {
    const taken: Flag[] = []
    for (const [key, flag] of this.#waiting) {
      if (taken.length === most) break
      const is = fate(flag)
      if (is === 'waits') continue
      if (is === 'written') taken.push(flag)
      this.#remove(key, flag)
    }
    return taken
  }

  forget(account: number): void {
    for (const [key, flag] of this.#waiting) if (flag.account === account) this.#remove(key, flag)
  }

  #remove(key: string, { account }: Flag): void {
    this.#waiting.delete(key)
    const left = this.#ofAccount.get(account)! - 1
    if (left === 0) this.#ofAccount.delete(account)
    else this.#ofAccount.set(account, left)
  }
}
