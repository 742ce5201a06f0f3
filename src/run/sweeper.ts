/**
 * Runs the tracker's sweep from time to time, one slice in each turn of the event loop, so that neither
 * announces on this thread nor announces that want the lock of the slice wait for long.
 */
import type { Log } from '../log/log.ts'
import { Census } from '../swarm/sweep.ts'
import { LONGEST_TIMER_MILLISECONDS } from '../time/deadline.ts'
import { nextTurn } from '../time/turns.ts'
import type { Tracker } from '../tracker.ts'

const TARGET = 'TORRENT CLEANUP'
/** Wait before a shard that another thread has locked is tried again. */
const BUSY_WAIT_MILLISECONDS = 5

/** What the last sweep saw, in seconds, and how many there were. */
export type Sweeps = {
  readonly count: number
  readonly last:
    | { readonly seconds: number; readonly longestHold: number; readonly census: Census }
    | undefined
}

/** Sweeps from time to time. Disposing it stops a running sweep after its slice. */
export class Sweeper implements Disposable {
  readonly #tracker: Tracker
  readonly #log: Log
  sweeps: Sweeps = { count: 0, last: undefined }
  #isOver = false
  #isSweeping = false
  #timer: Timer | undefined
  /** 0: no sweeps. */
  #intervalSeconds = 0

  constructor(tracker: Tracker, log: Log) {
    this.#tracker = tracker
    this.#log = log
  }

  /** Sweeps after that time from now on, and that long after each sweep; 0: never. */
  follow(intervalSeconds: number): void {
    if (intervalSeconds === this.#intervalSeconds) return
    this.#intervalSeconds = intervalSeconds
    clearTimeout(this.#timer)
    if (!this.#isSweeping) this.#plan()
  }

  async #sweep(): Promise<void> {
    const began = performance.now()
    this.#isSweeping = true
    this.#log.debug(TARGET, 'Cleaning up torrents..')
    const census = new Census()
    let longestHold = 0
    let slice = began
    try {
      for (const moved of this.#tracker.sweep(census)) {
        // All that a slice does is done with the lock.
        longestHold = Math.max(longestHold, performance.now() - slice)
        if (this.#isOver) return
        await (moved ? nextTurn() : Bun.sleep(BUSY_WAIT_MILLISECONDS))
        slice = performance.now()
      }
      const milliseconds = performance.now() - began
      this.sweeps = {
        count: this.sweeps.count + 1,
        last: { seconds: milliseconds / 1000, longestHold: longestHold / 1000, census },
      }
      this.#log.debug(TARGET, 'Cleaned up torrents in: {ms}ms', {
        ms: Math.round(milliseconds),
        peers: census.peers,
        expired: census.expired,
        longest_hold_ms: Number(longestHold.toFixed(3)),
      })
    } catch (error) {
      this.#log.error(TARGET, 'the sweep failed and will be tried again: {reason}', {
        reason: `${error}`,
      })
    }
    this.#isSweeping = false
    this.#plan()
  }

  /** After a sweep, not at a fixed rate: a slow sweep never overlaps the next one. */
  #plan(): void {
    if (this.#isOver || this.#intervalSeconds === 0) return
    const wait = Math.min(this.#intervalSeconds * 1000, LONGEST_TIMER_MILLISECONDS)
    this.#timer = setTimeout(() => this.#sweep(), wait)
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }
}
