/**
 * The database thread's side of the calls (remote.ts): opens one database and does what messages ask. Every call
 * is answered. A call that comes too late is not begun: its caller was told so.
 */
import type { MessagePort } from 'node:worker_threads'
import type { DatabaseConfig } from '../config/model.ts'
import { Deadline } from '../time/deadline.ts'
import type { AccountingDatabase } from './accounting-contract.ts'
import {
  type Database,
  DatabaseError,
  type Fault,
  notBegun,
  RETURN_MILLISECONDS,
} from './contract.ts'

/** Methods that are called by message. */
export type Method =
  | Exclude<keyof Database, 'about' | 'accounting' | 'close'>
  | `accounting.${keyof AccountingDatabase}`

/** Before the names of the methods of `Database.accounting`. */
export const ACCOUNTING = 'accounting.'

export type Question = {
  readonly id: number
  /** `open` comes first; its argument is a `DatabaseConfig`. `close` comes last. */
  readonly method: Method | 'open' | 'close'
  /** Without the deadline. */
  readonly args: readonly unknown[]
  /** By the clock of this thread. */
  readonly deadline: number
}

export type Answer = {
  readonly id: number
  /** This thread's `performance.now()`. */
  readonly now: number
} & ({ readonly value: unknown } | { readonly failure: Failure })

type Failure = {
  readonly fault: Fault
  readonly message: string
  /** Something other than a `DatabaseError` was thrown: a bug. Its words may hold secrets. */
  readonly bug?: string
}

export type OpenDriver = (config: DatabaseConfig) => Promise<Database>

export function serveDatabase(port: MessagePort, openDriver: OpenDriver): void {
  let database: Promise<Database> | undefined
  const inHand = new Set<Promise<void>>()

  const perform = async ({ method, args, deadline: at }: Question): Promise<unknown> => {
    if (method === 'open') {
      database = openDriver(args[0] as DatabaseConfig)
      return void (await database)
    }
    const opened = await database!
    if (method === 'close') {
      await Promise.all(inHand)
      return await opened.close()
    }
    const deadline = new Deadline(at).earlier(RETURN_MILLISECONDS)
    if (deadline.isOver) throw notBegun(opened.about)
    const isAccounting = method.startsWith(ACCOUNTING)
    const callee = isAccounting ? opened.accounting : opened
    const name = isAccounting ? method.slice(ACCOUNTING.length) : method
    // Method and arguments match: the caller's types see to that.
    const called = (callee as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[
      name
    ]!
    return await called.apply(callee, [...args, deadline])
  }

  const answer = async (question: Question): Promise<void> => {
    const outcome = await perform(question).then(
      (value) => ({ value }),
      (error: unknown) => ({ failure: failureIn(error) }),
    )
    const answered: Answer = { id: question.id, now: performance.now(), ...outcome }
    port.postMessage(answered)
  }

  port.on('message', (question: Question) => {
    const done = answer(question)
    if (question.method === 'close') return
    inHand.add(done)
    done.finally(() => inHand.delete(done))
  })
}

function failureIn(error: unknown): Failure {
  if (error instanceof DatabaseError) return { fault: error.fault, message: error.message }
  const bug = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { fault: 'refused', message: 'the database driver failed', bug }
}
