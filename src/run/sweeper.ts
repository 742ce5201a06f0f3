/**
 * Runs the tracker's sweep from time to time, one slice in each turn of the event loop, so that neither
 * announces on this thread nor announces that want the lock of the slice wait for long.
 */
import type { Log } from '../log.ts'
import { LONGEST_TIMER_MILLISECONDS } from '../time/deadline.ts'
import { nextTurn } from '../time/turns.ts'
import type { Tracker } from '../tracker.ts'

const TARGET = 'TORRENT CLEANUP'
/** Wait before a shard that another thread has locked is tried again. */
const BUSY_WAIT_MILLISECONDS = 5

/** Disposing it stops a running sweep after its slice. `intervalSeconds` 0: no sweeps. */
export function startSweeper(tracker: Tracker, intervalSeconds: number, log: Log): Disposable {
  let disposed = false
  let timer: Timer | undefined
  const sweep = async () => {
    const began = performance.now()
    log.info(TARGET, 'Cleaning up torrents..')
    try {
      for (const moved of tracker.sweep()) {
        if (disposed) return
        await (moved ? nextTurn() : Bun.sleep(BUSY_WAIT_MILLISECONDS))
      }
      log.info(TARGET, `Cleaned up torrents in: ${Math.round(performance.now() - began)}ms`)
    } catch (error) {
      log.error(TARGET, `the sweep failed and will be tried again: ${error}`)
    }
    plan()
  }
  // Planned after a sweep, not at a fixed rate: a slow sweep never overlaps the next one.
  const plan = () => {
    timer = setTimeout(sweep, Math.min(intervalSeconds * 1000, LONGEST_TIMER_MILLISECONDS))
  }
  if (intervalSeconds > 0) plan()
  return {
    [Symbol.dispose]() {
      disposed = true
      clearTimeout(timer)
    },
  }
}
