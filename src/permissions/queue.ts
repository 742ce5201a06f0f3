/**
 * The operations on keys and whitelist, one after the other. The management API answers within 5 s
 * (spec/torrust-rest-api §1): whoever waits for one is told in time that it is late, however many wait
 * before him. What was given up before it was begun is never done.
 */
import { DatabaseError, type Fault } from '../database/contract.ts'

export type Patience = {
  /** Less than the API gives a request, more than the database may take for a call. */
  readonly answerMilliseconds: number
  /** At the end, what was asked gets this long to be begun: a database that hangs must not keep us. */
  readonly endMilliseconds: number
}
const PATIENCE: Patience = { answerMilliseconds: 4_500, endMilliseconds: 1_000 }

export class Queue {
  readonly #about: string
  readonly #patience: Patience
  #last: Promise<unknown> = Promise.resolve()
  /** Nothing is begun any more. */
  #isOver = false

  /** `about`: the database, for messages. */
  constructor(about: string, patience = PATIENCE) {
    this.#about = about
    this.#patience = patience
  }

  /** Does `work` when all that was asked before is done, whatever came of that. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      if (this.#isOver) throw this.#fault('unreachable', 'is being closed')
      return work()
    })
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /** The same for somebody who waits. Work that is late goes on once it was begun. */
  inTime<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const { answerMilliseconds } = this.#patience
    const late = this.#fault('late', `has not answered within ${answerMilliseconds / 1_000} s`)
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      reject(late)
    }, answerMilliseconds)
    this.inTurn(async () => {
      if (isLate) throw late
      return await work()
    })
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
    return promise
  }

  /** Resolves when everything that was asked is done or given up. */
  async end(): Promise<void> {
    const timer = setTimeout(() => {
      this.#isOver = true
    }, this.#patience.endMilliseconds)
    await this.#last
    clearTimeout(timer)
  }

  #fault(fault: Fault, what: string): DatabaseError {
    return new DatabaseError(fault, `the database ${this.#about} ${what}`)
  }
}
