/**
 * The torrents that are on their way from the swarm's ledgers to the database: what is stored of them
 * is looked up, then their completions are written. They stay in hand until both is done, however often
 * it fails; a write whose outcome is unknown is proven by the total before it is made again. Those that
 * have no row get one only so often.
 */
import { NO_ROW } from '../database/contract.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { applyEach } from './apply.ts'
import type { NewRows } from './new-rows.ts'
import { addStored, Dues, hasDues, takeDues } from './owed.ts'
import type { DatabaseHealth } from './watched-database.ts'

/** Torrents in hand at once, and asked for in one query. */
const MOST = 1_000
const LOOKUPS = 500
/** Torrents taken under one hold of a lock; the first times fewer, until the engine has compiled it. */
const TAKEN = 250
const FIRST_TAKEN = 4

export class Batch {
  readonly #swarm: Swarm
  readonly #database: DatabaseHealth
  readonly #newRows: NewRows
  readonly #dues = new Dues(MOST)
  /** How many of them were looked up; whether a try to write them may have succeeded unseen. */
  #looked = 0
  #wasTried = false
  #nextShard = 0
  #taken = FIRST_TAKEN
  /** Completions in the database; set it before the first batch. */
  total = 0
  /** Completions written since the start. */
  written = 0

  constructor(swarm: Swarm, database: DatabaseHealth, newRows: NewRows) {
    this.#swarm = swarm
    this.#database = database
    this.#newRows = newRows
  }

  get isEmpty(): boolean {
    return this.#dues.count === 0
  }
  /** Completions in hand, not known to be written. */
  owed(): number {
    return this.#dues.owed.subarray(0, this.#dues.count).reduce((sum, owed) => sum + owed, 0)
  }

  /** Takes what is due, some of every shard in turn. Whether there may be more. */
  gather(): boolean {
    const { shards } = this.#swarm
    const dues = this.#dues
    for (let idle = 0; idle < shards.length && dues.count < MOST; ) {
      const shard = shards[this.#nextShard]!
      this.#nextShard = (this.#nextShard + 1) % shards.length
      const before = dues.count
      // A shard that is locked right now has its turn the next time.
      if (hasDues(shard)) takeDues(shard, dues, this.#taken, 0)
      idle = dues.count > before ? 0 : idle + 1
      if (idle === 0 && this.#taken < TAKEN) this.#taken++
    }
    return dues.count === MOST
  }

  /** Does what is to be done with the torrents in hand. `isOver`: says when to hurry. */
  async settle(isOver: () => boolean): Promise<void> {
    // At the end nobody asks any more how often a torrent was completed before.
    while (this.#looked < this.#dues.count && !isOver()) await this.#lookUp(isOver)
    await this.#write()
    this.#dues.count = 0
    this.#looked = 0
    this.#wasTried = false
  }

  async #lookUp(isOver: () => boolean): Promise<void> {
    const { owed, wanted, words } = this.#dues
    const end = Math.min(this.#dues.count, this.#looked + LOOKUPS)
    const places: number[] = []
    for (let place = this.#looked; place < end; place++)
      if (wanted[place] === 1 || (owed[place]! > 0 && this.#newRows.isLimited)) places.push(place)
    if (places.length > 0) {
      const hashes = this.#dues.pick(places)
      const stored = await this.#database.ask((database) => database.downloadsOf(hashes))
      const add = (i: number) => addStored(this.#swarm, words, places[i]! * 5, stored[i]!, 0)
      await applyEach(places.length, add, isOver)
      this.#dropBeyondLimit(places.filter((_, i) => stored[i] === NO_ROW))
    }
    this.#looked = end
  }

  /** Of the torrents without a row; once for each, before the first try to write it. */
  #dropBeyondLimit(places: readonly number[]): void {
    const { owed } = this.#dues
    for (const place of places)
      if (owed[place]! > 0 && !this.#newRows.take(owed[place]!)) owed[place] = 0
  }

  async #write(): Promise<void> {
    const { owed, count } = this.#dues
    const places: number[] = []
    for (let place = 0; place < count; place++) if (owed[place]! > 0) places.push(place)
    if (places.length === 0) return
    const hashes = this.#dues.pick(places)
    const counts = Float64Array.from(places, (place) => owed[place]!)
    const sum = this.owed()
    const provenBy = this.#wasTried ? this.total + sum : undefined
    this.#wasTried = true
    this.total = await this.#database.ask((database) =>
      database.addDownloads(hashes, counts, provenBy),
    )
    this.written += sum
  }
}
