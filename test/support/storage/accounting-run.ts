/** One run of a tracker's accounting on a real database, announces by number, and what the database has of them. */
import { Access, createAccessMemory } from '../../../src/access/access.ts'
import { UNKNOWN } from '../../../src/access/keys.ts'
import type { AccountSettings } from '../../../src/accounting/batch.ts'
import { createAccountingMemory, Limits } from '../../../src/accounting/limits.ts'
import { RingWriter } from '../../../src/accounting/ring.ts'
import { Announce, type AnnounceEvent, Answer, EVENT, type Limit } from '../../../src/bittorrent.ts'
import type { AccountingDatabase } from '../../../src/database/accounting-contract.ts'
import type { Database } from '../../../src/database/contract.ts'
import { Log } from '../../../src/log/log.ts'
import { OpenedAccounting } from '../../../src/storage/open-accounting.ts'
import { Permissions } from '../../../src/storage/permissions.ts'
import { WatchedDatabase } from '../../../src/storage/watched-database.ts'
import { keyOf } from '../access/entries.ts'
import { configOf, minimalToml } from '../configuration.ts'
import { Fated } from './fated-run.ts'

/** A Unix second. */
export const START = 1_700_000_000
const seed = Int32Array.of(1, 2, 3, 4)

export const PACE = {
  drainMilliseconds: 1,
  writeMilliseconds: 4,
  idleMilliseconds: 3_600_000,
  expiryMilliseconds: 3_600_000,
  retryMilliseconds: 10,
  quietMilliseconds: 20,
}

/** Info hash number `n`, and the same as a database has it. */
export const hashOf = (n: number): Uint8Array => {
  const hash = new Uint8Array(20).fill(0xab)
  new DataView(hash.buffer).setUint32(0, n)
  return hash
}

export type Told = {
  account: number
  torrent?: number
  /** Number of the client: its peer id. */
  peer?: number
  uploaded?: number
  downloaded?: number
  left?: number
  event?: AnnounceEvent
  /** Number of the endpoint. */
  from?: number
  limit?: Limit
}

type Wishes = {
  level?: 'torrents' | 'users'
  /** Lines of `[core.accounting]`. */
  settings?: string
  pace?: Partial<typeof PACE>
  newRowsPerSecond?: number
  threads?: number
  now?: number
}

const configWith = ({ level = 'users', settings = '', newRowsPerSecond = 0 }: Wishes) =>
  configOf(
    minimalToml({
      isPrivate: level === 'users',
      core: `[core.database]\npath = "x"\n[core.accounting]\nlevel = "${level}"\n${settings}`,
      rest: `\n[abuse]\nmax_new_rows_per_second = ${newRowsPerSecond}\n`,
    }),
  )

export class AccountingRun implements AsyncDisposable {
  readonly lines: string[] = []
  readonly clock = {
    now: START,
    seconds: () => this.clock.now,
    milliseconds: () => this.clock.now * 1_000,
  }
  /** Calls of the accounting part of the database. */
  readonly fated: Fated<AccountingDatabase>
  readonly access: Access
  readonly #real: Database
  readonly #writers: readonly RingWriter[]
  readonly #limits: Limits
  readonly #announce = new Announce()
  readonly #answer = new Answer([])
  /** The memory that it paid for, in KiB. */
  paid = 0
  permissions!: Permissions
  its!: ReturnType<OpenedAccounting['start']>

  static async start(open: () => Promise<Database>, wishes: Wishes = {}): Promise<AccountingRun> {
    const { level = 'users', threads = 1 } = wishes
    const memory = createAccountingMemory(level, threads, seed)
    const writers = memory.rings.map((ring) => new RingWriter(ring, seed))
    const run = new AccountingRun(await open(), writers, Limits.over(memory, true))
    run.clock.now = wishes.now ?? START
    await run.#start(memory, wishes)
    return run
  }

  private constructor(real: Database, writers: readonly RingWriter[], limits: Limits) {
    this.#real = real
    this.#limits = limits
    this.#writers = writers
    this.fated = new Fated(real.accounting)
    const rules = { listed: false, private: true, checksExpiration: true, seed }
    this.access = new Access(createAccessMemory({ ...rules, keyCapacity: 20_000 })!, true)
  }

