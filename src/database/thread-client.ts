/**
 * One database thread, seen from the thread that asks it. Calls may be made at once: the other side does
 * them when the database is open. Each ends within its patience, whatever the thread does; when the
 * thread ends, all that are in hand do.
 */
import type { DatabaseConfig } from '../config/model.ts'
import { DatabaseError, PATIENCE_MILLISECONDS } from './contract.ts'
import { Errand } from './errand.ts'
import { cannotOpen, closed, placeOf } from './faults.ts'
import type { Failure, FromDatabase, Method, ToDatabase } from './message.ts'

/** Calls the thread may owe an answer. Those that hang must not pile up. */
const MOST_OWED = 1_000

/**
 * Time for what was asked before the close, and for the goodbye to a server. With what a stop gives to
 * connections and to writing before (cli/start.ts, cli/storage.ts) it stays within ten seconds.
 */
const CLOSING_MILLISECONDS = 1_500

export type LinkOptions = {
  readonly config: DatabaseConfig
  /** The thread's entry. */
  readonly url: string
  /** Told what nobody foresaw, and in whose words: those may hold secrets. */
  readonly onTrouble: (what: string, words: string) => void
  /** Called once, when the thread is no more. */
  readonly onEnd: () => void
}

type Call = {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: DatabaseError) => void
  readonly patience: ReturnType<typeof setTimeout>
}

export class Link {
  /** Rejects when the database does not open, or the thread ends before it does. */
  readonly opened: Promise<void>
  readonly #opened = Promise.withResolvers<void>()
  readonly #closed = Promise.withResolvers<void>()
  readonly #options: LinkOptions
  readonly #worker: Worker
  readonly #calls = new Map<number, Call>()
  /** Calls without an answer, those included whose caller no longer waits. */
  #owed = 0
  #lastId = 0
  #isOpen = false
  #isEnded = false

  constructor(options: LinkOptions) {
    this.#options = options
    this.opened = this.#opened.promise
    // Who does not wait for it is told by the calls.
    this.opened.catch(() => undefined)
    this.#worker = new Worker(options.url)
    let words = 'it ended'
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromDatabase>) =>
      this.#hear(data),
    )
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault()
      words = event.message
    })
    this.#worker.addEventListener('close', () => this.#died(words))
    this.#send({ kind: 'open', config: options.config })
  }

  /** `made`: when the caller began to wait. */
  call(method: Method, args: readonly unknown[], made: number): Promise<unknown> {
    if (this.#isEnded) return Promise.reject(this.#lost('its thread has ended'))
    if (this.#owed >= MOST_OWED)
      return Promise.reject(this.#late(`does not answer, and ${MOST_OWED} calls wait already`))
    const id = ++this.#lastId
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const errand = new Errand()
    const patience = setTimeout(
      () => {
        errand.giveUp()
        this.#calls.delete(id)
        reject(this.#late(`has not answered within ${PATIENCE_MILLISECONDS / 1_000} s`))
      },
      made + PATIENCE_MILLISECONDS - performance.now(),
    )
    this.#calls.set(id, { resolve, reject, patience })
    this.#owed++
    this.#send({ kind: 'call', id, method, args, errand: errand.memory })
    return promise
  }

  /** Resolves once the thread has closed the database, or does not get to it. Never rejects. */
  async close(): Promise<void> {
    if (this.#isEnded) return
    this.#send({ kind: 'close' })
    const patience = setTimeout(this.#closed.resolve, CLOSING_MILLISECONDS)
    await this.#closed.promise
    clearTimeout(patience)
    this.abandon()
  }

  /** Ends the thread as it is. */
  abandon(): void {
    this.#end(closed(placeOf(this.#options.config)))
  }

  #send(message: ToDatabase): void {
    this.#worker.postMessage(message)
  }

  #hear(message: FromDatabase): void {
    if (message.kind === 'opened') this.#open()
    else if (message.kind === 'failed') this.#end(this.#failure(message))
    else if (message.kind === 'closed') this.#closed.resolve()
    else this.#settle(message)
  }

  #open(): void {
    this.#isOpen = true
    this.#opened.resolve()
  }

  #settle(message: FromDatabase & { kind: 'done' | 'rejected' }): void {
    this.#owed--
    const call = this.#take(message.id)
    if (message.kind === 'done') call?.resolve(message.value)
    else {
      // Whoever still waits for it or not, a bug is told.
      const failure = this.#failure(message)
      call?.reject(failure)
    }
  }

  #failure({ fault, message, bug }: Failure): DatabaseError {
    if (bug !== undefined) this.#options.onTrouble('the database driver failed', bug)
    return new DatabaseError(fault, message)
  }

  /** The call, if its caller still waits. */
  #take(id: number): Call | undefined {
    const call = this.#calls.get(id)
    if (call === undefined) return undefined
    this.#calls.delete(id)
    clearTimeout(call.patience)
    return call
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
    for (const id of [...this.#calls.keys()]) this.#take(id)!.reject(why)
    this.#opened.reject(why)
    this.#closed.resolve()
    this.#options.onEnd()
  }

  #lost(what: string): DatabaseError {
    const place = placeOf(this.#options.config)
    return new DatabaseError('unreachable', `the database ${place} was lost: ${what}`)
  }

  #late(what: string): DatabaseError {
    return new DatabaseError('late', `the database ${placeOf(this.#options.config)} ${what}`)
  }
}
