/**
 * The database as the rest of the program uses it: in a thread of its own (worker.ts) that is called by
 * message. It never holds up the thread that calls, and the next call replaces a thread that died. A call ends by
 * its deadline, whatever the thread does.
 */
import type { DatabaseConfig } from '../config/model.ts'
import { Deadline } from '../time/deadline.ts'
import type { AccountingDatabase } from './accounting-contract.ts'
import {
  CALL_MILLISECONDS,
  cannotOpen,
  closed,
  type Database,
  DatabaseError,
  late,
  OPENING_MILLISECONDS,
  placeOf,
} from './contract.ts'
import { ACCOUNTING, type Answer, type Method, type Question } from './thread-service.ts'

/** Entry of the thread: its file in the source; in the compiled binary its name beside the main entry. */
const WORKER_URL: string = new URL(
  import.meta.url.endsWith('/database/remote.ts') ? './worker.ts' : './database/worker.ts',
  import.meta.url,
).href

/** The methods that are called by message, and how many arguments stand before the deadline. */
const ARGUMENTS: Readonly<Record<Method, number>> = {
  ping: 0,
  readWhitelist: 1,
  listWhitelist: 2,
  addToWhitelist: 1,
  removeFromWhitelist: 1,
  readKeys: 1,
  listKeys: 2,
  addKeys: 1,
  removeKeys: 1,
  removeKeysExpiredBefore: 1,
  downloadsOf: 1,
  downloadsTotal: 0,
  addDownloads: 3,
  'accounting.open': 0,
  'accounting.adoptKeys': 0,
  'accounting.readSettings': 1,
  'accounting.readKeys': 1,
  'accounting.listKeys': 3,
  'accounting.addKeys': 1,
  'accounting.removeKeys': 1,
  'accounting.replaceKey': 2,
  'accounting.lookUp': 1,
  'accounting.write': 1,
  'accounting.listAccounts': 1,
  'accounting.account': 1,
  'accounting.changeAccount': 2,
  'accounting.adjustAccount': 2,
  'accounting.eraseAccount': 1,
  'accounting.listRecords': 1,
  'accounting.torrent': 1,
  'accounting.changeTorrents': 2,
  'accounting.putToken': 3,
  'accounting.removeToken': 2,
  'accounting.changes': 2,
  'accounting.listFlags': 2,
  'accounting.reviewFlag': 2,
  'accounting.readMark': 1,
  'accounting.putMark': 2,
  'accounting.purge': 1,
}

/** Between the starts of two threads: one that dies at once must not keep the machine busy. */
const RESTART_MILLISECONDS = 1_000

/** The most calls that the thread has not answered: calls that hang must not pile up. */
const MOST_UNANSWERED = 1_000

/**
 * Time for the calls that were made before the close, and for disconnecting. A stop takes less than ten
 * seconds with this, the grace of connections (run/start.ts) and the last write (storage/open.ts).
 */
const CLOSING_MILLISECONDS = 1_500

type RemoteOptions = {
  /** Called with lines for the log, without secrets. */
  readonly report?: (trouble: string) => void
  /** Called after every call: how long it took, and whether it failed. */
  readonly onCall?: (milliseconds: number, isFailure: boolean) => void
  /** Entry of the thread, for tests. */
  readonly url?: string
  /** The longest that opening takes. A start of the program must end. */
  readonly milliseconds?: number
}

/** Resolves when it is open. Rejects with one line: the failure and, unless it is a bug, the place and a remedy. */
export async function openDatabase(
  config: DatabaseConfig,
  { report, onCall, url = WORKER_URL, milliseconds = OPENING_MILLISECONDS }: RemoteOptions = {},
): Promise<Database> {
  const about = placeOf(config)
  let thread: DatabaseThread | undefined
  let notBefore = 0
  let isClosed = false

  const start = (): DatabaseThread => {
    notBefore = performance.now() + RESTART_MILLISECONDS
    thread = new DatabaseThread(
      config,
      url,
      (what, words) => report?.(`${what}: ${withoutSecrets(config, words)}`),
      () => {
        thread = undefined
      },
    )
    return thread
  }

  /** A thread in place of the one that died. */
  const nextThread = async (deadline: Deadline): Promise<DatabaseThread> => {
    for (;;) {
      const wait = notBefore - performance.now()
      if (isClosed) throw closed(about)
      if (thread) return thread
      if (wait <= 0) return start()
      if (notBefore > deadline.at)
        throw new DatabaseError('unreachable', `the database ${about} was lost a moment ago`)
      await Bun.sleep(wait)
    }
  }

  const call = async (method: Method, given: readonly unknown[]): Promise<unknown> => {
    if (isClosed) throw closed(about)
    const count = ARGUMENTS[method]
    const asked = given[count] as Deadline | undefined
    const deadline = asked?.within(CALL_MILLISECONDS) ?? Deadline.in(CALL_MILLISECONDS)
    // A message sends all the memory behind a view, and the caller may change its bytes while the call waits.
    const args = given.slice(0, count).map(copyOf)
    // At once if there is a thread: a close that follows then waits for this call.
    return await (thread ?? (await nextThread(deadline))).call(method, args, deadline)
  }

  const timed = async (method: Method, given: readonly unknown[]): Promise<unknown> => {
    const began = performance.now()
    let isFailure = true
    try {
      const answer = await call(method, given)
      isFailure = false
      return answer
    } finally {
      onCall?.(performance.now() - began, isFailure)
    }
  }

  const first = start()
  try {
    await Deadline.in(milliseconds).run(
      () => first.opened,
      () => cannotOpen(config, 'late', `no answer within ${milliseconds / 1_000} s`),
    )
  } catch (error) {
    first.end(closed(about))
    throw error
  }
  const calls = (Object.keys(ARGUMENTS) as Method[]).map(
    (method) => [method, (...given: unknown[]) => timed(method, given)] as const,
  )
  const [accounting, methods] = [true, false].map((isAccounting) =>
    Object.fromEntries(
      calls
        .filter(([method]) => method.startsWith(ACCOUNTING) === isAccounting)
        .map(([method, call]) => [method.slice(isAccounting ? ACCOUNTING.length : 0), call]),
    ),
  ) as unknown as [AccountingDatabase, Omit<Database, 'about' | 'accounting' | 'close'>]
  const close = async () => {
    isClosed = true
    await thread?.close()
  }
  return { about, accounting, close, ...methods }
}

