/**
 * The torrents on their way from the ledgers of the swarm to the database: their stored counts are looked up,
 * then their completions are written. They stay in hand until both are done, however often it fails. A write is
 * repeated under its name, which the database knows if it was done. Only so many torrents a second get their first
 * row.
 */
import { randomKey } from '../access/keys.ts'
import { NO_ROW } from '../database/contract.ts'
import { LimitedLines } from '../log/limited-lines.ts'
import type { Log } from '../log/log.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Deadline } from '../time/deadline.ts'
import type { NewRows } from './new-rows.ts'
import { addStored, applyEach, hasOwed, OwedTorrents, takeOwed } from './owed.ts'
import type { WatchedDatabase } from './watched-database.ts'

/** Torrents in hand at once, and in one query. */
const MOST = 1_000
const LOOKUPS = 500
/** Torrents taken under one hold of a lock; fewer at first, until the engine has compiled the code. */
const TAKEN = 250
const FIRST_TAKEN = 4

export class DownloadBatch {
  readonly #swarm: Swarm
  readonly #watch: WatchedDatabase
  readonly #newRows: NewRows
  readonly #lines: LimitedLines
  readonly #torrents = new OwedTorrents(MOST)
  readonly #writer = randomKey()
  /** How many of them were looked up. */
  #looked = 0
  /** Of the write that is next, or is tried again. */
  #number = 1
  #nextShard = 0
  #taken = FIRST_TAKEN
  /** Completions in the database; set it before the first batch. */
  total = 0
  /** Completions written since the start. */
  written = 0

  constructor(swarm: Swarm, watch: WatchedDatabase, newRows: NewRows, log: Log) {
    this.#swarm = swarm
    this.#watch = watch
    this.#newRows = newRows
    const limit = { lines: 10, milliseconds: 1_000 }
    this.#lines = new LimitedLines(log, { level: 'debug', target: 'DATABASE', ...limit })
  }

  get isEmpty(): boolean {
    return this.#torrents.count === 0
  }
  /** Completions in hand that are not known to be written. */
  owed(): number {
    return this.#torrents.owed
      .subarray(0, this.#torrents.count)
      .reduce((sum, owed) => sum + owed, 0)
  }

  /** Takes what is owed, some from every shard in turn. Whether there may be more. */
  gather(): boolean {
    const { shards } = this.#swarm
    const torrents = this.#torrents
    for (let idle = 0; idle < shards.length && torrents.count < MOST; ) {
      const shard = shards[this.#nextShard]!
      this.#nextShard = (this.#nextShard + 1) % shards.length
      const before = torrents.count
      // A shard that is locked right now has its turn next time.
      if (hasOwed(shard)) takeOwed(shard, torrents, this.#taken)
      idle = torrents.count > before ? 0 : idle + 1
      if (idle === 0 && this.#taken < TAKEN) this.#taken++
    }
    return torrents.count === MOST
  }

  /** Looks up and writes the torrents in hand. At the end, once `isOver`, their stored counts are not needed. */
  async store(isOver: () => boolean, deadline?: Deadline): Promise<void> {
    while (this.#looked < this.#torrents.count && !isOver()) await this.#lookUp(isOver)
    await this.#write(deadline)
    this.#torrents.count = 0
    this.#looked = 0
  }

  async #lookUp(isOver: () => boolean): Promise<void> {
    const { owed, wanted, words } = this.#torrents
    const end = Math.min(this.#torrents.count, this.#looked + LOOKUPS)
    const places: number[] = []
    for (let place = this.#looked; place < end; place++)
      if (wanted[place] === 1 || (owed[place]! > 0 && this.#newRows.isLimited)) places.push(place)
    if (places.length > 0) {
      const hashes = this.#torrents.pick(places)
      const began = performance.now()
      const stored = await this.#watch.database.downloadsOf(hashes)
      this.#say('download counts were read', places.length, began)
      const add = (i: number) => addStored(this.#swarm, words, places[i]! * 5, stored[i]!)
      await applyEach(places.length, add, isOver)
      this.#dropBeyondLimit(places.filter((_, i) => stored[i] === NO_ROW))
    }
    this.#looked = end
  }

  /** `places`: the torrents without a row. Once for each, before the first attempt to write it. */
  #dropBeyondLimit(places: readonly number[]): void {
    const { owed } = this.#torrents
    for (const place of places)
      if (owed[place]! > 0 && !this.#newRows.take(owed[place]!)) owed[place] = 0
  }

  async #write(deadline?: Deadline): Promise<void> {
    const { owed, count } = this.#torrents
    const places: number[] = []
    for (let place = 0; place < count; place++) if (owed[place]! > 0) places.push(place)
    if (places.length === 0) return
    const hashes = this.#torrents.pick(places)
    const counts = Float64Array.from(places, (place) => owed[place]!)
    const sum = this.owed()
    const name = { writer: this.#writer, number: this.#number }
    const began = performance.now()
    this.total = await this.#watch.database.addDownloads(hashes, counts, name, deadline)
    this.#number++
    this.#watch.worked()
    this.written += sum
    this.#say('completions were written', places.length, began)
  }

  #say(what: string, rows: number, began: number): void {
    this.#lines.say(what, () => ({ rows, ms: Math.round(performance.now() - began) }))
  }
}
