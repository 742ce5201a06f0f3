/**
 * The database as the rest of the program uses it: in a thread of its own (worker.ts) that is called by
 * message. It never holds up the thread that calls, and the next call replaces a thread that died.
 */
import type { DatabaseConfig } from '../config/model.ts'
import { Deadline } from '../time/deadline.ts'
import {
  CALL_MILLISECONDS,
  cannotOpen,
  closed,
  type Database,
  DatabaseError,
  type KeyRow,
  OPENING_MILLISECONDS,
  type Part,
  placeOf,
} from './contract.ts'
import { ThreadClient } from './thread-client.ts'
import type { Method } from './thread-service.ts'

/** Entry of the thread: its file in the source; in the compiled binary its name beside the main entry. */
const WORKER_URL: string = new URL(
  import.meta.url.endsWith('/database/remote.ts') ? './worker.ts' : './database/worker.ts',
  import.meta.url,
).href

/** Wait before a thread that died young is replaced; doubled each time the next one dies young, too. */
const FIRST_WAIT_MILLISECONDS = 100
const LONGEST_WAIT_MILLISECONDS = 30_000
/** A thread that lived this long died of something else. */
const LONG_LIFE_MILLISECONDS = 60_000

type RemoteOptions = {
  /** Called with lines for the log, without secrets. */
  readonly report?: (trouble: string) => void
  /** Entry of the thread, for tests. */
  readonly url?: string
}

/** Resolves when it is open. Rejects with one line: the failure, the place, and the remedy if there is one. */
export async function openDatabase(
  config: DatabaseConfig,
  options: RemoteOptions = {},
): Promise<Database> {
  const database = new RemoteDatabase(config, options)
  try {
    await database.opened()
    return database
  } catch (error) {
    database.abandon()
    throw error
  }
}

class RemoteDatabase implements Database {
  readonly about: string
  readonly #config: DatabaseConfig
  readonly #options: RemoteOptions
  #thread: ThreadClient | undefined
  #born = 0
  /** No thread is started before this moment. */
  #notBefore = 0
  #wait = 0
  #isClosed = false

  constructor(config: DatabaseConfig, options: RemoteOptions) {
    this.about = placeOf(config)
    this.#config = config
    this.#options = options
    this.#start()
  }

  /** The database of the first thread is open. Only this has a limit: a start of the program must end. */
  opened(): Promise<void> {
    const seconds = OPENING_MILLISECONDS / 1_000
    return Deadline.in(OPENING_MILLISECONDS).run(
      () => this.#thread!.opened,
      () => cannotOpen(this.#config, 'late', `no answer within ${seconds} s`),
    )
  }

  ping(deadline?: Deadline): Promise<void> {
    return this.#call('ping', deadline)
  }
  readWhitelist(from: bigint, deadline?: Deadline): Promise<Part<Uint8Array>> {
    return this.#call('readWhitelist', deadline, from)
  }
  listWhitelist(offset: number, limit: number, deadline?: Deadline): Promise<Uint8Array> {
    return this.#call('listWhitelist', deadline, offset, limit)
  }
  addToWhitelist(hashes: Uint8Array, deadline?: Deadline): Promise<void> {
    return this.#call('addToWhitelist', deadline, copyOf(hashes))
  }
  removeFromWhitelist(hashes: Uint8Array, deadline?: Deadline): Promise<void> {
    return this.#call('removeFromWhitelist', deadline, copyOf(hashes))
  }
  readKeys(from: bigint, deadline?: Deadline): Promise<Part<readonly KeyRow[]>> {
    return this.#call('readKeys', deadline, from)
  }
  listKeys(offset: number, limit: number, deadline?: Deadline): Promise<readonly KeyRow[]> {
    return this.#call('listKeys', deadline, offset, limit)
  }
  addKeys(rows: readonly KeyRow[], deadline?: Deadline): Promise<void> {
    return this.#call('addKeys', deadline, rows)
  }
  removeKeys(keys: readonly string[], deadline?: Deadline): Promise<number> {
    return this.#call('removeKeys', deadline, keys)
  }
  removeKeysExpiredBefore(second: bigint, deadline?: Deadline): Promise<number> {
    return this.#call('removeKeysExpiredBefore', deadline, second)
  }
  downloadsOf(hashes: Uint8Array, deadline?: Deadline): Promise<Float64Array> {
    return this.#call('downloadsOf', deadline, copyOf(hashes))
  }
  downloadsTotal(deadline?: Deadline): Promise<number> {
    return this.#call('downloadsTotal', deadline)
  }
  addDownloads(
    hashes: Uint8Array,
    counts: Float64Array,
    provenBy?: number,
    deadline?: Deadline,
  ): Promise<number> {
    return this.#call('addDownloads', deadline, copyOf(hashes), copyOf(counts), provenBy)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#thread?.close()
  }

  /** Without waiting for anything: no call was made yet. */
  abandon(): void {
    this.#isClosed = true
    this.#thread?.abandon()
  }

  async #call<M extends Method>(
    method: M,
    given: Deadline | undefined,
    ...args: Parameters<Database[M]>
  ): Promise<Awaited<ReturnType<Database[M]>>> {
    if (this.#isClosed) throw closed(this.about)
    const deadline = given?.within(CALL_MILLISECONDS) ?? Deadline.in(CALL_MILLISECONDS)
    // At once if there is a thread: a close that follows then waits for this call.
    const thread = this.#thread ?? (await this.#nextThread(deadline))
    // The thread answers with what `method` resolved with (thread-service.ts).
    return (await thread.call(method, args, deadline)) as Awaited<ReturnType<Database[M]>>
  }

  /** A thread in place of the one that died, after the wait that is due. */
  async #nextThread(deadline: Deadline): Promise<ThreadClient> {
    for (;;) {
      if (this.#isClosed) throw closed(this.about)
      if (this.#thread) return this.#thread
      const wait = this.#notBefore - performance.now()
      if (wait <= 0) return this.#start()
      if (this.#notBefore > deadline.at)
        throw new DatabaseError('unreachable', `the database ${this.about} was lost a moment ago`)
      await Bun.sleep(wait)
    }
  }

  #start(): ThreadClient {
    this.#born = performance.now()
    this.#thread = new ThreadClient({
      config: this.#config,
      url: this.#options.url ?? WORKER_URL,
      onTrouble: (what, words) =>
        this.#options.report?.(`${what}: ${withoutSecrets(this.#config, words)}`),
      onEnd: () => this.#ended(),
    })
    return this.#thread
  }

  #ended(): void {
    this.#thread = undefined
    const now = performance.now()
    const diedYoung = now - this.#born < LONG_LIFE_MILLISECONDS
    this.#wait = diedYoung
      ? Math.min(Math.max(this.#wait * 2, FIRST_WAIT_MILLISECONDS), LONGEST_WAIT_MILLISECONDS)
      : 0
    this.#notBefore = now + this.#wait
  }
}

/** The line that names the error, without secrets: libraries quote the values that they were given. */
function withoutSecrets(config: DatabaseConfig, words: string): string {
  const line = /^.*error: .*$/im.exec(words)?.[0] ?? words.split('\n')[0]!
  const password = 'password' in config ? config.password : ''
  const masked = password === '' ? line : line.replaceAll(password, '***')
  return masked.replace(/\b[0-9A-Za-z]{32,}\b/g, '***')
}

/**
 * A message sends all the memory behind a view and shares what is shared memory; and the caller may change
 * its bytes while the call still waits for a thread.
 */
const copyOf = <T extends Uint8Array | Float64Array>(view: T): T => view.slice() as T
