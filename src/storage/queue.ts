/** Calls of the management API that use the database: they are carried out one after the other, and end in time. */
import { CALL_MILLISECONDS, closed, late, notBegun } from '../database/contract.ts'
import { Deadline } from '../time/deadline.ts'

/** Time for the operations at the end: a database that hangs must not keep the program. */
const END_MILLISECONDS = 1_000

/** Operations, one after the other. */
export class OperationQueue {
  readonly #about: string
  readonly #milliseconds: number
  #last: Promise<unknown> = Promise.resolve()
  /** Nothing is begun any more. */
  #isOver = false

  /** `about`: the database, for messages. `milliseconds`: less than the API gives a request (A6). */
  constructor(about: string, milliseconds = CALL_MILLISECONDS) {
    this.#about = about
    this.#milliseconds = milliseconds
  }

  /** Does `work` when all earlier operations have ended, well or badly. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      if (this.#isOver) throw closed(this.#about)
      return work()
    })
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /**
   * The same for a caller who must be answered in time: its wait for the earlier ones counts. Work that has not
   * begun by the deadline is never done. Work that has begun may use the deadline, and goes on after it.
   */
  inTime<T>(work: (deadline: Deadline) => Promise<T>): Promise<T> {
    const deadline = Deadline.in(this.#milliseconds)
    let isBegun = false
    const turn = this.inTurn(async () => {
      if (deadline.isOver) throw notBegun(this.#about)
      isBegun = true
      return await work(deadline)
    })
    return deadline.run(
      () => turn,
      () => (isBegun ? late(this.#about) : notBegun(this.#about)),
    )
  }

  /**
   * Resolves when everything is done, or after a moment: from then on nothing is begun. The database is closed
   * next, which ends what still hangs.
   */
  async end(milliseconds = END_MILLISECONDS): Promise<void> {
    this.#isOver = !(await Deadline.in(milliseconds).waitFor(this.#last))
  }
}