  async #start(memory: ReturnType<typeof createAccountingMemory>, wishes: Wishes): Promise<void> {
    const { clock, access } = this
    const { pace } = wishes
    const config = configWith(wishes)
    const style = { filter: 'info', style: 'full', colour: false } as const
    const log = new Log(style, clock.milliseconds, (line) => this.lines.push(line.trimEnd()))
    const accounting = this.fated.database
    const database: Database = new Proxy(this.#real, {
      get: (real, name) => {
        if (name === 'accounting') return accounting
        const value: unknown = Reflect.get(real, name)
        return typeof value === 'function' ? value.bind(real) : value
      },
    })
    const charge = (kib: number) => {
      this.paid += kib
      return true
    }
    const opened = await OpenedAccounting.open({
      memory,
      alone: true,
      charge,
      config,
      database,
      clock,
      log,
      pace: { ...PACE, ...pace },
    })
    const watch = new WatchedDatabase({ database, clock, log, pace: PACE })
    this.permissions = new Permissions({
      database: watch,
      access,
      clock,
      log,
      accounts: opened.keys,
    })
    await this.permissions.load()
    this.its = opened.start(this.permissions)
    this.#watch = watch
  }
  #watch!: WatchedDatabase

  /** From now on. */
  follow(wishes: Wishes): Promise<void> {
    return this.its.follow(configWith(wishes))
  }

  get store() {
    return this.its.store
  }

  /** Reports that the database works. */
  async works(): Promise<void> {
    await Bun.sleep(PACE.quietMilliseconds)
    await this.#watch.check()
    await this.permissions.settled()
  }

  /** An account of its own, or that of a user. */
  async account(userId: bigint | null = null): Promise<number> {
    const [key] = await this.permissions.addKeys([{ key: null, secondsValid: null, userId }])
    return key!.account!
  }

  /** The account that serving threads know a key by; undefined: they refuse it. */
  accountOf(key: string): number | undefined {
    const keys = this.access.keys!
    return keys.validUntil(keyOf(key).words) === UNKNOWN ? undefined : keys.account
  }

  /** One announce on serving thread number `thread`. */
  tell(told: Told, thread = 0): void {
    this.#state(told)
    this.#answer.seeders = 1
    this.#answer.leechers = 1
    this.#answer.limit = told.limit
    this.#writers[thread]!.append(told.account, this.#announce, this.#answer, this.clock.now)
  }

  /** The limit that an announce is over. */
  limitOf(told: Told): Limit | undefined {
    this.#state(told)
    return this.#limits.of(told.account, this.#announce)
  }

  #state({ torrent = 1, peer = 1, event = EVENT.none, from = peer, ...told }: Told): void {
    const announce = this.#announce
    announce.infoHash.set(hashOf(torrent))
    announce.peerId.set(Buffer.from(`-XX0001-${String(peer).padStart(12, '0')}`))
    announce.family = 4
    announce.endpoint.set([10, from >>> 16, from >>> 8, from])
    announce.port = 6_881
    const counts = [told.uploaded ?? 0, told.downloaded ?? 0, told.left ?? 0]
    for (const [i, count] of counts.entries()) {
      announce.counts[i * 2] = count / 2 ** 32
      announce.counts[i * 2 + 1] = count
    }
    announce.event = event
  }

  /** What the database has of an account, behind nobody's back. */
  async figures(account: number): Promise<Figures> {
    const row = (await this.store.account({ id: account }))!
    return {
      uploaded: Number(row.uploaded),
      downloaded: Number(row.downloaded),
      credited: [Number(row.creditedUploaded), Number(row.creditedDownloaded)],
      seconds: [Number(row.seedSeconds), Number(row.leechSeconds)],
      snatches: Number(row.snatches),
    }
  }
  async change(account: number, settings: Partial<AccountSettings>): Promise<void> {
    await this.store.changeAccount({ id: account }, settings)
  }

  /** The lines of the log without time. */
  said(): string[] {
    return this.lines.map((line) => line.slice(28).replace(/\S+:\S+(?=: )/, 'PLACE'))
  }

  /** The number of sessions whose figures are lost. */
  async stop(graceMilliseconds = 5_000): Promise<number> {
    const lost = await this.its.loop.flush(graceMilliseconds)
    await this.#close()
    return lost
  }

  /** Ends as a process does that is killed: nothing more is written. */
  async kill(): Promise<void> {
    this.fated.fate = () => 'lost'
    this.its.loop[Symbol.dispose]()
    await this.#close()
  }

  #isClosed = false
  async #close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.permissions[Symbol.asyncDispose]()
    await this.#real.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.its.loop[Symbol.dispose]()
    await this.#close()
  }
}

export type Figures = {
  uploaded: number
  downloaded: number
  /** Up and down. */
  credited: [number, number]
  /** Of seeding and leeching. */
  seconds: [number, number]
  snatches: number
}
