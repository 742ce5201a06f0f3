/**
 * The database thread's side of the calls: opens one database and does what messages ask. Every call is
 * answered. A call whose caller has given up is answered `late` and not begun: the caller was told so.
 */
import type { MessagePort } from 'node:worker_threads'
import type { DatabaseConfig } from '../config/model.ts'
import { Deadline } from '../time/deadline.ts'
import {
  cannotOpen,
  type Database,
  DatabaseError,
  type Fault,
  notBegun,
  RETURN_MILLISECONDS,
} from './contract.ts'

/** Methods that are called by message. */
export type Method = Exclude<keyof Database, 'about' | 'close'>

export type ToDatabase =
  | { readonly kind: 'open'; readonly config: DatabaseConfig; readonly sentAt: number }
  | {
      readonly kind: 'call'
      readonly id: number
      readonly method: Method
      /** Without the deadline. */
      readonly args: readonly unknown[]
      /** Memory of its `CallState`. */
      readonly state: SharedArrayBuffer
      /** When it was sent and its deadline, by the clock of the caller's thread. */
      readonly sentAt: number
      readonly deadline: number
    }
  | { readonly kind: 'close' }

export type Failure = {
  readonly fault: Fault
  readonly message: string
  /** Something other than a `DatabaseError` was thrown: a bug. Its words may hold secrets. */
  readonly bug?: string
}

export type FromDatabase =
  | { readonly kind: 'opened' }
  | ({ readonly kind: 'failed' } & Failure)
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | ({ readonly kind: 'rejected'; readonly id: number } & Failure)
  | { readonly kind: 'closed' }

const WAITING = 0
const BEGUN = 1
const GIVEN_UP = 2

/**
 * Whether a call may still begin, in a word that both threads share: the first to change it decides. Their
 * clocks could not decide that, because they have different origins.
 */
export class CallState {
  readonly memory: SharedArrayBuffer
  readonly #word: Int32Array

  constructor(memory = new SharedArrayBuffer(4)) {
    this.memory = memory
    this.#word = new Int32Array(memory)
  }

  /** By the database thread. false: the caller has given up. */
  begin(): boolean {
    return Atomics.compareExchange(this.#word, 0, WAITING, BEGUN) === WAITING
  }
  /** By the caller. A call that has begun goes on. */
  giveUp(): void {
    Atomics.compareExchange(this.#word, 0, WAITING, GIVEN_UP)
  }
}

/**
 * Deadlines of the caller's thread by the clock of this one. The fastest message shows best how far apart the
 * clocks are: a deadline may seem later by its time on the way, never earlier.
 */
class CallerClock {
  #ahead = Number.POSITIVE_INFINITY

  received(sentAt: number): void {
    this.#ahead = Math.min(this.#ahead, performance.now() - sentAt)
  }
  deadline(at: number): Deadline {
    return new Deadline(at + this.#ahead)
  }
}

/** Smaller results are copied: that is cheaper than moving them. */
const MOVED_BYTES = 4_096

export type OpenDriver = (config: DatabaseConfig) => Promise<Database>

export function serveDatabase(port: MessagePort, openDriver: OpenDriver): void {
  let database: Promise<Database> | undefined
  const clock = new CallerClock()
  const inHand = new Set<Promise<void>>()
  const answer = (message: FromDatabase, moved: ArrayBuffer[] = []) =>
    port.postMessage(message, moved)

  const open = async (config: DatabaseConfig) => {
    database = openDriver(config)
    try {
      await database
      answer({ kind: 'opened' })
    } catch (error) {
      const failure = failureIn(error, () => cannotOpen(config, 'refused', 'the driver failed'))
      answer({ kind: 'failed', ...failure })
    }
  }

  const call = async (message: ToDatabase & { kind: 'call' }) => {
    const { id, method, args, state } = message
    try {
      const opened = await database!
      const deadline = clock.deadline(message.deadline).earlier(RETURN_MILLISECONDS)
      if (deadline.isOver || !new CallState(state).begin()) throw notBegun(opened.about)
      const value = await perform(opened, method, [...args, deadline])
      answer({ kind: 'done', id, value }, movable(value))
    } catch (error) {
      const failure = failureIn(
        error,
        () => new DatabaseError('refused', 'the database driver failed'),
      )
      answer({ kind: 'rejected', id, ...failure })
    }
  }

  const close = async () => {
    await Promise.all(inHand)
    await database?.then((opened) => opened.close()).catch(() => undefined)
    answer({ kind: 'closed' })
  }

  port.on('message', (message: ToDatabase) => {
    if (message.kind === 'close') return void close()
    clock.received(message.sentAt)
    if (message.kind === 'open') return void open(message.config)
    const done: Promise<void> = call(message).finally(() => inHand.delete(done))
    inHand.add(done)
  })
}

/** `method` and `args` match: the caller's types see to that (remote.ts). */
function perform(database: Database, method: Method, args: readonly unknown[]): Promise<unknown> {
  const called = database[method] as (...args: unknown[]) => Promise<unknown>
  return called.apply(database, [...args])
}

/** Memory of a result that can be moved to the other thread instead of being copied. */
function movable(value: unknown): ArrayBuffer[] {
  if (typeof value !== 'object' || value === null) return []
  const bytes = 'rows' in value ? value.rows : value
  if (!(bytes instanceof Uint8Array || bytes instanceof Float64Array)) return []
  const { buffer, byteLength } = bytes
  const isWhole = byteLength === buffer.byteLength && byteLength >= MOVED_BYTES
  return isWhole && buffer instanceof ArrayBuffer ? [buffer] : []
}

/** `unforeseen` is what the caller hears of a bug. */
function failureIn(error: unknown, unforeseen: () => DatabaseError): Failure {
  if (error instanceof DatabaseError) return { fault: error.fault, message: error.message }
  const { fault, message } = unforeseen()
  const bug = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { fault, message, bug }
}
