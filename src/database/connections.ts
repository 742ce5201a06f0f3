/**
 * A few connections to one database server, shared by all calls: a call has one to itself for its whole
 * transaction. A connection that did not answer by the deadline of its call is dropped: a late answer would be
 * taken for that of the next question. (The pools of the client libraries cannot give up one connection that
 * hangs.)
 */
import { Deadline, TooLate } from '../time/deadline.ts'
import {
  CALL_MILLISECONDS,
  closed,
  DatabaseError,
  DRIVER_NAMES,
  late,
  placeOf,
  queryFailed,
} from './contract.ts'
import { type Connection, connectBy, type Server, type Sessions, type Work } from './session.ts'

const MOST_CONNECTIONS = 4
/** A connection that was idle for longer is not used: routers forget it without telling either end. */
const IDLE_MILLISECONDS = 60_000
/** Limits that the server is told once for each connection, so that it stops first and names the cause. */
const LOCK_MILLISECONDS = 2_500
const STATEMENT_MILLISECONDS = 3_250
/** Time for disconnecting politely. */
const LEAVE_MILLISECONDS = 500

type Idle = { readonly connection: Connection; readonly since: number }

export class Connections implements Sessions {
  readonly about: string
  readonly #server: Server
  /** The one that was used last is at the end, and is used next. */
  #idle: Idle[] = []
  readonly #running = new Set<Promise<unknown>>()
  /** Connections that exist or are being made. */
  #open = 0
  /** Resolves when a call need no longer wait for a connection. */
  #freed = Promise.withResolvers<void>()
  #closing: Promise<void> | undefined

  constructor(server: Server) {
    this.about = placeOf(server.config)
    this.#server = server
  }

  async run<T>(
    work: (connection: Connection) => Promise<T>,
    deadline = Deadline.in(CALL_MILLISECONDS),
  ): Promise<T> {
    if (this.#closing) throw closed(this.about)
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

  /** Work that collided with another transaction is done again. */
  transact<T>(work: Work<T>, deadline?: Deadline): Promise<T> {
    return this.run(async (connection) => {
      await connection.write('START TRANSACTION')
      try {
        const result = await work(connection)
        await connection.write('COMMIT')
        return result
      } catch (error) {
        // The next call must not get a connection that cannot even roll back.
        await connection.write('ROLLBACK').catch(() => connection.destroy())
        throw error
      }
    }, deadline)
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await Promise.allSettled(this.#running)
      await Promise.all(this.#idle.map(({ connection }) => leave(connection)))
    })()
    return this.#closing
  }

  async #try<T>(work: (connection: Connection) => Promise<T>, deadline: Deadline): Promise<T> {
    for (let times = 1; ; times++) {
      const connection = await this.#take(deadline)
      let isLate = false
      try {
        return await deadline.run(() => work(connection))
      } catch (error) {
        isLate = deadline.isOver
        if (!connection.alive || isLate || !this.#server.failureOf(error).again) throw error
      } finally {
        this.#giveBack(connection, isLate)
      }
      // Jitter, so that two conflicting transactions do not collide again.
      await deadline.run(() => Bun.sleep(Math.random() * 10 * times))
    }
  }

  async #take(deadline: Deadline): Promise<Connection> {
    for (;;) {
      const idle = this.#idle.pop()
      if (idle?.connection.alive && idle.since > performance.now() - IDLE_MILLISECONDS)
        return idle.connection
      if (idle) this.#drop(idle.connection)
      else if (this.#open < MOST_CONNECTIONS) return await this.#connect(deadline)
      else await deadline.run(() => this.#freed.promise)
    }
  }

  async #connect(deadline: Deadline): Promise<Connection> {
    this.#open++
    try {
      return await connectBy(deadline, this.#server, LOCK_MILLISECONDS, STATEMENT_MILLISECONDS)
    } catch (error) {
      this.#open--
      this.#free()
      throw error
    }
  }

  #giveBack(connection: Connection, isLate: boolean): void {
    if (!isLate && connection.alive) this.#idle.push({ connection, since: performance.now() })
    // The idle ones most likely met the same fate.
    else for (const lost of [{ connection }, ...this.#idle.splice(0)]) this.#drop(lost.connection)
    this.#free()
  }

  #drop(connection: Connection): void {
    connection.destroy()
    this.#open--
  }

  /** Lets the calls that wait try again, in their order. */
  #free(): void {
    this.#freed.resolve()
    this.#freed = Promise.withResolvers()
  }

  #errorOf(error: unknown): DatabaseError {
    if (error instanceof DatabaseError) return error
    if (error instanceof TooLate) return late(this.about)
    const { driver } = this.#server.config
    const { fault, reason } = this.#server.failureOf(error)
    if (fault !== 'unreachable') return queryFailed(driver, fault, reason)
    const where = `${DRIVER_NAMES[driver]} database: ${this.about}`
    return new DatabaseError(fault, `Failed to connect to ${where}: ${reason}`)
  }
}

async function leave(connection: Connection): Promise<void> {
  await Deadline.in(LEAVE_MILLISECONDS).waitFor(connection.end().catch(() => undefined))
  connection.destroy()
}
