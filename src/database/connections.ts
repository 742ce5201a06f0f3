/**
 * A few connections to one database server, shared by all calls: a call has one to itself for its whole
 * transaction. It ends by its deadline, whatever the server does. A connection that did not answer in time
 * is dropped: a late answer would be taken for that of the next question.
 */
import { Deadline, TooLate } from '../time/deadline.ts'
import {
  CALL_MILLISECONDS,
  closed,
  DatabaseError,
  DRIVER_NAMES,
  driverDeadline,
  queryFailed,
  RETURN_MILLISECONDS,
} from './contract.ts'
import { connectBy, type Server, type Session } from './session.ts'

const MOST_CONNECTIONS = 4
/** A connection that was idle for longer is not used: routers forget it without telling either end. */
const IDLE_MILLISECONDS = 60_000
/** Limits that the server is told once for each connection, so that it stops first and names the cause. */
const LOCK_MILLISECONDS = 2_500
const STATEMENT_MILLISECONDS = 3_250
/** Time for disconnecting politely. */
const LEAVE_MILLISECONDS = 500

type Idle = { readonly session: Session; readonly since: number }
/** Gets a session; undefined: there is room for another connection. */
type Waiting = (session: Session | undefined) => void

export class Connections {
  readonly #server: Server
  /** The one that was used last is at the end, and is used next. */
  #idle: Idle[] = []
  readonly #waiting = new Set<Waiting>()
  readonly #running = new Set<Promise<unknown>>()
  /** Connections that exist or are being made. */
  #open = 0
  #closing: Promise<void> | undefined

  constructor(server: Server) {
    this.#server = server
  }

  /** Rejects with a `DatabaseError` only. Work that collided with another transaction is done again. */
  async run<T>(work: (session: Session) => Promise<T>, deadline = driverDeadline()): Promise<T> {
    if (this.#closing) throw closed(this.#server.about)
    const call = this.#try(work, deadline)
    this.#running.add(call)
    try {
      return await call
    } catch (error) {
      throw this.#errorOf(error)
    } finally {
      this.#running.delete(call)
    }
  }

  /** Waits for the calls in hand, which end by their deadlines. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      await Promise.allSettled(this.#running)
      await Promise.all(this.#idle.map(({ session }) => leave(session)))
    })()
    return this.#closing
  }

  async #try<T>(work: (session: Session) => Promise<T>, deadline: Deadline): Promise<T> {
    for (let times = 1; ; times++) {
      const session = await this.#take(deadline)
      let isLate = false
      try {
        return await deadline.run(() => work(session))
      } catch (error) {
        isLate = deadline.isOver
        if (!session.alive || isLate || !this.#server.failureOf(error).again) throw error
      } finally {
        this.#giveBack(session, isLate)
      }
      // Jitter, so that two conflicting transactions do not collide again.
      await deadline.run(() => Bun.sleep(Math.random() * 10 * times))
    }
  }

  async #take(deadline: Deadline): Promise<Session> {
    for (;;) {
      const idle = this.#idle.pop()
      if (idle?.session.alive && idle.since > performance.now() - IDLE_MILLISECONDS)
        return idle.session
      if (idle) this.#drop(idle.session)
      else if (this.#open < MOST_CONNECTIONS) return await this.#connect(deadline)
      else {
        const session = await this.#wait(deadline)
        if (session) return session
      }
    }
  }

  async #connect(deadline: Deadline): Promise<Session> {
    this.#open++
    try {
      return await connectBy(deadline, this.#server, LOCK_MILLISECONDS, STATEMENT_MILLISECONDS)
    } catch (error) {
      this.#makeRoom()
      throw error
    }
  }

  #wait(deadline: Deadline): Promise<Session | undefined> {
    return deadline.run((signal) => {
      const { promise, resolve } = Promise.withResolvers<Session | undefined>()
      signal.addEventListener('abort', () => this.#waiting.delete(resolve))
      this.#waiting.add(resolve)
      return promise
    })
  }

  #giveBack(session: Session, isLate: boolean): void {
    if (isLate || !session.alive) {
      this.#drop(session)
      // The idle ones most likely met the same fate.
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

  #errorOf(error: unknown): DatabaseError {
    if (error instanceof DatabaseError) return error
    const { about, driver } = this.#server
    if (error instanceof TooLate)
      return new DatabaseError(
        'late',
        // A caller with an earlier deadline has a message of its own.
        `the ${DRIVER_NAMES[driver]} database ${about} gave no answer within ${CALL_MILLISECONDS - RETURN_MILLISECONDS} ms`,
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
  await Deadline.in(LEAVE_MILLISECONDS).waitFor(session.end().catch(() => undefined))
  session.destroy()
}