/** With all the typed arrays in it. */
function copyOf(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).slice()
  if (Array.isArray(value)) return value.map(copyOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copyOf(part)]))
}

/** Is told of an unforeseen error in its original words, which may hold secrets. */
type Report = (what: string, words: string) => void

/** The caller's side of one database thread. Calls wait until its database is open, and all end when it does. */
class DatabaseThread {
  /** Rejects when the database does not open, or the thread ends before it does. */
  readonly opened: Promise<unknown>
  readonly #place: string
  readonly #worker: Worker
  readonly #report: Report
  readonly #onEnd: () => void
  /** Calls that the thread has not answered. Their callers may have given up. */
  readonly #unanswered = new Map<number, PromiseWithResolvers<unknown>>()
  #lastId = 0
  /**
   * How far the clock of the thread is ahead of this one's, or less: messages take time. So a deadline comes
   * earlier there than here, never later, and what a caller has given up is never begun.
   */
  #ahead = Number.NEGATIVE_INFINITY
  #isEnded = false

  /** `onEnd` is called once, when the thread has ended. */
  constructor(config: DatabaseConfig, url: string, report: Report, onEnd: () => void) {
    this.#place = placeOf(config)
    this.#report = report
    this.#onEnd = onEnd
    this.#worker = new Worker(url)
    let words = 'it ended'
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Answer>) =>
      this.#received(data),
    )
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault()
      words = event.message
    })
    this.#worker.addEventListener('close', () => {
      if (this.#isEnded) return
      report('the database thread died', words)
      this.end(this.#lost())
    })
    this.opened = this.#ask('open', [config])
    // Later calls report the failure to callers that do not await this.
    this.opened.catch((error) => this.end(error))
  }

  async call(method: Method, args: readonly unknown[], deadline: Deadline): Promise<unknown> {
    const ask = async () => {
      await this.opened
      if (this.#isEnded) throw this.#lost()
      if (this.#unanswered.size >= MOST_UNANSWERED)
        throw new DatabaseError(
          'late',
          `the database ${this.#place} does not answer, and ${MOST_UNANSWERED} calls wait already`,
        )
      return await this.#ask(method, args, deadline.at + this.#ahead)
    }
    return await deadline.run(ask, () => late(this.#place))
  }

  /** Resolves when the thread has closed the database, or takes too long. Never rejects. */
  async close(): Promise<void> {
    const closing = this.opened.then(() => this.#ask('close', []))
    await Deadline.in(CLOSING_MILLISECONDS).waitFor(closing.catch(() => undefined))
    this.end(closed(this.#place))
  }

  /** Ends the thread at once. */
  end(why: DatabaseError): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#worker.terminate()
    for (const { reject } of this.#unanswered.values()) reject(why)
    this.#onEnd()
  }

  #ask(
    method: Question['method'],
    args: readonly unknown[],
    deadline = Number.POSITIVE_INFINITY,
  ): Promise<unknown> {
    const id = ++this.#lastId
    const answer = Promise.withResolvers<unknown>()
    this.#unanswered.set(id, answer)
    this.#worker.postMessage({ id, method, args, deadline } satisfies Question)
    return answer.promise
  }

  #received(answer: Answer): void {
    this.#ahead = Math.max(this.#ahead, answer.now - performance.now())
    const { resolve, reject } = this.#unanswered.get(answer.id)!
    this.#unanswered.delete(answer.id)
    if ('failure' in answer) {
      const { fault, message, bug } = answer.failure
      if (bug !== undefined) this.#report(message, bug)
      reject(new DatabaseError(fault, message))
    } else resolve(answer.value)
  }

  #lost(): DatabaseError {
    return new DatabaseError('unreachable', `the database ${this.#place} was lost: its thread died`)
  }
}

/** The line that names the error, without secrets: libraries quote the values that they were given. */
function withoutSecrets(config: DatabaseConfig, words: string): string {
  const line = /^.*error: .*$/im.exec(words)?.[0] ?? words.split('\n')[0]!
  const password = 'password' in config ? config.password : ''
  const masked = password === '' ? line : line.replaceAll(password, '***')
  return masked.replace(/\b[0-9A-Za-z]{32,}\b/g, '***')
}
