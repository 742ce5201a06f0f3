/**
 * The operations on keys and whitelist, one after the other. The management API answers within 5 s
 * (spec/torrust-rest-api §1): whoever waits for one is told in time that it is late, however many wait
 * before him. What was given up before it was begun is never done.
 */
import { DatabaseError, type Fault } from '../database/contract.ts'

export type Patience = {
  /** Less than the API gives a request, more than the database may take for a call. */
  readonly answerMilliseconds: number
  /** At the end, what was asked gets this long: a database that hangs must not keep us. */
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
    let state: 'waits' | 'begun' | 'given up' = 'waits'
    const late = (rest: string) =>
      this.#fault('late', `has not answered within ${answerMilliseconds / 1_000} s; ${rest}`)
    const timer = setTimeout(() => {
      if (state === 'begun') return reject(late('whether it will be done is not known'))
      state = 'given up'
      reject(late('nothing was changed'))
    }, answerMilliseconds)
    this.inTurn(async () => {
      // The caller was told already.
      if (state === 'given up') return undefined as T
      state = 'begun'
      return await work()
    })
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
    return promise
  }

  /**
   * From now on nothing is begun but for a moment. Resolves when everything is done or the moment over: the
   * database is closed then, which ends whatever still hangs.
   */
  async end(): Promise<void> {
    const moment = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      this.#isOver = true
      moment.resolve()
    }, this.#patience.endMilliseconds)
    await Promise.race([this.#last, moment.promise])
    clearTimeout(timer)
  }

  #fault(fault: Fault, what: string): DatabaseError {
    return new DatabaseError(fault, `the database ${this.#about} ${what}`)
  }
}
