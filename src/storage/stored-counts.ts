/**
 * Looks up what scrapes asked for in vain: torrents that are not here, but in the database. Strangers
 * choose how many there are, so only so many are asked for in one cycle.
 */

import type { Swarm } from '../swarm/swarm.ts'
import { applyEach } from './apply.ts'
import { fileStored, Hashes, takeQuestions } from './owed.ts'
import type { DatabaseHealth } from './watched-database.ts'

/** Of one shard; there are 32 of them. */
const MOST_EACH = 15

export class Questions {
  readonly #swarm: Swarm
  readonly #database: DatabaseHealth
  readonly #hashes: Hashes

  constructor(swarm: Swarm, database: DatabaseHealth) {
    this.#swarm = swarm
    this.#database = database
    this.#hashes = new Hashes(MOST_EACH * swarm.shards.length)
  }

  /** Those it could not answer are asked again first. Never while a batch is in hand that changes the answer. */
  async answer(isOver: () => boolean): Promise<void> {
    const hashes = this.#hashes
    if (hashes.count === 0)
      for (const shard of this.#swarm.shards) takeQuestions(shard, hashes, MOST_EACH, 0)
    if (hashes.count === 0 || isOver()) return
    const asked = hashes.pick(Array(hashes.count).keys())
    const stored = await this.#database.ask((database) => database.downloadsOf(asked))
    const file = (i: number) => fileStored(this.#swarm, hashes.words, i * 5, stored[i]!, 0)
    await applyEach(stored.length, file, isOver)
    hashes.count = 0
  }
}
