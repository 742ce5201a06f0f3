/**
 * How the control thread works on the swarm beside everything else it does: it never waits inside a lock's
 * queue, because the holder may be dead and it is the one to notice; and it gives the event loop its
 * turns, because with one thread it serves announces, too.
 */
import type { Shard } from '../swarm/shard.ts'

/** After this long a lock is not busy but broken: its holder was not found dead, and does not go on. */
const LONGEST_WAIT_MILLISECONDS = 2_000
const LOOK_AGAIN_MILLISECONDS = 1
/**
 * Work between two turns of the event loop. In a flood of datagrams everybody else's turn takes 10 ms
 * (limits.ts): shorter ones would make a page take for ever.
 */
const TURN_MILLISECONDS = 3

/**
 * What `attempt` returns; undefined means that a lock was busy, and it is made again a little later. Rejects
 * when it is busy for `longest` milliseconds.
 */
export async function patiently<T>(
  attempt: () => T | undefined,
  longest = LONGEST_WAIT_MILLISECONDS,
): Promise<T> {
  const began = performance.now()
  for (;;) {
    const done = attempt()
    if (done !== undefined) return done
    if (performance.now() - began > longest)
      throw new Error(`a part of the swarm stayed locked for ${longest} ms`)
    await Bun.sleep(LOOK_AGAIN_MILLISECONDS)
  }
}

/** Runs `work` with the lock of `shard`, once it is to be had. It must not be longer than a millisecond. */
export function holding(shard: Shard, work: () => void, longest?: number): Promise<true> {
  return patiently(() => {
    if (!shard.lock.tryAcquire(0)) return undefined
    try {
      work()
      return true as const
    } finally {
      shard.lock.release()
    }
  }, longest)
}

/** Says when it is somebody else's turn. */
export class Turns {
  #began = performance.now()

  /** Ask often; await `next` when it is so. */
  get isOver(): boolean {
    return performance.now() - this.#began > TURN_MILLISECONDS
  }
  async next(): Promise<void> {
    await new Promise(setImmediate)
    this.#began = performance.now()
  }
}
