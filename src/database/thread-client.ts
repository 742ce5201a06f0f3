/**
 * The caller's side of one database thread. Calls may be made at once: the thread does them when its database
 * is open. Each ends by its deadline, whatever the thread does, and all end when the thread does.
 */
import type { DatabaseConfig } from '../config/model.ts'
import { Deadline } from '../time/deadline.ts'
import { cannotOpen, closed, DatabaseError, late, placeOf } from './contract.ts'
import {
  CallState,
  type Failure,
  type FromDatabase,
  type Method,
  type ToDatabase,
} from './thread-service.ts'

/** The most calls that the thread has not answered: calls that hang must not pile up. */
const MOST_UNANSWERED = 1_000

/**
 * Time for the calls that were made before the close, and for disconnecting. A stop takes less than ten
 * seconds with this, the grace of connections (run/start.ts) and the last write (storage/open.ts).
 */
const CLOSING_MILLISECONDS = 1_500

type ThreadClientOptions = {
  readonly config: DatabaseConfig
  /** Entry of the thread. */
  readonly url: string
  /** Called with an unforeseen error and its original words, which may hold secrets. */
  readonly onTrouble: (what: string, words: string) => void
  /** Called once, when the thread has ended. */
  readonly onEnd: () => void
}

type Call = {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: DatabaseError) => void
}

export class ThreadClient {
  /** Rejects when the database does not open, or the thread ends before it does. */
  readonly opened: Promise<void>
  readonly #opened = Promise.withResolvers<void>()
  readonly #closed = Promise.withResolvers<void>()
  readonly #options: ThreadClientOptions
  readonly #place: string
  readonly #worker: Worker
  /** Calls whose callers still wait. */
  readonly #calls = new Map<number, Call>()
  #unanswered = 0
  #lastId = 0
  #isOpen = false
  #isEnded = false

  constructor(options: ThreadClientOptions) {
    this.#options = options
    this.#place = placeOf(options.config)
    this.opened = this.#opened.promise
    // Later calls report the failure to callers that do not await this.
    this.opened.catch(() => undefined)
    this.#worker = new Worker(options.url)
    let words = 'it ended'
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromDatabase>) =>
      this.#received(data),
    )
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault()
      words = event.message
    })
    this.#worker.addEventListener('close', () => this.#died(words))
    this.#send({ kind: 'open', config: options.config, sentAt: performance.now() })
  }

  async call(method: Method, args: readonly unknown[], deadline: Deadline): Promise<unknown> {
    if (this.#isEnded) throw this.#lost('its thread has ended')
    if (this.#unanswered >= MOST_UNANSWERED)
      throw new DatabaseError(
        'late',
        `the database ${this.#place} does not answer, and ${MOST_UNANSWERED} calls wait already`,
      )
    const id = ++this.#lastId
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const state = new CallState()
    return await deadline.run(
      () => {
        this.#calls.set(id, { resolve, reject })
        this.#unanswered++
        const sentAt = performance.now()
        const { memory } = state
        this.#send({ kind: 'call', id, method, args, state: memory, sentAt, deadline: deadline.at })
        return promise
      },
      () => {
        state.giveUp()
        this.#calls.delete(id)
        return late(this.#place)
      },
    )
  }

  /** Resolves when the thread has closed the database, or takes too long. Never rejects. */
  async close(): Promise<void> {
    if (this.#isEnded) return
    this.#send({ kind: 'close' })
    await Deadline.in(CLOSING_MILLISECONDS).waitFor(this.#closed.promise)
    this.abandon()
  }

  /** Ends the thread at once. */
  abandon(): void {
    this.#end(closed(this.#place))
  }

  #send(message: ToDatabase): void {
    this.#worker.postMessage(message)
  }

  #received(message: FromDatabase): void {
    if (message.kind === 'opened') this.#open()
    else if (message.kind === 'failed') this.#end(this.#failure(message))
    else if (message.kind === 'closed') this.#closed.resolve()
    else this.#answered(message)
  }

  #open(): void {
    this.#isOpen = true
    this.#opened.resolve()
  }

  #answered(message: FromDatabase & { kind: 'done' | 'rejected' }): void {
    this.#unanswered--
    const call = this.#calls.get(message.id)
    this.#calls.delete(message.id)
    if (message.kind === 'done') call?.resolve(message.value)
    else {
      // A bug is reported even if the caller has given up.
      const failure = this.#failure(message)
      call?.reject(failure)
    }
  }

  #failure({ fault, message, bug }: Failure): DatabaseError {
    if (bug !== undefined) this.#options.onTrouble('the database driver failed', bug)
    return new DatabaseError(fault, message)
  }

  #died(words: string): void {
    if (this.#isEnded) return
    this.#options.onTrouble('the database thread died', words)
    const { config } = this.#options
    this.#end(
      this.#isOpen
        ? this.#lost('its thread died')
        : cannotOpen(config, 'unreachable', 'its thread died'),
    )
  }

  #end(why: DatabaseError): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#worker.terminate()
    for (const { reject } of this.#calls.values()) reject(why)
    this.#calls.clear()
    this.#opened.reject(why)
    this.#closed.resolve()
    this.#options.onEnd()
  }

  #lost(what: string): DatabaseError {
    return new DatabaseError('unreachable', `the database ${this.#place} was lost: ${what}`)
  }
}
