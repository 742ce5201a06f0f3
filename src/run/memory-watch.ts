/**
 * Says when the memory of torrents and peers is nearly spent, and when announces are refused because it is. Looks
 * at counters that the serving threads keep anyway: no announce waits for it, and none is logged.
 */
import type { Log } from '../log/log.ts'
import { Trouble } from '../log/trouble.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { size } from '../text/figures.ts'

const TARGET = 'TRACKER'
/** Shares of the memory in use from which on it is nearly spent, and below which it no longer is. */
const SHORT = 0.9
const ENOUGH = 0.8

export class MemoryWatch {
  readonly #swarm: Pick<Swarm, 'memory' | 'totals'>
  readonly #log: Log
  readonly #full: Trouble
  #isShort = false
  #refusals = 0

  constructor(swarm: Pick<Swarm, 'memory' | 'totals'>, log: Log) {
    this.#swarm = swarm
    this.#log = log
    const what = 'announces were refused or not remembered, because memory was full'
    this.#full = new Trouble(log, TARGET, what)
  }

  /** Call it about once a second. `now`: milliseconds of any origin. */
  look(now: number): void {
    const { refusals } = this.#swarm.totals()
    // Fewer than before: a shard was emptied.
    this.#full.add(now, Math.max(0, refusals - this.#refusals), () => [this.#whatIsFull()])
    this.#refusals = refusals
    this.#full.pass(now)
    const { used, limit } = this.#swarm.memory()
    const isShort = used >= limit * (this.#isShort ? ENOUGH : SHORT)
    if (isShort === this.#isShort) return
    this.#isShort = isShort
    const state = '{used} of {limit} are in use'
    const fields = { used: size(used), limit: size(limit) }
    if (!isShort) this.#log.info(TARGET, `memory is no longer nearly full: ${state}`, fields)
    else if (!this.#full.isOn)
      this.#log.warn(TARGET, `memory is nearly full: ${state}. ${this.#whatToDo()}`, fields)
  }

  /** Why clients are not served as they should be; undefined: they are. */
  get degraded(): string | undefined {
    return this.#full.isOn ? this.#whatIsFull() : undefined
  }

  #whatIsFull(): string {
    return `memory is full: new torrents are refused, and new peers are not remembered. ${this.#whatToDo()}`
  }

  #whatToDo(): string {
    const limit = size(this.#swarm.memory().limit)
    return `Raise runtime.max_memory, now ${limit}, or lower core.tracker_policy.max_peer_timeout`
  }
}
