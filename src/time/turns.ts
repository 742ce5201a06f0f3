/**
 * Long work on the control thread beside everything else it does. It never queues for a lock of the swarm,
 * because the holder may be dead and the control thread is the one to notice. It gives the event loop its
 * turns, because a tracker with one thread serves announces on the same loop.
 */

/** A lock that is busy for longer is broken: its holder is alive, but does not go on. */
const LONGEST_WAIT_MILLISECONDS = 2_000
const RETRY_MILLISECONDS = 1
/**
 * Work between two turns of the event loop. In a flood of datagrams the turn of everything else takes
 * 10 ms (limits.ts): with shorter ones a page of torrents would never be finished.
 */
const TURN_MILLISECONDS = 3

/** Lets everything that waits run first: I/O, timers, other work. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Ends the turn of long work in time: ask `isOver` often, and await `next` when it is true. */
export class Turns {
  #began = performance.now()

  get isOver(): boolean {
    return this.isLongerThan(TURN_MILLISECONDS)
  }
  /** For work that has a longer turn. */
  isLongerThan(milliseconds: number): boolean {
    return performance.now() - this.#began > milliseconds
  }
  async next(): Promise<void> {
    await nextTurn()
    this.#began = performance.now()
  }
}

/**
 * The result of `attempt`. undefined means that a lock was busy: it is tried again a little later. Rejects
 * when the lock stays busy for `longest` milliseconds.
 */
export async function patiently<T>(
  attempt: () => T | undefined,
  longest = LONGEST_WAIT_MILLISECONDS,
): Promise<T> {
  const began = performance.now()
  for (;;) {
    const result = attempt()
    if (result !== undefined) return result
    if (performance.now() - began > longest)
      throw new Error(`a part of the swarm stayed locked for ${longest} ms`)
    await Bun.sleep(RETRY_MILLISECONDS)
  }
}

/**
 * Steps through work that is cut into slices, with turns of the event loop between them. A slice that
 * yields false found a lock busy: it is tried again as by `patiently`. Resolves with the result of the work.
 */
export async function finish<T>(
  slices: Generator<unknown, T, void>,
  longest = LONGEST_WAIT_MILLISECONDS,
): Promise<T> {
  const turns = new Turns()
  for (;;) {
    const step = await patiently(() => {
      const made = slices.next()
      return made.done || made.value !== false ? made : undefined
    }, longest)
    if (step.done) return step.value
    if (turns.isOver) await turns.next()
  }
}
