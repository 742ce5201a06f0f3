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

/** Disposing it stops a running sweep after its slice. `intervalSeconds` 0: no sweeps. */
export function startSweeper(
  tracker: Tracker,
  intervalSeconds: number,
  log: Log,
): Disposable & { readonly sweeps: Sweeps } {
  let disposed = false
  let sweeps: Sweeps = { count: 0, last: undefined }
  let timer: Timer | undefined
  const sweep = async () => {
    const began = performance.now()
    log.debug(TARGET, 'Cleaning up torrents..')
    const census = new Census()
    let longestHold = 0
    let slice = began
    try {
      for (const moved of tracker.sweep(census)) {
        // All that a slice does is done with the lock.
        longestHold = Math.max(longestHold, performance.now() - slice)
        if (disposed) return
        await (moved ? nextTurn() : Bun.sleep(BUSY_WAIT_MILLISECONDS))
        slice = performance.now()
      }
      const seconds = (performance.now() - began) / 1000
      sweeps = {
        count: sweeps.count + 1,
        last: { seconds, longestHold: longestHold / 1000, census },
      }
      log.debug(TARGET, 'Cleaned up torrents in: {ms}ms', {
        ms: Math.round(seconds * 1000),
        peers: census.peers,
        expired: census.expired,
        longest_hold_ms: Number(longestHold.toFixed(3)),
      })
    } catch (error) {
      log.error(TARGET, 'the sweep failed and will be tried again: {reason}', {
        reason: `${error}`,
      })
    }
    plan()
  }
  // Planned after a sweep, not at a fixed rate: a slow sweep never overlaps the next one.
  const plan = () => {
    timer = setTimeout(sweep, Math.min(intervalSeconds * 1000, LONGEST_TIMER_MILLISECONDS))
  }
  if (intervalSeconds > 0) plan()
  return {
    get sweeps() {
      return sweeps
    },
    [Symbol.dispose]() {
      disposed = true
      clearTimeout(timer)
    },
  }
}
