/**
 * The database as the rest of the program has it: a thread of its own (worker.ts) behind messages. It
 * never holds the thread that asks, and a thread that died is replaced by the next call.
 */
import type { DatabaseConfig } from '../config/model.ts'
import {
  type Database,
  DatabaseError,
  type KeyRow,
  OPENING_MILLISECONDS,
  PATIENCE_MILLISECONDS,
  type Part,
} from './contract.ts'
import { cannotOpen, closed, placeOf } from './faults.ts'
import type { Method } from './message.ts'
import { Link } from './thread-client.ts'

/** The thread's entry: its file in the source, its name beside the entry of the compiled binary. */
const WORKER_URL: string = new URL(
  import.meta.url.endsWith('/database/remote.ts') ? './worker.ts' : './database/worker.ts',
  import.meta.url,
).href

/** Waits before a thread that died young is replaced; twice as long after each that dies young again. */
const FIRST_WAIT_MILLISECONDS = 100
const LONGEST_WAIT_MILLISECONDS = 30_000
/** A thread that lived this long died of something new. */
const LONG_LIFE_MILLISECONDS = 60_000

export type RemoteOptions = {
  /** Told of whatever the log should say, one line each, without secrets. */
  readonly report?: (trouble: string) => void
  /** Entry of the thread, in tests. */
  readonly url?: string
}

/** Resolves when it is open, or rejects with one line: what failed, where, and the remedy if there is one. */
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
  #link: Link | undefined
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

  /** The first thread's database is open. Only the start of the program has no time to wait longer. */
  async opened(): Promise<void> {
    const late = Promise.withResolvers<never>()
    const seconds = OPENING_MILLISECONDS / 1_000
    const patience = setTimeout(
      () => late.reject(cannotOpen(this.#config, 'late', `no answer within ${seconds} s`)),
      OPENING_MILLISECONDS,
    )
    try {
      await Promise.race([this.#link!.opened, late.promise])
    } finally {
      clearTimeout(patience)
    }
  }

  ping(): Promise<void> {
    return this.#ask('ping')
  }
  readWhitelist(from: bigint): Promise<Part<Uint8Array>> {
    return this.#ask('readWhitelist', from)
  }
  listWhitelist(offset: number, limit: number): Promise<Uint8Array> {
    return this.#ask('listWhitelist', offset, limit)
  }
  addToWhitelist(hashes: Uint8Array): Promise<void> {
    return this.#ask('addToWhitelist', own(hashes))
  }
  removeFromWhitelist(hashes: Uint8Array): Promise<void> {
    return this.#ask('removeFromWhitelist', own(hashes))
  }
  readKeys(from: bigint): Promise<Part<readonly KeyRow[]>> {
    return this.#ask('readKeys', from)
  }
  listKeys(offset: number, limit: number): Promise<readonly KeyRow[]> {
    return this.#ask('listKeys', offset, limit)
  }
  addKeys(rows: readonly KeyRow[]): Promise<void> {
    return this.#ask('addKeys', rows)
  }
  removeKeys(keys: readonly string[]): Promise<number> {
    return this.#ask('removeKeys', keys)
  }
  removeKeysExpiredBefore(second: bigint): Promise<number> {
    return this.#ask('removeKeysExpiredBefore', second)
  }
  downloadsOf(hashes: Uint8Array): Promise<Float64Array> {
    return this.#ask('downloadsOf', own(hashes))
  }
  downloadsTotal(): Promise<number> {
    return this.#ask('downloadsTotal')
  }
  addDownloads(hashes: Uint8Array, counts: Float64Array, provenBy?: number): Promise<number> {
    return this.#ask('addDownloads', own(hashes), own(counts), provenBy)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#link?.close()
  }

  /** Without a goodbye: nothing was asked yet. */
  abandon(): void {
    this.#isClosed = true
    this.#link?.abandon()
  }

  async #ask<M extends Method>(
    method: M,
    ...args: Parameters<Database[M]>
  ): Promise<Awaited<ReturnType<Database[M]>>> {
    const made = performance.now()
    if (this.#isClosed) throw closed(this.about)
    // Asked at once where it can be: a close that comes next waits for it.
    const link = this.#link ?? (await this.#another(made + PATIENCE_MILLISECONDS))
    // The other side passes on what `method` resolved with (service.ts).
    return (await link.call(method, args, made)) as Awaited<ReturnType<Database[M]>>
  }

  /** A thread in place of the one that died, after the wait that is due. */
  async #another(until: number): Promise<Link> {
    for (;;) {
      if (this.#isClosed) throw closed(this.about)
      if (this.#link) return this.#link
      const wait = this.#notBefore - performance.now()
      if (wait <= 0) return this.#start()
      if (this.#notBefore > until)
        throw new DatabaseError('unreachable', `the database ${this.about} was lost a moment ago`)
      await Bun.sleep(wait)
    }
  }

  #start(): Link {
    this.#born = performance.now()
    this.#link = new Link({
      config: this.#config,
      url: this.#options.url ?? WORKER_URL,
      onTrouble: (what, words) =>
        this.#options.report?.(`${what}: ${withoutSecrets(this.#config, words)}`),
      onEnd: () => this.#ended(),
    })
    return this.#link
  }

  #ended(): void {
    this.#link = undefined
    const now = performance.now()
    const diedYoung = now - this.#born < LONG_LIFE_MILLISECONDS
    this.#wait = diedYoung
      ? Math.min(Math.max(this.#wait * 2, FIRST_WAIT_MILLISECONDS), LONGEST_WAIT_MILLISECONDS)
      : 0
    this.#notBefore = now + this.#wait
  }
}

/** The line that says what happened; what libraries say may quote what they were given. */
function withoutSecrets(config: DatabaseConfig, words: string): string {
  const line = /^.*error: .*$/im.exec(words)?.[0] ?? words.split('\n')[0]!
  const password = 'password' in config ? config.password : ''
  const masked = password === '' ? line : line.replaceAll(password, '***')
  return masked.replace(/\b[0-9A-Za-z]{32,}\b/g, '***')
}

/**
 * A copy of the bytes alone: a view would be sent with all the memory it looks at, shared memory would be
 * shared, and the caller may use his again while the call still waits for a thread.
 */
const own = <T extends Uint8Array | Float64Array>(view: T): T => view.slice() as T
