/**
 * A few connections to one database server, shared by all calls: a call gets one to itself, for its
 * whole transaction. A call never takes longer than its patience, whatever the server does; a connection
 * that answered too late is thrown away, because nobody knows what it will answer next.
 */

import { type Patience, TooLate, withinPatience } from '../time/deadline.ts'
import { DatabaseError, DRIVER_NAMES, PATIENCE_MILLISECONDS } from './contract.ts'
import { closed, queryFailed } from './faults.ts'
import { connectWithin, type Server, type Session } from './session.ts'

const MOST_CONNECTIONS = 4
/** Longer than this a connection is not trusted: routers forget quiet ones without telling anybody. */
const IDLE_MILLISECONDS = 60_000
/** A little less than is promised, so that the promise is kept. */
const CALL_MILLISECONDS = PATIENCE_MILLISECONDS - 250
/** What the server is told, so that it gives up first and says at what. */
const LOCK_MILLISECONDS = 2_500
const STATEMENT_MILLISECONDS = 3_250
/** Farewells are not worth more. */
const LEAVE_MILLISECONDS = 500

type Idle = { readonly session: Session; readonly since: number }
/** Gets a session, or undefined: there is room for another connection. */
type Waiting = (session: Session | undefined) => void

export class Connections {
  readonly #server: Server
  /** The one that was used last is at the end, and used next. */
  #idle: Idle[] = []
  readonly #waiting = new Set<Waiting>()
  readonly #running = new Set<Promise<unknown>>()
  /** Connections that are there or on their way. */
  #open = 0
  #closing: Promise<void> | undefined

  constructor(server: Server) {
    this.#server = server
  }

  /** Rejects with a `DatabaseError` only. Work that another transaction got in the way of is begun again. */
  async run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closing) throw closed(this.#server.about)
    const call = withinPatience(CALL_MILLISECONDS, (patience) => this.#try(work, patience))
    this.#running.add(call)
    try {
      return await call
    } catch (error) {
      throw this.#told(error)
    } finally {
      this.#running.delete(call)
    }
  }

  /** Calls that are under way come to their end, which is near. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      await Promise.allSettled(this.#running)
      await Promise.all(this.#idle.map(({ session }) => leave(session)))
    })()
    return this.#closing
  }

  async #try<T>(work: (session: Session) => Promise<T>, patience: Patience): Promise<T> {
    for (let times = 1; ; times++) {
      const session = await this.#take(patience)
      try {
        return await patience.bear(() => work(session))
      } catch (error) {
        if (!session.alive || patience.over || !this.#server.failureOf(error).again) throw error
      } finally {
        this.#giveBack(session, patience.over)
      }
      // Two that got in each other's way must not meet again at the same moment.
      await patience.bear(() => Bun.sleep(Math.random() * 10 * times))
    }
  }

  async #take(patience: Patience): Promise<Session> {
    for (;;) {
      const idle = this.#idle.pop()
      if (idle?.session.alive && idle.since > performance.now() - IDLE_MILLISECONDS)
        return idle.session
      if (idle) this.#drop(idle.session)
      else if (this.#open < MOST_CONNECTIONS) return await this.#connect(patience)
      else {
        const session = await this.#wait(patience.signal)
        if (session) return session
      }
    }
  }

  async #connect(patience: Patience): Promise<Session> {
    this.#open++
    try {
      return await connectWithin(patience, this.#server, LOCK_MILLISECONDS, STATEMENT_MILLISECONDS)
    } catch (error) {
      this.#makeRoom()
      throw error
    }
  }

  #wait(signal: AbortSignal): Promise<Session | undefined> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.delete(turn)
        reject(signal.reason)
      }
      const turn: Waiting = (session) => {
        signal.removeEventListener('abort', giveUp)
        resolve(session)
      }
      signal.addEventListener('abort', giveUp)
      this.#waiting.add(turn)
    })
  }

  #giveBack(session: Session, late: boolean): void {
    if (late || !session.alive) {
      this.#drop(session)
      // What befell this one has most likely befallen those that were not in use.
      for (const { session } of this.#idle.splice(0)) this.#drop(session)
      return
    }
    const [next] = this.#waiting
    if (next) {
      this.#waiting.delete(next)
      next(session)
    } else this.#idle.push({ session, since: performance.now() })
  }

  #drop(session: Session): void {
    session.destroy()
    this.#makeRoom()
  }

  #makeRoom(): void {
    this.#open--
    const [next] = this.#waiting
    if (next) {
      this.#waiting.delete(next)
      next(undefined)
    }
  }

  #told(error: unknown): DatabaseError {
    if (error instanceof DatabaseError) return error
    const { about, driver } = this.#server
    if (error instanceof TooLate)
      return new DatabaseError(
        'late',
        `the ${DRIVER_NAMES[driver]} database ${about} gave no answer within ${CALL_MILLISECONDS} ms`,
      )
    const { fault, reason } = this.#server.failureOf(error)
    return fault === 'unreachable'
      ? new DatabaseError(
          fault,
          `Failed to connect to ${DRIVER_NAMES[driver]} database: ${about}: ${reason}`,
        )
      : queryFailed(driver, fault, reason)
  }
}

async function leave(session: Session): Promise<void> {
  await Promise.race([session.end().catch(() => undefined), Bun.sleep(LEAVE_MILLISECONDS)])
  session.destroy()
}
