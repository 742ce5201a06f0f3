/**
 * The database's side of its thread: opens one database and does what messages ask of it. Every call is
 * answered, those that waited too long with `late` and without having been begun: their caller has
 * gone, and would not know that they were done after all.
 */
import type { MessagePort } from 'node:worker_threads'
import type { DatabaseConfig } from '../config/model.ts'
import { type Database, DatabaseError } from './contract.ts'
import { Errand } from './errand.ts'
import { cannotOpen } from './faults.ts'
import type { Failure, FromDatabase, Method, ToDatabase } from './message.ts'

/** Smaller results are copied: that is cheaper than moving them. */
const MOVED_BYTES = 4_096

export type OpenDriver = (config: DatabaseConfig) => Promise<Database>

export function serveDatabase(port: MessagePort, openDriver: OpenDriver): void {
  let database: Promise<Database> | undefined
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

  const call = async ({ id, method, args, errand }: ToDatabase & { kind: 'call' }) => {
    try {
      const opened = await database!
      if (!new Errand(errand).begin())
        throw new DatabaseError('late', 'the call waited too long and was not begun')
      const value = await perform(opened, method, args)
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
    if (message.kind === 'open') return void open(message.config)
    const done: Promise<void> = call(message).finally(() => inHand.delete(done))
    inHand.add(done)
  })
}

/** The asking side's types pair `method` and `args` (remote.ts). */
function perform(database: Database, method: Method, args: readonly unknown[]): Promise<unknown> {
  const deed = database[method] as (...args: unknown[]) => Promise<unknown>
  return deed.apply(database, [...args])
}

/** Memory of a result that the other thread may have without a copy. */
function movable(value: unknown): ArrayBuffer[] {
  if (typeof value !== 'object' || value === null) return []
  const bytes = 'rows' in value ? value.rows : value
  if (!(bytes instanceof Uint8Array || bytes instanceof Float64Array)) return []
  const { buffer, byteLength } = bytes
  const isWhole = byteLength === buffer.byteLength && byteLength >= MOVED_BYTES
  return isWhole && buffer instanceof ArrayBuffer ? [buffer] : []
}

/** `unforeseen` is what people are told of a bug. */
function failureIn(error: unknown, unforeseen: () => DatabaseError): Failure {
  if (error instanceof DatabaseError) return { fault: error.fault, message: error.message }
  const { fault, message } = unforeseen()
  const bug = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { fault, message, bug }
}
