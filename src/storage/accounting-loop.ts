/**
 * Accounting between the rings of the serving threads, the books and the database: what was announced is entered in
 * the books, sessions that they do not know are looked up, and what they owe is written in batches. One batch is in
 * hand at most. It keeps its name until it is known to be written, so it is added once, however often it is sent. While
 * the database is away everything waits in the books, merged by session. One thread alone must use it.
 */
import { type AccountingBatch, MOST_SESSIONS } from '../accounting/batch.ts'
import type { Books } from '../accounting/books.ts'
import type { RingReader } from '../accounting/ring.ts'
import type { AccountingDatabase, Written } from '../database/accounting-contract.ts'
import { DatabaseError } from '../database/contract.ts'
import { LimitedLines } from '../log/limited-lines.ts'
import type { Log } from '../log/log.ts'
import type { Clock } from '../time/clock.ts'
import { Deadline } from '../time/deadline.ts'
import { finish, Turns } from '../time/turns.ts'
import type { AccountingEvent } from './accounting.ts'
import type { NewRows } from './new-rows.ts'
import type { WatchedDatabase } from './watched-database.ts'

export type LoopPace = {
  /** Between two looks at the rings. */
  readonly drainMilliseconds: number
  /** Between two writes, and between two that write what owes time only. */
  readonly writeMilliseconds: number
  readonly idleMilliseconds: number
  /** Between two looks for sessions that are silent. */
  readonly expiryMilliseconds: number
}

type LoopOptions = {
  readonly books: Books
  /** By serving thread. */
  readonly rings: readonly RingReader[]
  /** Its own watch. */
  readonly watch: WatchedDatabase
  readonly database: AccountingDatabase
  readonly newRows: NewRows
  readonly clock: Clock
  readonly log: Log
  readonly pace: LoopPace
  /** Seconds after which baselines of silent sessions, and flags, are forgotten. */
  readonly retention: { readonly sessions: number; readonly flags: number }
  /** Names this process in the database: 32 letters and digits. */
  readonly writer: string
  /** Number of the last write of all. */
  readonly sequence: number
  /** Whether more is kept than figures of torrents. */
  readonly hasAccounts: boolean
}

const TARGET = 'ACCOUNTING'
/** Entries of a ring that are read between two looks at the time. */
const SLICE = 256
/**
 * A turn of the event loop as long as a ring is half full: a thread that serves, too, fills it in its turns faster than
 * it is read in usual ones, when all clients begin at once.
 */
const LONG_TURN_MILLISECONDS = 10
const HALF = 0.5
/** Look-ups before what is owed has its turn: strangers can make up sessions without end. */
const MOST_ROUNDS = 20
/** The longest that a reader waits until everything is written that was announced before. */
const SETTLE_MILLISECONDS = 1_000
/** Between two attempts when the program is about to end. */
const RUSH_MILLISECONDS = 20

export class AccountingLoop implements Disposable {
  readonly #options: LoopOptions
  readonly #lines: LimitedLines
  readonly #listeners = new Set<(event: AccountingEvent) => void>()
  #timer: Timer | undefined
  /** The rings are read, and the database is asked, by one at a time. Neither ever rejects. */
  #draining: Promise<void> = Promise.resolve()
  #running: Promise<void> = Promise.resolve()
  #isRunning = false
  /** Turns that wait for the one that is running. */
  #waiting = 0
  /** Has not begun, and so will see what was announced until now. */
  #settling: { readonly done: Promise<void>; readonly deadline: Deadline } | undefined
  #isExpiring = false
  #isStopping = false
  /** Frozen, and not known to be written. */
  #batch: AccountingBatch | undefined
  #number = 0
  /** Everything that may be written is written, and nothing comes any more. */
  #isFlushed = false
  /** When things are due, in milliseconds of `performance.now()`. */
  #due: { attempt: number; write: number; idle: number; expiry: number }
  /** `written` when the database last worked. */
  #writtenBefore = 0
  /** Number of the last write that this process knows of. */
  sequence: number
  /** Batches and sessions written, and attempts that failed, since the start. */
  readonly counts = { batches: 0, sessions: 0, failures: 0 }

