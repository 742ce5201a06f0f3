/** Puts what the database answered into the swarm, one lock at a time, beside everything else. */
import { patiently, Turns } from '../time/turns.ts'

/**
 * Calls `change` for 0 to `count` − 1; while it says false, a lock is busy and it is called again a little
 * later. Ends early once it `isOver`.
 */
export async function applyEach(
  count: number,
  change: (i: number) => boolean,
  isOver: () => boolean,
): Promise<void> {
  const turns = new Turns()
  for (let i = 0; i < count && !isOver(); i++) {
    if (!change(i))
      await patiently(() => isOver() || change(i) || undefined, Number.POSITIVE_INFINITY)
    if (turns.isOver) await turns.next()
  }
}
