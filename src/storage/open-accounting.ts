/** Opens what accounting needs, in the order in which one part needs another. */

import { randomKey } from '../access/keys.ts'
import { Accounts } from '../accounting/accounts.ts'
import { Books } from '../accounting/books.ts'
import type { AccountingLevel, AccountingMemory } from '../accounting/limits.ts'
import { RingReader } from '../accounting/ring.ts'
import { Slots } from '../accounting/slots.ts'
import type { BookSettings } from '../accounting/terms.ts'
import type { Config } from '../config/model.ts'
import type { AccountingState } from '../database/accounting-contract.ts'
import type { Database } from '../database/contract.ts'
import type { Log } from '../log/log.ts'
import type { Clock } from '../time/clock.ts'
import { finish } from '../time/turns.ts'
import { AccountingLoop, type LoopPace } from './accounting-loop.ts'
import { Accounting } from './accounting-service.ts'
import type { KeyAccounts } from './key-rows.ts'
import { KnownAccounts } from './known-accounts.ts'
import { NewRows } from './new-rows.ts'
import type { Permissions } from './permissions.ts'
import { WatchedDatabase, type WatchPace } from './watched-database.ts'

const TARGET = 'ACCOUNTING'
/** See `LoopPace`. */
const DRAIN_MILLISECONDS = 20
const EXPIRY_MILLISECONDS = 30_000

/** What a tracker keeps accounts with. */
export type AccountingParts = {
  readonly memory: AccountingMemory
  /** Whether the control thread is the only one. */
  readonly alone: boolean
  /** Pays for memory, in KiB, or takes it back; false: there is not enough. */
  readonly charge: (kib: number) => boolean
}

type OpeningOptions = AccountingParts & {
  readonly config: Config
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  /** Other than usual. */
  readonly pace?: Partial<LoopPace & WatchPace>
}

/** Accounting before the keys are read, and after that. */
export class OpenedAccounting {
  readonly #options: OpeningOptions
  readonly #state: AccountingState
  readonly #known: KnownAccounts
  readonly #accounts: Accounts

  private constructor(options: OpeningOptions, state: AccountingState) {
    const { memory, database, log, config } = options
    this.#options = options
    this.#state = state
    this.#accounts = new Accounts(memory.accounts)
    this.#accounts.setDefaults(defaultsOf(config))
    this.#known = new KnownAccounts(database.accounting, this.#accounts, log)
  }

  /** Makes the tables, and accounts for keys that have none. Rejects with a `DatabaseError`. */
  static async open(options: OpeningOptions): Promise<OpenedAccounting> {
    const { accounting } = options.database
    let state = await accounting.open()
    if (options.memory.level === 'users' && (await accounting.adoptKeys()) > 0) {
      while ((await accounting.adoptKeys()) > 0);
      state = await accounting.open()
    }
    return new OpenedAccounting(options, state)
  }

  /** undefined: keys have no accounts. */
  get keys(): KeyAccounts | undefined {
    if (this.#options.memory.level !== 'users') return undefined
    return { database: this.#options.database.accounting, known: this.#known }
  }

  /** Begins to keep accounts. The keys have been read, and what is decided about accounts. */
  start(permissions: Permissions) {
    const { memory, alone, charge, config, database, clock, log, pace } = this.#options
    const { level, rings: shared, seed } = memory
    const { accounts, torrents, secret, sequence } = this.#state
    const settings = settingsOf(level, config)
    const watch = new WatchedDatabase({ database, clock, log, target: TARGET, pace })
    const rings = shared.map((ring) => new RingReader(ring))
    const slots = new Slots(memory.slots, alone)
    const books = new Books({ settings, accounts: this.#accounts, slots, secret, seed, charge })
    const newRows = new NewRows({
      perSecond: config.abuse.max_new_rows_per_second,
      log,
      lines: {
        target: TARGET,
        begins:
          'more than {limit} torrents a second were announced for the first time: figures of those beyond ' +
          'wait in memory until it is fewer again, and are lost if their clients leave first (abuse.max_new_rows_per_second)',
        over: 'figures of new torrents are written as they come again',
      },
    })
    const { write_interval, idle_write_interval, session_retention, flags_retention } =
      config.core.accounting!
    const loop = new AccountingLoop({
      books,
      rings,
      watch,
      database: database.accounting,
      newRows,
      clock,
      log,
      pace: {
        drainMilliseconds: DRAIN_MILLISECONDS,
        writeMilliseconds: write_interval * 1_000,
        idleMilliseconds: idle_write_interval * 1_000,
        expiryMilliseconds: EXPIRY_MILLISECONDS,
        ...pace,
      },
      retention: { sessions: session_retention, flags: flags_retention },
      writer: randomKey(),
      sequence,
      hasAccounts: level === 'users',
    })
    const parts = { level, database: database.accounting, books, accounts: this.#accounts, rings }
    const store = new Accounting({ ...parts, known: this.#known, loop, permissions, watch, clock })
    loop.start()
    log.info(TARGET, 'Level {level}: accounts: {accounts}, torrents: {torrents}', {
      level,
      accounts,
      torrents,
    })
    return {
      store,
      loop,
      watch,
      /** Percentages, limits and the like; the rest cannot change. */
      follow: async (next: Config): Promise<void> => {
        newRows.limit(next.abuse.max_new_rows_per_second)
        await loop.drained()
        this.#accounts.setDefaults(defaultsOf(next))
        books.follow(settingsOf(level, next))
        await finish(books.recount())
      },
    }
  }
}

const defaultsOf = ({ core }: Config) => ({
  maxDownloads: core.accounting!.max_downloads,
  maxPeers: core.accounting!.max_peers_per_torrent,
})

function settingsOf(level: AccountingLevel, { core, websocket_trackers }: Config): BookSettings {
  const accounting = core.accounting!
  const webTimeouts = (websocket_trackers ?? []).map((one) => one.peer_timeout)
  return {
    level,
    upPercent: accounting.up_percent,
    downPercent: accounting.down_percent,
    maxBytesPerSecond: accounting.max_bytes_per_second,
    overSpeed: accounting.over_speed,
    storeClients: accounting.store_clients,
    peerTimeoutSeconds: Math.max(core.tracker_policy.max_peer_timeout, ...webTimeouts),
    idleSeconds: accounting.idle_write_interval,
  }
}