  constructor(options: LoopOptions) {
    const { log, pace, sequence } = options
    this.#options = options
    this.sequence = sequence
    const limit = { lines: 10, milliseconds: 1_000 }
    this.#lines = new LimitedLines(log, { level: 'debug', target: TARGET, ...limit })
    const now = performance.now()
    this.#due = {
      attempt: now,
      write: now + pace.writeMilliseconds,
      idle: now + pace.idleMilliseconds,
      expiry: now + pace.expiryMilliseconds,
    }
  }

  start(): void {
    this.#plan()
  }

  /** Events of what is written from now on. The result ends that. */
  follow(listener: (event: AccountingEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A write with number `sequence` was done. */
  tell(sequence: number): void {
    this.sequence = Math.max(this.sequence, sequence)
    this.#say({ kind: 'batch', batch: this.sequence })
  }

  /**
   * Resolves when everything is written that was announced until now; or after a moment, if more is owed than can be
   * written in it. Rejects with a `DatabaseError`.
   */
  async settled(): Promise<void> {
    this.#settling ??= this.#beginSettling()
    const { done, deadline } = this.#settling
    await deadline.waitFor(done)
  }

  /**
   * Resolves when everything is in the books that was announced until now, at what applies until now: what is not known
   * of its torrents is looked up, unless the database fails. Never rejects.
   */
  drained(): Promise<void> {
    return this.inTurn(async () => {
      await this.#drain()
      try {
        await this.#lookUp(() => this.#isStopping)
      } catch (error) {
        this.#failed(error)
      }
    })
  }

  /** Does `work`, which must not run beside a look-up or a write. Rejects if it does. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++
    const turn = this.#running.then(async () => {
      this.#waiting--
      this.#isRunning = true
      try {
        return await work()
      } finally {
        this.#isRunning = false
      }
    })
    this.#running = turn.then(
      () => {},
      () => {},
    )
    return turn
  }

  /** To be called from time to time: removes rows that are not needed any more. Never rejects. */
  async purge(): Promise<void> {
    const { database, clock, retention } = this.#options
    const now = clock.seconds()
    const before = {
      sessions: now - retention.sessions,
      flags: now - retention.flags,
      tokens: now,
    }
    try {
      // Each in a turn of its own: what is owed waits for one of them, not for all.
      while (!this.#isStopping && (await this.inTurn(() => database.purge(before))) > 0);
    } catch (error) {
      this.#failed(error)
    }
  }

  /** The program will end soon: what can wait is written from now on, so that less is left for `flush`. */
  hurry(): void {
    this.#due.idle = performance.now()
  }

  /**
   * Stops, and writes everything that is owed, for as long as a batch succeeds within the grace, and until `deadline`.
   * Call it after the last announce. Resolves with the number of sessions whose figures could not be written.
   */
  async flush(
    graceMilliseconds: number,
    deadline = Deadline.in(graceMilliseconds),
  ): Promise<number> {
    this[Symbol.dispose]()
    const grace = () => deadline.within(graceMilliseconds)
    const writing = this.#writeAll(grace)
    // A call that hangs is not waited for.
    for (let batches = -1; batches < this.counts.batches; ) {
      batches = this.counts.batches
      if (await grace().waitFor(writing)) break
    }
    const { books, newRows, watch, log } = this.#options
    newRows.report(true)
    const { owedRecords, owedBytes } = books.figures
    if (owedRecords === 0) return 0
    if (this.#isFlushed) {
      const fields = { sessions: owedRecords, bytes: owedBytes }
      log.warn(TARGET, 'figures of {sessions} session(s) of new torrents were not written', fields)
      return 0
    }
    watch.gaveUp(`${owedBytes} byte(s) of ${owedRecords} session(s) could not be written`)
    return owedRecords
  }

  /** Nothing more is begun. */
  [Symbol.dispose](): void {
    this.#isStopping = true
    clearTimeout(this.#timer)
  }

  #plan(): void {
    if (this.#isStopping) return
    this.#timer = setTimeout(() => {
      this.#tick().then(() => this.#plan())
    }, this.#options.pace.drainMilliseconds)
  }

  /** Never rejects. */
  async #tick(): Promise<void> {
    await this.#drain()
    const now = performance.now()
    if (now >= this.#due.expiry && !this.#isExpiring) void this.#expire()
    if (this.#isRunning || this.#isStopping || now < this.#due.attempt) return
    const { books } = this.#options
    if (now >= this.#due.write || books.question() !== undefined)
      void this.inTurn(() => this.#cycle())
  }

  /** Enters everything in the books that waits in the rings now. */
  #drain(): Promise<void> {
    const { books, rings } = this.#options
    this.#draining = this.#draining.then(async () => {
      const turns = new Turns()
      for (const ring of rings)
        for (let { waiting } = ring; waiting > 0; ) {
          waiting -= books.drain(ring, Math.min(SLICE, waiting))
          const isOver =
            ring.used < HALF ? turns.isOver : turns.isLongerThan(LONG_TURN_MILLISECONDS)
          if (isOver) await turns.next()
        }
    })
    return this.#draining
  }

  async #expire(): Promise<void> {
    const { books, clock, pace } = this.#options
    this.#isExpiring = true
    await finish(books.expire(clock.seconds()))
    this.#isExpiring = false
    this.#due.expiry = performance.now() + pace.expiryMilliseconds
  }

  /** Never rejects. */
  async #cycle(): Promise<void> {
    const { pace } = this.#options
    const isOver = () => this.#isStopping || this.#waiting > 0
    try {
      await this.#lookUp(isOver)
      const now = performance.now()
      if (now < this.#due.write || isOver()) return
      this.#due.write = now + pace.writeMilliseconds
      await this.#write(false, isOver)
      if (!isOver()) await this.#caughtUp()
      // There may be very many of these. What owes more has its turn in between.
      const isLate = () => isOver() || performance.now() >= this.#due.write
      if (now >= this.#due.idle && (await this.#write(true, isLate)))
        this.#due.idle = performance.now() + pace.idleMilliseconds
    } catch (error) {
      this.#failed(error)
    }
  }

  #beginSettling() {
    const deadline = Deadline.in(SETTLE_MILLISECONDS)
    const done = this.inTurn(async () => {
      this.#settling = undefined
      const isOver = () => deadline.isOver
      try {
        await this.#drain()
        await this.#lookUp(isOver)
        // Bytes before time.
        await this.#write(false, isOver)
        await this.#write(true, isOver)
        if (!isOver()) await this.#caughtUp()
      } catch (error) {
        this.#failed(error)
        throw error
      }
    })
    // Its caller may have gone.
    done.catch(() => {})
    return { done, deadline }
  }

  /** Everything that was owed is written. */
  async #caughtUp(): Promise<void> {
    const { watch, newRows } = this.#options
    await watch.check()
    newRows.report()
    const { sessions } = this.counts
    watch.recovered(`figures of ${sessions - this.#writtenBefore} session(s) caught up`)
    this.#writtenBefore = sessions
  }

  async #lookUp(
    isOver: () => boolean,
    deadline?: () => Deadline,
    most = MOST_ROUNDS,
  ): Promise<void> {
    const { books, database } = this.#options
    for (let round = 0; round < most && !isOver(); round++) {
      const question = books.question()
      if (question === undefined) return
      books.answer(await database.lookUp(question, deadline?.()))
    }
  }

  /** Writes what is owed, batch after batch. `isIdle`: what owes time only, too. false: it was over before the end. */
  async #write(
    isIdle: boolean,
    isOver: () => boolean,
    deadline?: () => Deadline,
  ): Promise<boolean> {
    while (!isOver()) {
      this.#batch ??= this.#freeze(isIdle)
      const batch = this.#batch
      if (batch === undefined) return true
      const began = performance.now()
      const { database, books, watch } = this.#options
      const written = await this.#try(database.write(batch, deadline?.()))
      this.#batch = undefined
      books.written()
      watch.worked()
      const sessions = batch.sessions.account.length
      this.counts.batches++
      this.counts.sessions += sessions
      this.#lines.say('a batch was written', () => ({
        batch: written.sequence,
        sessions,
        ms: Math.round(performance.now() - began),
      }))
      this.#tellOf(batch, written)
      // What comes in the meantime can wait for the next cycle.
      if (sessions < MOST_SESSIONS) return true
      // After an outage there are very many batches, and new sessions must not wait for all of them.
      await this.#lookUp(isOver, deadline, 1)
    }
    return false
  }

  async #try(writing: Promise<Written>): Promise<Written> {
    try {
      return await writing
    } catch (error) {
      this.counts.failures++
      throw error
    }
  }

  #freeze(isIdle: boolean): AccountingBatch | undefined {
    const { books, newRows, clock, writer, hasAccounts } = this.#options
    const now = clock.seconds()
    // At the end the holders of keys do not lose what they moved, because one of them made up torrents.
    const mayCreate = () => (this.#isStopping && hasAccounts) || newRows.take(1)
    const owed = books.freeze(now, isIdle, mayCreate)
    return owed && { ...owed, writer, number: ++this.#number, now, hasAccounts }
  }

  #tellOf({ sessions, hashes, flags }: AccountingBatch, written: Written): void {
    const batch = written.sequence
    this.tell(batch)
    for (const place of written.firstCompleted) {
      const torrent = sessions.torrent[place]!
      this.#say({
        kind: 'completed',
        batch,
        account: sessions.account[place]!,
        infoHash: hashes.slice(torrent * 20, torrent * 20 + 20),
        at: sessions.seen[place]!,
      })
    }
    for (const flag of flags) {
      this.#say({ kind: 'flag', batch, flag })
      const { kind, account, infoHash, bytes, seconds, times } = flag
      const fields = { kind, account, info_hash: infoHash.toHex(), bytes, seconds, times }
      this.#lines.say('this looks like cheating', () => fields)
    }
  }

  #say(event: AccountingEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  #failed(error: unknown): void {
    const { watch } = this.#options
    watch.failed(
      error,
      this.#isStopping ? undefined : 'figures wait in memory until it works again',
    )
    this.#due.attempt = performance.now() + (watch.retry ?? 0)
  }

  async #writeAll(grace: () => Deadline): Promise<void> {
    await this.#running
    await this.#drain()
    let end = grace()
    let { batches } = this.counts
    const isOver = () => end.isOver
    const deadline = () => {
      if (this.counts.batches > batches) end = grace()
      batches = this.counts.batches
      return end
    }
    while (!isOver()) {
      try {
        await this.#lookUp(isOver, deadline)
        await this.#write(false, isOver, deadline)
        this.#isFlushed = await this.#write(true, isOver, deadline)
        return
      } catch (error) {
        // The reason of an attempt that had time says more.
        if (!(error instanceof DatabaseError && error.fault === 'unbegun')) this.#failed(error)
        await Bun.sleep(RUSH_MILLISECONDS)
      }
    }
  }
}
